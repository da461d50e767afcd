"""The record as a document: its keys, its schema, and its line in the journal."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from typing import Any

import pytest

from rollback_ops.core.journal import read_journal
from rollback_ops.core.record import Record, schema
from rollback_ops.core.redaction import Redactor
from tests.support.records import USUAL, record

# The contract with everyone who reads records, key by key.
KEYS = """
    schema_version id service environment mode dry_run trigger reason actor run_url started_at finished_at
    duration_seconds outcome exit_code from to rejected hosts deployment warnings
"""
KEYS_OF_A_HOST = "host outcome from to downtime_seconds steps checks detail"
MODES = "standard emergency targeted"
OUTCOMES = "succeeded nothing_to_do verification_failed restored failed refused partial cancelled"
TRIGGERS = """
    manual workflow deploy-failed verification-failed health-timeout log-error process-crash config-invalid
    database-unreachable
"""


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    found = json.loads(resources.files("rollback_ops").joinpath("core/record.schema.json").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_keys_are_exactly_those_of_the_contract() -> None:
    document = json.loads(record().line())
    assert list(document) == KEYS.split()
    assert list(document["from"]) == list(document["to"]) == ["release", "revision"]
    assert list(document["rejected"][0]) == ["release", "why"]
    assert list(document["hosts"][0]) == KEYS_OF_A_HOST.split()
    assert list(document["hosts"][0]["steps"][0]) == ["name", "seconds", "outcome", "detail"]
    assert list(document["hosts"][0]["checks"][0]) == ["name", "kind", "outcome", "detail", "seconds"]
    assert list(document["deployment"]) == ["id", "url"]


def test_a_record_that_knows_little_has_all_keys_too() -> None:
    least = {name: USUAL[name] for name, field in Record.model_fields.items() if field.is_required()}
    document = json.loads(Record.model_validate(least).line())
    assert list(document) == KEYS.split()
    assert (document["from"], document["hosts"]) == ({"release": None, "revision": None}, [])


def test_a_record_that_is_written_and_read_is_the_same() -> None:
    assert json.loads(record().line()) == USUAL
    assert Record.model_validate_json(record().line()) == record()


@pytest.mark.parametrize(
    "text", ['quotes " and \\', "line\nbreak", "\x00\x1b[31m\x7f", "ünï ☃ 🎉", "\u2028", "x" * 1000]
)
def test_a_record_is_one_line_whatever_is_in_it(text: str) -> None:
    told = record(reason=text, warnings=[text])
    assert len(told.line().split("\n")) == 1
    assert Record.model_validate_json(told.line()).reason == text


LONG = 200 * "a long word "


def test_the_line_of_a_record_with_very_many_rejected_releases_says_that_it_leaves_them_out() -> None:
    rejected = [{"release": f"b{number}", "why": LONG} for number in range(1000)]
    told = record(rejected=rejected)
    assert len(told.line().encode()) < 50_000
    (found,), unreadable = read_journal([told.line()])
    assert unreadable == 0
    assert found.warnings == (
        "beware",
        "the journal leaves out why 1000 releases were not chosen: they are too many",
    )
    assert found.model_copy(update={"rejected": told.rejected, "warnings": told.warnings}) == told


def test_the_line_of_a_record_with_very_much_detail_says_what_became_of_each_host() -> None:
    hosts = [USUAL["hosts"][0] | {"host": f"h{number}", "detail": LONG} for number in range(100)]
    told = record(hosts=hosts, rejected=[])
    assert len(told.line().encode()) < 50_000
    (found,), _ = read_journal([told.line()])
    assert [(h.host, h.outcome, h.to.release) for h in found.hosts] == [(h["host"], "succeeded", "b2") for h in hosts]
    assert found.warnings[1:] == ("the journal leaves out the steps and checks of the hosts: they are too many",)


# --- the schema ------------------------------------------------------------------------------------------


def test_the_schema_that_is_published_is_the_models_own(published: dict[str, Any]) -> None:
    assert json.loads(schema()) == published, "run `make schema`"


def test_the_schema_can_be_written_anew_as_make_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rollback_ops.core.record"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == schema()


def test_the_schema_asks_for_every_key_and_allows_the_words_of_the_contract(published: dict[str, Any]) -> None:
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
def test_what_is_no_record_does_not_conform_to_the_schema(published: dict[str, Any], words: dict[str, Any]) -> None:
    assert not conforms(USUAL | words, published, published)


def test_the_secrets_in_what_people_and_hosts_wrote_are_hidden_and_names_stay() -> None:
    text = "it says password=hunter2"
    check = {"name": "health", "kind": "http", "outcome": "failed", "detail": text}
    step = {"name": "stop", "seconds": 0.1, "outcome": "failed", "detail": text}
    host = {**USUAL["hosts"][0], "host": "token=abcdef", "detail": text, "checks": [check], "steps": [step]}
    told = record(reason=text, warnings=[text], hosts=[host], rejected=[{"release": "b1", "why": text}])
    line = told.redacted(Redactor()).line()
    assert "hunter2" not in line
    assert line.count("it says password=***") == 6
    assert '"host":"token=abcdef"' in line
