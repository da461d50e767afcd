"""Counts the seconds of a phase that takes long: on a terminal in one line that is replaced, in a log every 10 s."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

# Seconds between two counts, and until the first one on a terminal: a phase that is short is not counted.
_ON_TERMINAL, _IN_LOG = 0.5, 10.0
_FIRST = 1.0


class Counter:
    """Says how long the phase has taken so far, and what it waits for, from a thread of its own.

    ``replace`` shows a text in place of the one before, ``append`` shows it as a line.
    """

    def __init__(self, replace: Callable[[str], None], append: Callable[[str], None]) -> None:
        self._replace = replace
        self._append = append
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._phase, self._began, self._within = "", 0.0, 0.0
        self._left = 0
        self._missing: dict[str, str] = {}
        self._thread: threading.Thread | None = None

    def start(self, *, on_terminal: bool) -> None:
        thread = threading.Thread(target=self._run, args=(on_terminal,), daemon=True)
        # A machine without a thread left for it counts nothing, and the run goes on.
        with suppress(RuntimeError):
            thread.start()
            self._thread = thread

    def stop(self) -> None:
        self._over.set()
        if self._thread:
            self._thread.join(_FIRST)

    def begin(self, phase: str, hosts: int) -> None:
        """Begin a phase. It ends when this many ``hosts`` have ended, or when the next one begins."""
        with self._lock:
            self._phase, self._began, self._within = phase, time.monotonic(), 0.0
            self._left, self._missing = hosts, {}

    def note(self, host: str, within: float, missing: str) -> None:
        """Note what the run waits for on a host, and at most how many seconds after the phase began."""
        with self._lock:
            self._missing[host], self._within = missing, within

    def forget(self, host: str) -> None:
        """Note that the run no longer waits for a host."""
        with self._lock:
            self._missing.pop(host, None)
            self._left -= 1
            if not self._missing and self._left <= 0:
                self._phase = ""

    def text(self, now: float) -> str:
        """Return the count: ``verify 4 s of 20 s: health: status 503``. Empty before the first second of a phase."""
        with self._lock:
            seconds, hosts = now - self._began, list(self._missing)
            if not self._phase or seconds < _FIRST:
                return ""
            limit = f" of {self._within:.0f} s" if self._within else ""
            where = f"{hosts[0]} (of {len(hosts)} hosts): " if len(hosts) > 1 else ""
            told = f": {where}{self._missing[hosts[0]]}" if hosts else ""
            return f"{self._phase} {seconds:.0f} s{limit}{told}"

    def _run(self, on_terminal: bool) -> None:
        every, show = (_ON_TERMINAL, self._replace) if on_terminal else (_IN_LOG, self._append)
        while not self._over.wait(every):
            if (text := self.text(time.monotonic())) and not self._over.is_set():
                show(text)
