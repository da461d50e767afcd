"""A time limit for calls of paramiko that have none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from types import TracebackType

# Seconds after the deadline: the code that keeps the deadline itself has the better message, so it comes first.
GRACE = 1.0


class Watchdog:
    """Closes a connection when its time is over: paramiko waits without limit for a silent peer."""

    def __init__(self, seconds: float, close: Callable[[], object]) -> None:
        self.deadline = 0.0
        self.expired = False
        self._seconds = seconds
        self._close = close

    def __enter__(self) -> Watchdog:
        self.deadline = monotonic() + self._seconds
        _clock.watch(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _clock.forget(self)

    def expire(self) -> None:
        self.expired = True
        with suppress(Exception):
            self._close()


class _Clock:
    """Lets watchdogs expire, all from one thread: a timer for each would be a thread for each call.

    The thread ends when it finds nothing to watch any more.
    """

    def __init__(self) -> None:
        self._watched: set[Watchdog] = set()
        self._changed = threading.Condition()
        self._wakes: float | None = None

    def watch(self, dog: Watchdog) -> None:
        with self._changed:
            self._watched.add(dog)
            if self._wakes is None:
                self._wakes = dog.deadline
                threading.Thread(target=self._run, daemon=True).start()
            elif dog.deadline < self._wakes:
                self._wakes = dog.deadline
                self._changed.notify_all()

    def forget(self, dog: Watchdog) -> None:
        with self._changed:
            self._watched.discard(dog)

    def _run(self) -> None:
        with self._changed:
            while self._watched:
                now = monotonic()
                for dog in [each for each in self._watched if each.deadline <= now]:
                    self._watched.discard(dog)
                    # On its own: to close a connection may take time, and the next deadline does not wait.
                    threading.Thread(target=dog.expire, daemon=True).start()
                self._wakes = min((each.deadline for each in self._watched), default=now)
                self._changed.wait(self._wakes - now)
            self._wakes = None


_clock = _Clock()
