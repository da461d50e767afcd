"""Keeps the leases of a run while it works: by time, so that they last however seldom or slowly checks are asked."""

from __future__ import annotations

import threading
from contextlib import suppress

from rollback_ops.core.ports import Host

# Seconds. A lease that is not renewed lasts ten.
_RENEW_EVERY = 3.0


class LeaseKeeper:
    """Renews the leases of hosts, each on its own thread, until it is stopped."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._kept: set[str] = set()

    def keep(self, host: Host, run: str) -> None:
        """Renew the lease of ``run`` on this host from now on."""
        if host.name not in self._kept:
            self._kept.add(host.name)
            threading.Thread(target=self._renew, args=(host, run), daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def _renew(self, host: Host, run: str) -> None:
        while not self._over.wait(_RENEW_EVERY):
            # A host that does not answer now may answer the next time.
            with suppress(Exception):
                host.ask(run)
