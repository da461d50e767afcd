"""Work on several hosts at once, with a bounded number of threads, under a deadline that always holds.

The threads are daemons. A host that hangs delays neither the others nor the end of the program. Work that still waits
for a thread at the deadline never begins.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from rollback_ops.core.errors import Cancelled, ConnectionLost, HostUnreachable, RollbackOpsError

T = TypeVar("T")
K = TypeVar("K")

# How many hosts are worked on at the same time by default.
AT_ONCE = 100
_LOOK_EVERY = 0.2


def begun(work: Callable[..., object], *arguments: object) -> bool:
    """Begin work on a thread of its own. Returns False where this machine cannot start another one now."""
    try:
        threading.Thread(target=work, args=arguments, daemon=True).start()
    except RuntimeError:
        return False
    return True


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
    """The work for one subject."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done = threading.Event()
        self._outcome: T | RollbackOpsError
        self._crash: Exception | None = None

    def drop(self, why: str) -> None:
        """End it without having begun it."""
        self._outcome = HostUnreachable(f"not started: {why}")
        self._done.set()

    def run(self) -> None:
        try:
            self._outcome = self._work()
        except RollbackOpsError as error:
            self._outcome = error
        except Exception as error:
            # A defect is raised where it is seen: in the caller's thread.
            self._crash = error
        finally:
            self._done.set()

    def wait(self, until: float) -> bool:
        """Wait until it has ended, at most until ``until`` (``time.monotonic``). Returns whether it has."""
        return self._done.wait(min(_LOOK_EVERY, max(0.0, until - time.monotonic())))

    def result(self) -> T | RollbackOpsError:
        """Return how it ended. Raises a defect, and ``Cancelled``."""
        if self._crash is not None:
            raise self._crash
        if isinstance(self._outcome, Cancelled):
            raise self._outcome
        return self._outcome


class Pending(Generic[K, T]):
    """Work that is going on for several subjects, ``at_once`` of them at the same time. The others wait their turn."""

    def __init__(self, tasks: dict[K, _Task[T]], at_once: int) -> None:
        self._tasks = tasks
        every = list(tasks.values())
        self._turns = max(1, math.ceil(len(every) / at_once))
        self._first, self._waiting = deque(every[:at_once]), deque(every[at_once:])
        # A thread takes the next task, whichever that is: one that starts late must not keep its task from the others,
        # and let those behind it begin before it.
        started = [begun(self._work) for _ in every[:at_once]]
        # Some have begun, perhaps to change hosts: so they do the work of those that could not be started.
        if started and not any(started):
            self._drop(self._first, self._waiting, why="this machine could start no thread for it")

    def _work(self) -> None:
        while task := _next(self._first) or _next(self._waiting):
            task.run()

    def results(
        self, within: float, cancellation: Cancellation, *, finish: bool = False
    ) -> dict[K, T | RollbackOpsError]:
        """Wait for the results: what each subject returned, or the error that it ended with.

        A subject that is not done in time counts as ``ConnectionLost``: ``within`` seconds, as often as it takes for
        all to have their turn. One that has not begun by then never does, and counts as ``HostUnreachable``. On a
        signal ``Cancelled`` is raised, unless the work is to be finished: then what is done by the end of the grace
        counts, and nothing else is begun.
        """
        deadline = time.monotonic() + within * self._turns
        return {subject: self._result(task, deadline, cancellation, finish) for subject, task in self._tasks.items()}

    def _result(
        self, task: _Task[T], deadline: float, cancellation: Cancellation, finish: bool
    ) -> T | RollbackOpsError:
        while not task.wait(until := min(deadline, cancellation.leave_at)):
            is_over = time.monotonic() >= until
            if cancellation.asked or is_over:
                self._drop(self._waiting, why="its turn did not come in time")
            if not finish:
                cancellation.check()
            if is_over and not task.wait(0.0):
                return ConnectionLost("it did not answer in time")
        return task.result()

    def _drop(self, *queues: deque[_Task[T]], why: str) -> None:
        for queue in queues:
            while task := _next(queue):
                task.drop(why)


def _next(tasks: deque[_Task[T]]) -> _Task[T] | None:
    try:
        return tasks.popleft()
    except IndexError:
        return None


def begin(subjects: Iterable[K], work: Callable[[K], T], at_once: int = AT_ONCE) -> Pending[K, T]:
    """Begin the work for all subjects, without waiting."""
    return Pending({subject: _Task(_bound(work, subject)) for subject in subjects}, at_once)


def each(
    subjects: Iterable[K],
    work: Callable[[K], T],
    within: float,
    cancellation: Cancellation,
    *,
    finish: bool = False,
    at_once: int = AT_ONCE,
) -> dict[K, T | RollbackOpsError]:
    """Do the work for all subjects at once; see ``Pending.results``."""
    return begin(subjects, work, at_once).results(within, cancellation, finish=finish)


def _bound(work: Callable[[K], T], subject: K) -> Callable[[], T]:
    return lambda: work(subject)
