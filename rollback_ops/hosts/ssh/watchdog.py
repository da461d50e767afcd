"""A time limit for calls of paramiko that have none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from types import TracebackType

from rollback_ops.core.tasks import begun

# Seconds after the deadline: the code that keeps the deadline itself has the better message, so it comes first.
GRACE = 1.0

# Seconds until a thread is asked for again.
_AGAIN_AFTER = 0.5


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
            if self._wakes is None:
                # Where this fails, so does the call: without a watchdog it might never end.
                threading.Thread(target=self._run, daemon=True).start()
                self._wakes = dog.deadline
            elif dog.deadline < self._wakes:
                self._wakes = dog.deadline
                self._changed.notify_all()
            self._watched.add(dog)

    def forget(self, dog: Watchdog) -> None:
        with self._changed:
            self._watched.discard(dog)

    def _run(self) -> None:
        with self._changed:
            while self._watched:
                now = monotonic()
                for dog in [each for each in self._watched if each.deadline <= now]:
                    # On its own: to close a connection may take time, and the next deadline does not wait.
                    if begun(dog.expire):
                        self._watched.discard(dog)
                    else:
                        dog.deadline = now + _AGAIN_AFTER
                self._wakes = min((each.deadline for each in self._watched), default=now)
                self._changed.wait(self._wakes - now)
            self._wakes = None


_clock = _Clock()
