"""Access to the dashboard: the link that works once, and its session. Pure but for randomness and the clock.

Nothing is stored. All of it ends with the process.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from typing import Literal

# Seconds. A link that nobody opened is in the terminal's history.
LINK_WITHIN = 600.0

Entry = Literal["welcome", "used", "expired", "wrong"]


class Sessions:
    """One link, and at most one session. ``clock``: seconds that never go backwards."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.link_token = secrets.token_urlsafe(32)
        self._clock = clock
        self._made_at = clock()
        self._session = ""
        self._lock = threading.Lock()

    def enter(self, token: str) -> tuple[Entry, str]:
        """Exchange the token of the link for a session. It works once."""
        if not _same(token, self.link_token):
            return "wrong", ""
        with self._lock:
            if self._session:
                return "used", ""
            if self._clock() - self._made_at > LINK_WITHIN:
                return "expired", ""
            self._session = secrets.token_urlsafe(32)
            return "welcome", self._session

    def is_open(self, session: str) -> bool:
        """Return whether this is the session that the link became."""
        return bool(self._session) and _same(session, self._session)


def _same(given: str, known: str) -> bool:
    """Compare in a time that says nothing about where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), known.encode())
