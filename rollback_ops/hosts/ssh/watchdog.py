"""A time limit for calls of paramiko that have none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

# Seconds after the deadline: the code that keeps the deadline itself has the better message, so it comes first.
GRACE = 1.0


class Watchdog:
    """Closes a connection when its time is over: paramiko waits without limit for a silent peer."""

    def __init__(self, seconds: float, close: Callable[[], object]) -> None:
        self._close = close
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self.expired = False

    def __enter__(self) -> Watchdog:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def _expire(self) -> None:
        self.expired = True
        with suppress(Exception):
            self._close()
