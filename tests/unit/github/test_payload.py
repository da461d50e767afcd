"""The content of a deployment: the record, within the limits of GitHub."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_ops.core.record import Record
from rollback_ops.core.redaction import Redactor
from rollback_ops.integrations.github import payload
from rollback_ops.integrations.github.history import read_payloads
from tests.support.github_web import OLD_SHA, SHA, TOKEN
from tests.support.records import USUAL, record

RUN = "https://github.com/acme/bot/actions/runs/77/attempts/2"


def host(outcome: str, **words: Any) -> dict[str, Any]:
    return {**USUAL["hosts"][0], "outcome": outcome, **words}


@pytest.mark.parametrize(
    ("words", "filed"),
    [
        ({}, True),
        ({"outcome": "verification_failed", "hosts": [host("verification_failed")]}, True),
        ({"outcome": "restored", "hosts": [host("restored")]}, True),
        ({"outcome": "failed", "hosts": [host("failed")]}, True),
        ({"outcome": "partial", "hosts": [host("succeeded"), host("unreachable")]}, True),
        ({"outcome": "cancelled", "hosts": [host("unknown")]}, True),
        ({"outcome": "cancelled", "hosts": []}, True),
        ({"outcome": "cancelled", "hosts": [host("cancelled")]}, False),
        ({"outcome": "partial", "hosts": [host("refused"), host("nothing_to_do")]}, False),
        ({"outcome": "refused", "hosts": [host("refused")]}, False),
        ({"outcome": "nothing_to_do", "hosts": [host("nothing_to_do")]}, False),
        ({"dry_run": True, "outcome": "nothing_to_do", "hosts": [host("nothing_to_do")]}, False),
        ({"dry_run": True}, False),
    ],
)
def test_only_runs_that_changed_a_host_are_recorded(words: dict[str, Any], filed: bool) -> None:
    assert payload.changed_something(record(**words)) == filed


def test_the_ref_is_the_restored_revision_else_the_workflows_commit() -> None:
    assert list(payload.refs(record(to={"release": "b2", "revision": OLD_SHA}), SHA)) == [
        (OLD_SHA, "release"),
        (SHA, "workflow"),
    ]
    assert list(payload.refs(record(to={"release": "b2"}), SHA)) == [(SHA, "workflow")]
    assert list(payload.refs(record(to={}), "")) == []


def test_a_deployment_merges_nothing_and_waits_for_nothing() -> None:
    asked = payload.deployment(record(run_url=RUN), OLD_SHA, "release", Redactor())
    assert {name: asked[name] for name in ("ref", "task", "auto_merge", "required_contexts", "environment")} == {
        "ref": OLD_SHA,
        "task": "rollback",
        "auto_merge": False,
        "required_contexts": [],
        "environment": "prod",
    }
    assert asked["description"] == "Rollback of bot: b3 → b2: logins fail"
    assert (asked["payload"]["id"], asked["payload"]["ref_is"]) == (USUAL["id"], "release")


def test_the_payload_is_the_record_without_its_long_parts() -> None:
    core = payload.core(record(), Redactor())
    (read,), unreadable = read_payloads([json.loads(json.dumps(core))])
    assert unreadable == 0
    assert (read.id, read.outcome, read.to, read.warnings) == (record().id, "succeeded", record().to, ("beware",))
    (there,) = read.hosts
    assert (there.host, there.outcome, there.downtime_seconds, there.steps) == ("deploy@bot1", "succeeded", 0.2, ())
    assert "deployment" not in core


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ("succeeded", "success"),
        ("verification_failed", "failure"),
        ("failed", "failure"),
        ("partial", "failure"),
        ("restored", "failure"),
        ("cancelled", "error"),
    ],
)
def test_an_outcome_has_its_state(outcome: str, state: str) -> None:
    assert payload.STATES[record(outcome=outcome).outcome] == state


def test_a_status_leads_to_the_run_and_to_the_environment() -> None:
    said = payload.status(record(run_url=RUN), "success", "https://bot.example.org", Redactor())
    assert said == {
        "state": "success",
        "description": "succeeded in 1.5 s: b2",
        "auto_inactive": False,
        "log_url": RUN,
        "target_url": RUN,
        "environment_url": "https://bot.example.org",
    }
    assert payload.status(record(), "in_progress", "", Redactor()) == {
        "state": "in_progress",
        "description": "to b2: logins fail",
        "auto_inactive": False,
    }


def test_no_secret_is_in_a_deployment() -> None:
    reason = f"see {TOKEN} and password=hunter2"
    told = record(reason=reason, warnings=[reason], hosts=[host("succeeded", detail=reason)])
    said = json.dumps(
        [
            payload.deployment(told, SHA, "workflow", Redactor([TOKEN])),
            payload.status(told, "error", "", Redactor([TOKEN])),
        ]
    )
    assert "SECRET" not in said
    assert "hunter2" not in said


TEXTS = st.text(max_size=2_000)


@settings(max_examples=40)
@given(reason=TEXTS, release=TEXTS, warnings=st.lists(TEXTS, max_size=30), detail=TEXTS, hosts=st.integers(0, 400))
def test_any_record_makes_a_deployment_inside_the_limits(
    reason: str, release: str, warnings: list[str], detail: str, hosts: int
) -> None:
    told = record(
        reason=reason,
        to={"release": release},
        warnings=warnings,
        hosts=[host("failed", host=f"deploy@bot{number}.example.org", detail=detail) for number in range(hosts)],
    )
    asked = payload.deployment(told, SHA, "workflow", Redactor([TOKEN]))
    descriptions = [asked["description"], payload.inactive_status(told, Redactor())["description"]]
    descriptions += [payload.status(told, state, "", Redactor())["description"] for state in ("in_progress", "failure")]
    assert all(len(each) <= payload.LONGEST_DESCRIPTION and "\n" not in each for each in descriptions)
    assert len(json.dumps(asked["payload"])) < 60_000
    (read,), _ = read_payloads([json.loads(json.dumps(asked["payload"]))])
    assert isinstance(read, Record)
    assert read.id == told.id


def test_too_many_hosts_are_left_out_and_counted() -> None:
    core = payload.core(
        record(hosts=[host("succeeded", host=f"deploy@bot{n}.example.org") for n in range(300)]), Redactor()
    )
    assert core["hosts"] == []
    first, second = core["warnings"]
    assert first == "beware"
    assert "300 hosts" in second
