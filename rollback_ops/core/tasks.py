"""Work on several hosts at once: one thread for each, under a deadline that always holds.

The threads are daemons. A host that hangs holds up neither the others nor the end of the program.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from rollback_ops.core.errors import Cancelled, ConnectionLost, RollbackOpsError

T = TypeVar("T")
K = TypeVar("K")

_LOOK_EVERY = 0.2


class Cancellation:
    """A signal that asked the program to stop, if one came. ``grace`` is in seconds."""

    def __init__(self) -> None:
        self.signal = 0
        self._asked = threading.Event()
        self._leave_at = float("inf")

    def ask(self, signal_number: int, grace: float) -> None:
        """Note the signal. Work that must be finished may go on for ``grace`` seconds."""
        self.signal = signal_number
        self._leave_at = min(self._leave_at, time.monotonic() + grace)
        self._asked.set()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    @property
    def leave_at(self) -> float:
        return self._leave_at

    def check(self) -> None:
        """Raise ``Cancelled`` if a signal came."""
        if self.asked:
            raise Cancelled(self.signal)

    def wait(self, seconds: float) -> bool:
        """Sleep, and wake at once for a signal. Returns whether one came."""
        return self._asked.wait(seconds)


class _Task(Generic[T]):
    """The work for one subject. It starts on its own thread at once."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done = threading.Event()
        self._outcome: T | RollbackOpsError
        self._crash: Exception | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._outcome = self._work()
        except RollbackOpsError as error:
            self._outcome = error
        except Exception as error:
            # A defect is raised where it is seen: in the caller's thread.
            self._crash = error
        finally:
            self._done.set()

    def wait(self, deadline: float, cancellation: Cancellation, finish: bool) -> T | RollbackOpsError:
        while not self._done.wait(_pause(min(deadline, cancellation.leave_at))):
            if not finish:
                cancellation.check()
            if time.monotonic() >= min(deadline, cancellation.leave_at):
                return ConnectionLost("it did not answer in time")
        if self._crash is not None:
            raise self._crash
        if isinstance(self._outcome, Cancelled):
            raise self._outcome
        return self._outcome


def _pause(until: float) -> float:
    return min(_LOOK_EVERY, max(0.0, until - time.monotonic()))


class Pending(Generic[K, T]):
    """Work that is going on for several subjects."""

    def __init__(self, tasks: dict[K, _Task[T]]) -> None:
        self._tasks = tasks

    def results(
        self, within: float, cancellation: Cancellation, *, finish: bool = False
    ) -> dict[K, T | RollbackOpsError]:
        """Wait for the results: what each subject returned, or the error that it ended with.

        A subject that is not done ``within`` seconds counts as ``ConnectionLost``. On a signal ``Cancelled`` is
        raised, unless the work is to be finished: then what is done by the end of the grace counts.
        """
        deadline = time.monotonic() + within
        return {subject: task.wait(deadline, cancellation, finish) for subject, task in self._tasks.items()}


def begin(subjects: Iterable[K], work: Callable[[K], T]) -> Pending[K, T]:
    """Begin the work for all subjects, without waiting."""
    return Pending({subject: _Task(_bound(work, subject)) for subject in subjects})


def each(
    subjects: Iterable[K], work: Callable[[K], T], within: float, cancellation: Cancellation, *, finish: bool = False
) -> dict[K, T | RollbackOpsError]:
    """Do the work for all subjects at once; see ``Pending.results``."""
    return begin(subjects, work).results(within, cancellation, finish=finish)


def _bound(work: Callable[[K], T], subject: K) -> Callable[[], T]:
    return lambda: work(subject)
