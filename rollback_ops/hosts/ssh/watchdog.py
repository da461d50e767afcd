"""An end for what would wait for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

# Seconds beyond a deadline that is kept by other means: these know better what to say.
GRACE = 1.0


class Watchdog:
    """Closes a connection when its time is up: a peer that says nothing can keep paramiko waiting without end."""

    def __init__(self, seconds: float, close: Callable[[], object]) -> None:
        self._close = close
        self._timer = threading.Timer(seconds, self._bark)
        self._timer.daemon = True
        self.barked = False

    def __enter__(self) -> Watchdog:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def _bark(self) -> None:
        self.barked = True
        with suppress(Exception):
            self._close()
