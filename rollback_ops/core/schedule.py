"""Scheduled rollbacks: what somebody asked for, and what became of it. Pure.

A store keeps each entry with notes, in the order in which they were written. The order decides: of two runs that claim
an entry at the same time, the one whose note is first carries it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, Protocol

from pydantic import Field

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.record import RecordPart, Timestamp
from rollback_ops.core.run import ScheduledTime, rfc3339

NoteKind = Literal["added", "claimed", "waiting", "done", "failed", "cancelled", "expired", "stale"]
# The states of an entry are the kinds of its notes. These are the last ones that it can have.
ENDED: tuple[NoteKind, ...] = ("done", "failed", "cancelled", "expired", "stale")
# Seconds between two runs of the workflow that carries entries out: it may come so late, even when GitHub is punctual.
CADENCE = 15 * 60.0
# Seconds for which an entry is valid after its time, where nobody said.
VALID_FOR = 3600.0
# Seconds. GitHub forgets the notes of an entry after 90 days, and turns workflows off after 60 idle ones.
LONGEST_AHEAD = 60 * 86400.0
# Seconds. A run renews its claim so often while it is at work, and counts as silent when it has not for so long.
RENEWED_EVERY = 10 * 60.0
SILENT_AFTER = 3600.0


class ScheduledRollback(RecordPart):
    """The request of a person: leave ``live`` for ``to`` at a time, unless it is too late by then.

    ``live`` and ``to`` are releases, or revisions where hosts have several names for them. ``hosts``: only these;
    empty: all of them. ``by``: the person who asked, whose permission is checked again.
    """

    id: str = Field(pattern=r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$")
    service: str
    environment: str
    at: Timestamp
    not_after: Timestamp
    by: str
    reason: str
    live: str = Field(min_length=1)
    to: str = Field(min_length=1)
    to_revision: str = ""
    hosts: tuple[str, ...] = ()
    created_at: Timestamp

    @property
    def due(self) -> float:
        return _seconds(self.at)

    @property
    def until(self) -> float:
        return _seconds(self.not_after)

    @property
    def requested(self) -> ScheduledTime:
        """The request, as the record has it."""
        return ScheduledTime(self.at, self.not_after, self.by)


class Note(RecordPart):
    """One event in the life of an entry. ``by``: the run that wrote it, or the person who cancelled."""

    what: NoteKind
    by: str = ""
    why: str = ""
    at: Timestamp


@frozen
class ScheduleEntry:
    """A scheduled rollback with its notes, oldest first."""

    asked: ScheduledRollback
    notes: tuple[Note, ...] = ()

    @property
    def last(self) -> Note:
        """The note that decides its state. Notes of runs that came too late do not count."""
        return _standing(self.notes) or Note(what="added", by=self.asked.by, at=self.asked.created_at)

    @property
    def state(self) -> NoteKind:
        return self.last.what

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def is_due(self, now: float) -> bool:
        return self.state in ("added", "waiting") and self.asked.due <= now

    def is_silent(self, now: float) -> bool:
        """Return whether the run that has claimed it may have been killed: its claim is old."""
        return self.state == "claimed" and now - _seconds(self.last.at) > SILENT_AFTER

    def is_held_by(self, run: str) -> bool:
        return self.state == "claimed" and self.last.by == run


class ScheduleStore(Protocol):
    """Where entries are kept. Every method may raise ``RollbackOpsError``."""

    def add(self, asked: ScheduledRollback) -> None:
        """Keep a new entry."""

    def entries(self) -> list[ScheduleEntry]:
        """Return the entries, oldest first; those that ended long ago may be missing."""

    def note(self, asked: ScheduledRollback, note: Note) -> None:
        """Append a note to an entry."""

    def again(self, asked: ScheduledRollback) -> ScheduleEntry:
        """Read one entry anew."""


def note_of(what: NoteKind, by: str, why: str = "") -> Note:
    """Return a note of now."""
    return Note(what=what, by=by, why=why, at=rfc3339(datetime.now(UTC)))


def claim(store: ScheduleStore, entry: ScheduleEntry, run: str) -> bool:
    """Claim an entry for a run. Returns False where another run, or a cancellation, was first.

    Raises ``RollbackOpsError`` where the store does not answer; the claim, which it may have, is then given up.
    """
    try:
        store.note(entry.asked, note_of("claimed", run))
        return store.again(entry.asked).is_held_by(run)
    except RollbackOpsError as error:
        with suppress(RollbackOpsError):
            store.note(entry.asked, note_of("waiting", run, error.message))
        raise


def _standing(notes: Iterable[Note]) -> Note | None:
    """Follow the notes in their order. While a run has the claim, others can only note that it was given up."""
    last: Note | None = None
    for note in notes:
        if last and last.what in ENDED:
            break
        if last and last.what == "claimed" and note.by != last.by and note.what != "failed":
            continue
        last = note
    return last


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
