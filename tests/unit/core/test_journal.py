"""Journals are read whatever is in them: a line that is not ours is counted, and hides no other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.core.journal import read_journal
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
    assert found.warnings == ("nobody wrote the record of this run; the host ended it as: switched",)


def test_a_run_that_was_cut_off_says_so() -> None:
    (found,), _ = read_journal([json.dumps(INTENT)])
    assert found.warnings == ("nobody wrote the record of this run; the host did not come to its end",)


@pytest.mark.parametrize("value", [None, 3, [], {}, "\ud800", "x" * 100_000])
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
