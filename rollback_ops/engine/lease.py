"""Keeps the leases of a run while it works: by time, so that they last however seldom or slowly checks are asked."""

from __future__ import annotations

import threading
from contextlib import suppress

from rollback_ops.core.ports import Host

# Seconds. A lease that is not renewed lasts ten.
_RENEW_EVERY = 3.0


class LeaseKeeper:
    """Renews the leases of the last ``most`` hosts, each on its own thread, until it is stopped.

    Those of earlier hosts end by themselves: whoever takes such a host over supersedes this run there.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def keep(self, host: Host, run: str) -> None:
        """Renew the lease of ``run`` on this host from now on."""
        with self._lock:
            if self._stopped or host.name in self._kept:
                return
            if len(self._kept) >= self._most:
                self._kept.pop(next(iter(self._kept))).set()
            over = self._kept[host.name] = threading.Event()
        threading.Thread(target=self._renew, args=(host, run, over), daemon=True).start()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for over in self._kept.values():
                over.set()

    def _renew(self, host: Host, run: str, over: threading.Event) -> None:
        while not over.wait(_RENEW_EVERY):
            # A host that does not answer now may answer the next time.
            with suppress(Exception):
                host.ask(run)
