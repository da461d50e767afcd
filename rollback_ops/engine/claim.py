"""Keeps the claim of a run on a scheduled rollback for as long as the run works."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.model import Survey
from rollback_ops.core.schedule import RENEWED_EVERY, ScheduledRollback, ScheduleStore, note_of


@contextmanager
def kept(store: ScheduleStore, asked: ScheduledRollback, run: str, every: float = RENEWED_EVERY) -> Iterator[None]:
    """Renew the claim of a run every so many seconds, until the block ends.

    A store that does not answer does not end it. Nothing else may use the store meanwhile.
    """
    over = threading.Event()

    def renew() -> None:
        while not over.wait(every):
            with suppress(RollbackOpsError):
                store.note(asked, note_of("claimed", run))

    renewing = threading.Thread(target=renew, daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        # A renewal that arrives after the end would be a new claim.
        renewing.join()


def at_work(surveys: Sequence[Survey], lost: Collection[str]) -> tuple[bool | None, str]:
    """Return whether a run still works on the hosts, and why. None: unknown, because a host cannot be reached."""
    for survey in surveys:
        if lease := survey.lease:
            return True, f"{survey.host} is held by {lease.owner or 'another run'} (run {lease.run})"
    unknown = f"whether the run that began it is still at work is unknown: {', '.join(lost)} cannot be reached"
    return (None, unknown) if lost else (False, "")
