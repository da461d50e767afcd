"""Journals are read whatever is in them: a line that is not ours is counted, and hides no other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.core.identity import ReleaseIdentity
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import ServiceId
from rollback_ops.core.reading import read_record
from rollback_ops.core.statistics import statistics
from rollback_ops.engine.diagnosis import objection
from rollback_ops.integrations.github.deployments import unrecorded
from tests.support.records import USUAL, record

INTENT = {
    "event": "intent",
    "id": "run-1",
    "service": "bot",
    "environment": "prod",
    "mode": "standard",
    "trigger": "manual",
    "reason": "logins fail",
    "actor": "alice",
    "run_url": None,
    "from": "b3",
    "to": "b2",
    "at": "2024-01-02T03:04:05.678Z",
}


def line(**words: Any) -> str:
    return json.dumps(USUAL | words)


def test_a_record_is_read_as_it_was_written() -> None:
    assert read_journal([record().line()]) == ([record()], 0)


def test_records_are_told_newest_first_whatever_their_order() -> None:
    times = [f"2024-01-0{day}T00:00:00.000Z" for day in (2, 3, 1)]
    records, _ = read_journal(line(id=time, started_at=time) for time in times)
    assert [r.started_at for r in records] == sorted(times, reverse=True)


def test_a_run_that_several_hosts_have_on_record_counts_once() -> None:
    assert read_journal([line(), line(), line(id="another")])[0] == [record(), record(id="another")]


def test_an_empty_journal_has_no_records() -> None:
    assert read_journal([]) == read_journal(["", "  \t "]) == ([], 0)


@pytest.mark.parametrize(
    "damaged",
    [
        "{",
        line()[:200],
        line()[100:],
        "\x00\x00\x00",
        "not JSON at all",
        "null",
        "17",
        '"text"',
        "[1, 2]",
        "{}",
        '{"some": "other program"}',
        '{"event": "intent"}',
        '{"event": 3, "id": 4}',
        json.dumps({**INTENT, "at": "yesterday"}),
        json.dumps({key: value for key, value in INTENT.items() if key != "service"}),
        "[" * 100_000,
        "1" * 10_000,
        line(id=None),
        line(outcome="an outcome that does not exist"),
        line(duration_seconds="long"),
        line(duration_seconds=float("nan")),
        line(duration_seconds=float("inf")),
        line(started_at="yesterday"),
        line(started_at="2024-01-02T03:04:05"),
        line(finished_at="2024-01-02T03:04:05"),
        line(started_at="0001-01-01T00:00:00+23:59"),
        line(started_at="9999-12-31T23:59:59-23:59"),
        line(started_at=1_704_164_645),
        line(duration_seconds=-1),
        line(duration_seconds=1e300),
        line(duration_seconds="1.5"),
        line(hosts=[{**USUAL["hosts"][0], "downtime_seconds": 1e18}]),
        line(hosts=[{**USUAL["hosts"][0], "steps": [{"name": "stop", "seconds": -5, "outcome": "ok"}]}]),
        line(exit_code=-1),
        line(exit_code=2**70),
        line(exit_code="0"),
        line(exit_code=True),
        line(dry_run="no"),
        line(schema_version=3),
        line(schema_version="2"),
        line(schema_version=None),
        line(id=""),
        line(id="a b"),
        line(id="x" * 200),
        line(service=""),
        line(service="../bot"),
        line(environment="prod\n"),
        line(environment=["prod"]),
        line(reason="x" * 60_000),
        line(started_at="2024-13-45T99:99:99Z"),
        line(schema_version="latest"),
        line(schema_version=2, outcome="an outcome of later"),
        line(reason="\ud800"),
    ],
)
def test_a_line_that_cannot_be_read_is_counted_and_hides_no_other(damaged: str) -> None:
    assert read_journal([line(id="before"), damaged, line(id="after")]) == (
        [record(id="before"), record(id="after")],
        1,
    )


def test_what_a_newer_version_has_added_is_passed_over() -> None:
    (found,), unreadable = read_journal([line(schema_version=2, mood="cheerful")])
    assert (found, unreadable) == (record(schema_version=2), 0)


def test_a_run_that_has_a_record_is_told_from_it_and_not_from_its_events() -> None:
    events = [json.dumps(INTENT), json.dumps({"event": "end", "id": "run-1", "outcome": "switched"})]
    assert read_journal([*events, line(id="run-1")]) == ([record(id="run-1")], 0)
    assert read_journal([line(id="run-1"), *events]) == ([record(id="run-1")], 0)


def test_a_run_whose_record_was_never_written_is_told_from_its_events() -> None:
    end = {"event": "end", "id": "run-1", "outcome": "switched", "at": "2024-01-02T03:05:00Z"}
    (found,), unreadable = read_journal([json.dumps(INTENT), json.dumps(end)])
    assert unreadable == 0
    assert (found.id, found.outcome, found.from_.release, found.to.release) == ("run-1", "cancelled", "b3", "b2")
    assert (found.reason, found.actor, found.finished_at) == ("logins fail", "alice", "2024-01-02T03:05:00Z")
    (warning,) = found.warnings
    assert "switched" in warning


def test_a_run_that_was_cut_off_says_so() -> None:
    (found,), _ = read_journal([json.dumps(INTENT)])
    assert (found.outcome, len(found.warnings)) == ("cancelled", 1)


VERDICT = {
    "event": "verdict",
    "id": "run-1",
    "host": "bot1",
    "host_outcome": "verification_failed",
    "outcome": "verification_failed",
    "exit_code": "2",
    "live": "b2",
    "from_revision": "",
    "to_revision": "5c6a1f",
    "live_revision": "5c6a1f",
    "downtime": "0.25",
    "detail": "",
    "duration": "3.10",
    "find": "0.05",
    "at": "2024-01-02T03:05:00Z",
    "marks": "bad b3 bad b2",
}
BREAK_GLASS: list[Mapping[str, object]] = [
    INTENT,
    {"event": "step", "id": "run-1", "step": "stop", "outcome": "warning", "seconds": 0.2, "detail": "it was killed"},
    {"event": "end", "id": "run-1", "outcome": "switched", "at": "2024-01-02T03:04:59Z"},
    {
        "event": "check",
        "id": "run-1",
        "name": "web",
        "kind": "http",
        "outcome": "failed",
        "seconds": "0.00",
        "detail": "x",
    },
    {"event": "rejected", "id": "run-1", "release": "b3", "why": "it is the live one"},
    {"event": "warning", "id": "run-1", "text": "take care"},
    VERDICT,
]


def test_a_break_glass_run_is_told_from_its_events_with_what_it_came_to() -> None:
    (found,), unreadable = read_journal(map(json.dumps, BREAK_GLASS))
    assert unreadable == 0
    assert (found.outcome, found.exit_code, found.duration_seconds) == ("verification_failed", 2, 3.1)
    assert (found.from_.release, found.from_.revision, found.to.release, found.to.revision) == (
        "b3",
        None,
        "b2",
        "5c6a1f",
    )
    assert [(r.release, r.why) for r in found.rejected] == [("b3", "it is the live one")]
    assert found.warnings == ("take care",)
    (host,) = found.hosts
    assert (host.host, host.outcome, host.to.release, host.downtime_seconds) == (
        "bot1",
        "verification_failed",
        "b2",
        0.25,
    )
    assert [(step.name, step.outcome, step.detail) for step in host.steps] == [
        ("find", "ok", ""),
        ("stop", "warning", "it was killed"),
    ]
    assert [(check.name, check.outcome, check.detail) for check in host.checks] == [("web", "failed", "x")]


def test_a_break_glass_run_without_its_verdict_was_interrupted() -> None:
    (found,), _ = read_journal(map(json.dumps, BREAK_GLASS[:-1]))
    assert found.outcome == "cancelled"


@pytest.mark.parametrize("value", [None, 3, [], {}, "", "\ud800", "x" * 100_000])
@pytest.mark.parametrize("number", range(len(BREAK_GLASS)))
def test_break_glass_events_with_anything_in_them_never_raise(number: int, value: object) -> None:
    for key in BREAK_GLASS[number]:
        lines = [{**event, **({key: value} if each == number else {})} for each, event in enumerate(BREAK_GLASS)]
        records, _ = read_journal(map(json.dumps, lines))
        assert len(records) <= 2


@pytest.mark.parametrize("value", [None, 3, float("nan"), [], {}, "\ud800", "x" * 100_000])
@pytest.mark.parametrize("key", [*INTENT, "outcome"])
def test_events_with_anything_in_them_never_raise(key: str, value: object) -> None:
    end = {"event": "end", "id": "run-1", "outcome": "switched", "at": "2024-01-02T03:05:00Z"}
    records, unreadable = read_journal([json.dumps(INTENT | {key: value}), json.dumps(end | {key: value})])
    assert len(records) <= 2
    assert unreadable <= 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(sorted(USUAL)), inner),
    max_leaves=10,
)
ours = st.builds(lambda key, value: json.dumps({**USUAL, key: value}), st.sampled_from(sorted(USUAL)), json_values)
events = st.builds(lambda key, value: json.dumps({**INTENT, key: value}), st.sampled_from(sorted(INTENT)), json_values)
lines = st.lists(st.text() | json_values.map(json.dumps) | ours | events, max_size=8)


@given(lines)
def test_whatever_is_in_a_journal_it_never_raises_and_what_is_read_can_be_written(told: list[str]) -> None:
    records, unreadable = read_journal(told)
    assert len(records) + unreadable <= len([text for text in told if text.strip()])
    assert [r.started_at for r in records] == sorted((r.started_at for r in records), reverse=True)
    again, none = read_journal(r.line() for r in records)
    assert (again, none) == (records, 0)


# --- whose it is, and what is too long -----------------------------------------------------------------------


def test_records_of_other_services_and_environments_are_left_out() -> None:
    lines = [line(id="ours"), line(id="r2", service="web"), line(id="r3", environment="test")]
    events = [json.dumps(INTENT | {"id": "r4", "environment": "test"}), json.dumps(INTENT)]
    records, unreadable = read_journal([*lines, *events], ServiceId("bot", "prod"))
    assert ({r.id for r in records}, unreadable) == ({"ours", "run-1"}, 0)


def test_events_that_name_another_service_are_not_taken_for_those_of_a_run() -> None:
    """Somebody else's line cannot say how a run ended."""
    end = {"event": "end", "id": "run-1", "outcome": "switched", "at": "2024-01-02T03:04:06Z"}
    own = read_journal(map(json.dumps, [INTENT, end | {"service": "bot", "environment": "prod"}]))[0]
    others = read_journal(map(json.dumps, [INTENT, end | {"service": "web", "environment": "prod"}]))[0]
    assert "switched" in own[0].warnings[0]
    assert "switched" not in others[0].warnings[0]


def test_a_record_that_is_too_long_is_not_told_as_a_run_that_was_cancelled() -> None:
    """A host cuts the line."""
    cut = json.dumps(USUAL | {"id": "run-1", "reason": "x" * 100_000}, separators=(",", ":"))[:60_000]
    assert read_journal([json.dumps(INTENT), cut]) == ([], 1)


_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.lists(st.integers())
_MOMENTS = st.datetimes().map(lambda moment: moment.isoformat()) | st.just("9999-12-31T23:59:59-23:59")


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """A record or an event of which something was changed: a value, a key, or the text itself."""
    entry: dict[str, Any] = dict(draw(st.sampled_from([USUAL, INTENT, *BREAK_GLASS])))
    for key in draw(st.lists(st.sampled_from(sorted(entry)), max_size=3)):
        entry[key] = draw(_VALUES | _MOMENTS)
    text = json.dumps(entry)
    cut = draw(st.integers(0, len(text)))
    return draw(st.sampled_from([text, text[:cut], text[cut:], text[:cut] + text[cut + 1 :], text + text[:cut]]))


@given(lines=st.lists(mangled(), max_size=6))
def test_whatever_a_line_was_made_into_what_is_read_makes_sense(lines: list[str]) -> None:
    records, unreadable = read_journal(lines)
    assert 0 <= unreadable <= 2 * len(lines)
    now = datetime.now(UTC)
    for found in records:
        assert abs(now - datetime.fromisoformat(found.started_at).astimezone(UTC)) < timedelta(days=80_000)
        assert 0 <= found.duration_seconds <= 1e6
        assert read_record(found.model_dump_json(by_alias=True)) == found
    assert objection({"h1": records}, {"h1": ReleaseIdentity("b3")}, "b3", now, 3) is not None
    assert unrecorded(records, [], record(), "https://github.com/acme/bot/actions/runs/", now) is not None
    took = statistics(records).duration
    assert took is None or took.worst <= 1e6
