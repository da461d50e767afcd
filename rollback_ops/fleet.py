"""How many at once, kept apart from the work: one thread for each host, and a deadline that holds.

The threads are daemons. A host that hangs can neither hold up the others nor the end of the program.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from rollback_ops.errors import Cancelled, ConnectionLost, RollbackOpsError

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
        """Note the signal; what must not be left in the middle may go on for ``grace`` seconds."""
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
        """Raise ``Cancelled`` where a signal came."""
        if self.asked:
            raise Cancelled(self.signal)

    def wait(self, seconds: float) -> bool:
        """Sleep, and wake at once for a signal; whether one came."""
        return self._asked.wait(seconds)


class _Task(Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.done = threading.Event()
        self.outcome: T | RollbackOpsError | None = None
        self.crash: Exception | None = None

    def run(self) -> None:
        try:
            self.outcome = self._work()
        except RollbackOpsError as error:
            self.outcome = error
        except Exception as error:
            self.crash = error
        finally:
            self.done.set()


def each(
    subjects: Iterable[K], work: Callable[[K], T], within: float, cancellation: Cancellation, *, finish: bool = False
) -> dict[K, T | RollbackOpsError]:
    """Do the work for all subjects at once; what each came to, or the error that it ended with.

    A subject that is not done ``within`` seconds counts as ``ConnectionLost``. On a signal ``Cancelled`` is
    raised, unless the work is to be finished: then what is done by the end of the grace counts.
    """
    tasks: dict[K, _Task[T]] = {subject: _Task(_bound(work, subject)) for subject in subjects}
    for task in tasks.values():
        threading.Thread(target=task.run, daemon=True).start()
    deadline = time.monotonic() + within
    outcomes: dict[K, T | RollbackOpsError] = {}
    for subject, task in tasks.items():
        outcomes[subject] = _await(task, deadline, cancellation, finish)
    return outcomes


def _bound(work: Callable[[K], T], subject: K) -> Callable[[], T]:
    return lambda: work(subject)


def _await(task: _Task[T], deadline: float, cancellation: Cancellation, finish: bool) -> T | RollbackOpsError:
    while not task.done.wait(min(_LOOK_EVERY, max(0.0, deadline - time.monotonic()))):
        if not finish:
            cancellation.check()
        if time.monotonic() >= min(deadline, cancellation.leave_at):
            return ConnectionLost("it did not answer in time")
    if task.crash is not None:
        raise task.crash
    if task.outcome is None:
        raise RuntimeError("the work ended without an outcome")
    return task.outcome
