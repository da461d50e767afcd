"""Bounds how many hosts are connected at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rollback_ops.core.errors import HostUnreachable

# Seconds to wait until another host no longer needs its connection.
_WITHIN = 60.0


class Connected(Protocol):
    """The owner of one connection, which it opens when it needs it."""

    @property
    def name(self) -> str: ...
    def close(self) -> None: ...


class Connections:
    """At most ``most`` open connections. One more closes the one that has been idle for longest. Threads share it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        # How many operations use each open connection; the one that was used last comes last.
        self._open: dict[Connected, int] = {}
        self._closing: set[Connected] = set()

    @contextmanager
    def used_by(self, owner: Connected) -> Iterator[None]:
        """Let this owner have its connection open. Raises ``HostUnreachable`` where no other one becomes idle."""
        if idle := self._take(owner):
            self._close(idle)
        try:
            yield
        finally:
            self._give_back(owner)

    def has(self, owner: Connected) -> bool:
        """Return whether this owner has its connection open, as far as is known here."""
        with self._changed:
            return owner in self._open

    def _take(self, owner: Connected) -> Connected | None:
        """Count the owner's connection as open. Returns the one to close for it. Raises ``HostUnreachable``."""
        deadline = time.monotonic() + _WITHIN
        with self._changed:
            while not self._may_open(owner) and (owner in self._closing or not self._idle):
                if not self._changed.wait(deadline - time.monotonic()):
                    raise HostUnreachable(f"{owner.name}: not connected: {self._most} other connections are in use")
            idle = None if self._may_open(owner) else self._idle
            if idle:
                del self._open[idle]
                self._closing.add(idle)
            self._open[owner] = self._open.pop(owner, 0) + 1
        return idle

    def _may_open(self, owner: Connected) -> bool:
        return owner not in self._closing and (owner in self._open or len(self._open) < self._most)

    @property
    def _idle(self) -> Connected | None:
        return next((owner for owner, uses in self._open.items() if not uses), None)

    def _close(self, idle: Connected) -> None:
        # Not under the lock: it takes a tenth of a second.
        idle.close()
        with self._changed:
            self._closing.discard(idle)
            self._changed.notify_all()

    def _give_back(self, owner: Connected) -> None:
        with self._changed:
            self._open[owner] -= 1
            self._changed.notify_all()
