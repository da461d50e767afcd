"""The record as a document: its keys, its schema, and its line in the journal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import resources
from typing import Any

import pytest

from rollback_ops.core.journal import read_journal
from rollback_ops.core.record import Record
from rollback_ops.core.record.schema import schema
from rollback_ops.core.redaction import Redactor
from tests.support.records import USUAL, record

# The contract with everyone who reads records, key by key.
KEYS = """
    schema_version id service environment mode dry_run trigger reason actor run_url started_at finished_at
    duration_seconds outcome exit_code from to rejected hosts deployment superseded_by hold plan approved strategy waves
    group services shard shards evidence scheduled drill warnings
"""
KEYS_OF_A_HOST = "host outcome from to downtime_seconds steps checks detail region service superseded_by"
MODES = "standard emergency targeted"
OUTCOMES = """
    succeeded nothing_to_do verification_failed health_unknown restored failed refused partial superseded cancelled
"""
TRIGGERS = """
    manual workflow deploy-failed verification-failed health-timeout log-error process-crash config-invalid
    database-unreachable metric-degraded unconfirmed scheduled drill
"""


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    found = json.loads(resources.files("rollback_ops").joinpath("core/record.schema.json").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_keys_are_exactly_those_of_the_contract() -> None:
    document = json.loads(record().line())
    assert list(document) == KEYS.split()
    assert list(document["from"]) == list(document["to"]) == ["release", "revision", "deployed_at"]
    assert list(document["rejected"][0]) == ["release", "why"]
    assert list(document["hosts"][0]) == KEYS_OF_A_HOST.split()
    assert list(document["hosts"][0]["steps"][0]) == ["name", "seconds", "outcome", "detail"]
    assert list(document["hosts"][0]["checks"][0]) == ["name", "kind", "outcome", "detail", "seconds"]
    assert list(document["deployment"]) == ["id", "url"]


def test_a_record_without_optional_facts_has_all_keys_too() -> None:
    least = {name: USUAL[name] for name, field in Record.model_fields.items() if field.is_required()}
    document = json.loads(Record.model_validate(least).line())
    assert list(document) == KEYS.split()
    assert (set(document["from"].values()), document["hosts"]) == ({None}, [])


def test_a_record_is_unchanged_after_writing_and_reading() -> None:
    assert json.loads(record().line()) == USUAL
    assert Record.model_validate_json(record().line()) == record()


@pytest.mark.parametrize(
    "text", ['quotes " and \\', "line\nbreak", "\x00\x1b[31m\x7f", "ünï ☃ 🎉", "\u2028", "x" * 1000]
)
def test_a_record_is_always_one_line(text: str) -> None:
    line = record(reason=text, warnings=[text]).line()
    assert len(line.split("\n")) == 1
    assert Record.model_validate_json(line).reason == text


LONG = 200 * "a long word "


def test_the_line_of_a_record_with_a_thousand_rejected_releases_leaves_them_out_with_a_warning() -> None:
    rejected = [{"release": f"b{number}", "why": LONG} for number in range(1000)]
    whole = record(rejected=rejected)
    assert len(whole.line().encode()) < 50_000
    (found,), unreadable = read_journal([whole.line()])
    assert unreadable == 0
    first, added = found.warnings
    assert first == "beware"
    assert {"1000", "journal"} <= set(re.findall(r"\w+", added))
    assert found.model_copy(update={"rejected": whole.rejected, "warnings": whole.warnings}) == whole


def test_the_line_of_a_record_with_much_detail_keeps_the_outcome_of_each_host() -> None:
    hosts = [USUAL["hosts"][0] | {"host": f"h{number}", "detail": LONG} for number in range(100)]
    line = record(hosts=hosts, rejected=[]).line()
    assert len(line.encode()) < 50_000
    (found,), _ = read_journal([line])
    assert [(h.host, h.outcome, h.to.release) for h in found.hosts] == [(h["host"], "succeeded", "b2") for h in hosts]
    (added,) = found.warnings[1:]
    assert {"journal", "steps", "checks"} <= set(re.findall(r"\w+", added))


# --- the schema ------------------------------------------------------------------------------------------


def test_the_published_schema_is_up_to_date(published: dict[str, Any]) -> None:
    assert json.loads(schema()) == published, "run `make schema`"


def test_the_module_prints_the_schema() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rollback_ops.core.record.schema"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == schema()


def test_the_schema_requires_every_key_and_allows_exactly_the_words_of_the_contract(published: dict[str, Any]) -> None:
    assert published["required"] == KEYS.split()
    assert published["$defs"]["HostRecord"]["required"] == KEYS_OF_A_HOST.split()
    properties = published["properties"]
    assert properties["mode"]["enum"] == MODES.split()
    assert properties["outcome"]["enum"] == OUTCOMES.split()
    assert properties["trigger"]["enum"] == TRIGGERS.split()
    assert properties["started_at"]["format"] == properties["finished_at"]["format"] == "date-time"


JSON_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "array": list,
}


def conforms(value: Any, rule: dict[str, Any], whole: dict[str, Any]) -> bool:
    """As much of JSON Schema as our own schema uses."""
    if rule.get("$ref") == "#":
        return conforms(value, whole, whole)
    if "$ref" in rule:
        return conforms(value, whole["$defs"][rule["$ref"].rsplit("/", 1)[-1]], whole)
    if "anyOf" in rule:
        return any(conforms(value, each, whole) for each in rule["anyOf"])
    if rule["type"] == "object":
        return (
            isinstance(value, dict)
            and set(rule["required"]) <= value.keys() <= rule["properties"].keys()
            and all(conforms(value[key], each, whole) for key, each in rule["properties"].items() if key in value)
        )
    if not isinstance(value, JSON_TYPES[rule["type"]]) or ("enum" in rule and value not in rule["enum"]):
        return False
    return rule["type"] != "array" or all(conforms(each, rule["items"], whole) for each in value)


@pytest.mark.parametrize("words", [{}, {"hosts": [], "rejected": []}, {"run_url": "https://example.org/1"}])
def test_records_conform_to_the_schema(published: dict[str, Any], words: dict[str, Any]) -> None:
    assert conforms(json.loads(record(**words).line()), published, published)


@pytest.mark.parametrize(
    "words", [{"outcome": "fine"}, {"exit_code": "0"}, {"hosts": [{}]}, {"from": None}, {"more": 1}, {"mode": None}]
)
def test_an_invalid_record_does_not_conform_to_the_schema(published: dict[str, Any], words: dict[str, Any]) -> None:
    assert not conforms(USUAL | words, published, published)


def test_secrets_in_texts_are_redacted_and_names_stay() -> None:
    text = "it says password=hunter2"
    check = {"name": "health", "kind": "http", "outcome": "failed", "detail": text}
    step = {"name": "stop", "seconds": 0.1, "outcome": "failed", "detail": text}
    host = {**USUAL["hosts"][0], "host": "token=abcdef", "detail": text, "checks": [check], "steps": [step]}
    written = record(reason=text, warnings=[text], hosts=[host], rejected=[{"release": "b1", "why": text}])
    line = written.redacted(Redactor()).line()
    assert "hunter2" not in line
    assert line.count("it says password=***") == 6
    assert '"host":"token=abcdef"' in line


def test_a_record_of_very_many_hosts_fits_into_a_line_of_the_journal() -> None:
    hosts = [{**USUAL["hosts"][0], "host": f"deploy@host{number}.{'x' * 200}.example.org"} for number in range(400)]
    line = record(hosts=hosts).line()
    assert len(line.encode()) < 48_000
    kept = Record.model_validate_json(line)
    assert (kept.outcome, {host.outcome for host in kept.hosts}) == ("succeeded", {"succeeded"})
