"""Scheduled rollbacks: what their notes come to, and who carries one out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollback_ops.core.run import rfc3339
from rollback_ops.core.schedule import Note, NoteKind, ScheduledRollback, ScheduleEntry, claim

NOON = datetime(2026, 12, 24, 12, tzinfo=UTC)
ONE, TWO = "20261224T120000Z-00000001", "20261224T120000Z-00000002"


def asked(**changes: Any) -> ScheduledRollback:
    usual: dict[str, Any] = {
        "id": "20261223T090000Z-0123abcd",
        "service": "bot",
        "environment": "prod",
        "at": rfc3339(NOON),
        "not_after": rfc3339(NOON + timedelta(hours=1)),
        "by": "alice",
        "reason": "the promotion ends",
        "live": "b3",
        "to": "b2",
        "created_at": rfc3339(NOON - timedelta(days=1)),
    }
    return ScheduledRollback.model_validate(usual | changes)


def note(what: NoteKind, by: str = ONE, at: datetime = NOON) -> Note:
    return Note(what=what, by=by, at=rfc3339(at))


def entry(*notes: Note) -> ScheduleEntry:
    return ScheduleEntry(asked(), notes)


@dataclass
class Memory:
    """A store in memory. ``before`` are notes of others that arrive before the next one of ours."""

    notes: list[Note] = field(default_factory=list)
    before: list[Note] = field(default_factory=list)

    def add(self, asked: ScheduledRollback) -> None:
        raise NotImplementedError

    def entries(self) -> list[ScheduleEntry]:
        return [entry(*self.notes)]

    def note(self, asked: ScheduledRollback, note: Note) -> None:
        self.notes += [*self.before, note]
        self.before.clear()

    def again(self, asked: ScheduledRollback) -> ScheduleEntry:
        return entry(*self.notes)


def test_an_entry_is_due_at_its_time_and_not_before() -> None:
    planned = entry()
    assert (planned.state, planned.ended) == ("added", False)
    assert [planned.is_due(NOON.timestamp() + late) for late in (-1, 0, 5000)] == [False, True, True]


@pytest.mark.parametrize(
    ("notes", "state"),
    [
        ([note("added", "alice")], "added"),
        ([note("claimed")], "claimed"),
        ([note("claimed"), note("waiting")], "waiting"),
        ([note("claimed"), note("waiting"), note("claimed", TWO), note("done", TWO)], "done"),
        ([note("cancelled", "alice"), note("claimed")], "cancelled"),
        ([note("claimed"), note("cancelled", "alice")], "claimed"),
        ([note("claimed"), note("cancelled", "alice"), note("done")], "done"),
        ([note("claimed"), note("claimed", TWO), note("done", TWO)], "claimed"),
        ([note("claimed"), note("failed", TWO)], "failed"),
        ([note("claimed"), note("stale"), note("claimed", TWO)], "stale"),
        ([note("claimed"), note("expired"), note("done")], "expired"),
    ],
)
def test_the_order_of_the_notes_says_how_an_entry_stands(notes: list[Note], state: str) -> None:
    assert entry(*notes).state == state


def test_of_two_runs_that_claim_an_entry_the_first_has_it() -> None:
    alone, second = Memory(), Memory(before=[note("claimed", TWO)])
    assert claim(alone, entry(), ONE)
    assert not claim(second, entry(), ONE)
    assert second.entries()[0].is_held_by(TWO)


def test_an_entry_that_is_cancelled_at_the_same_time_is_not_carried_out() -> None:
    assert not claim(Memory(before=[note("cancelled", "alice")]), entry(), ONE)


def test_what_waited_can_be_claimed_again() -> None:
    store = Memory([note("claimed"), note("waiting")])
    assert store.entries()[0].is_due(NOON.timestamp())
    assert claim(store, entry(), TWO)


def test_a_claim_of_a_run_that_never_ended_is_given_up_after_an_hour() -> None:
    begun = entry(note("claimed"))
    assert [begun.is_silent(NOON.timestamp() + late) for late in (0, 3500, 3700)] == [False, False, True]
    assert not entry(note("claimed"), note("done")).is_silent(NOON.timestamp() + 9999)
