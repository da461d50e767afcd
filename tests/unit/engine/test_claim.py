"""A claim on a scheduled rollback is renewed while its run is at work, and a run is not given up by age alone."""

from __future__ import annotations

import pytest

from rollback_ops.core.errors import Refused
from rollback_ops.core.model import Lease, Survey
from rollback_ops.core.schedule import Note, ScheduledRollback, ScheduleEntry
from rollback_ops.engine.claim import at_work, kept
from tests.support.lab.ground import wait_until

ASKED = ScheduledRollback(
    id="20261223T090000Z-0123abcd", service="bot", environment="prod", at="2026-12-24T12:00:00Z",
    not_after="2026-12-24T13:00:00Z", by="alice", reason="it ends", live="b3", to="b2",
    created_at="2026-12-23T12:00:00Z",
)  # fmt: skip
RUN = "20261224T120000Z-00000001"
HELD = Lease("run-1", "ana")


class Store:
    """A store that does not answer at first."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.asked = 0

    def add(self, asked: ScheduledRollback) -> None:
        raise NotImplementedError

    def entries(self) -> list[ScheduleEntry]:
        raise NotImplementedError

    def note(self, asked: ScheduledRollback, note: Note) -> None:
        self.asked += 1
        if self.asked == 1:
            raise Refused("GitHub does not answer")
        self.notes.append(note)

    def again(self, asked: ScheduledRollback) -> ScheduleEntry:
        raise NotImplementedError


def test_a_claim_is_renewed_until_the_end_of_the_work_whatever_the_store_answers() -> None:
    store = Store()
    with kept(store, ASKED, RUN, every=0.001):
        wait_until(lambda: len(store.notes) > 1, 60, "a second renewal")
    assert {(note.what, note.by) for note in store.notes} == {("claimed", RUN)}
    assert ScheduleEntry(ASKED, tuple(store.notes)).is_held_by(RUN)


def test_a_claim_is_given_up_where_the_work_fails() -> None:
    store = Store()
    with pytest.raises(Refused), kept(store, ASKED, RUN, every=3600.0):
        raise Refused("no")
    assert store.notes == []


@pytest.mark.parametrize(
    ("lease", "lost", "working"),
    [
        (Lease("run-1", "ana"), (), True),
        (Lease("run-1", "ana"), ("h2",), True),
        (None, ("h2",), None),
        (None, (), False),
    ],
)
def test_a_run_is_at_work_where_a_host_is_held_and_nobody_can_say_where_one_is_lost(
    lease: Lease | None, lost: tuple[str, ...], working: bool | None
) -> None:
    assert at_work([Survey("h1", lease=lease)], lost)[0] is working
