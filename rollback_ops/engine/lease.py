"""Keeps the leases of a run while it works, by time: they last however seldom or slowly checks run."""

from __future__ import annotations

import math
import threading
import time

from rollback_ops.core.ports import Host
from rollback_ops.core.tasks import begun

# Seconds. A lease that is not renewed lasts ten. A host that did not answer may answer the next time.
_RENEW_AFTER = 3.0
_AGAIN_AFTER = 1.0
# With more hosts, the renewals would take this machine's time from the rollback: each comes half as often.
_MANY = 40


class LeaseKeeper:
    """Renews the leases of the last ``most`` hosts, each when it is due, until it is stopped.

    Those of earlier hosts, and of hosts whose connection was given to another host, end by themselves: whoever takes
    such a host over supersedes this run there.
    """

    def __init__(self, most: int, renew_after: float = _RENEW_AFTER, again_after: float = _AGAIN_AFTER) -> None:
        self._most = most
        self._renew_after = renew_after
        self._again_after = again_after
        self._kept: dict[str, _Lease] = {}
        self._changed = threading.Condition()
        # Whether a thread renews leases.
        self.at_work = False
        self._stopped = False

    @property
    def names(self) -> list[str]:
        """The hosts whose leases are renewed."""
        return list(self._kept)

    @property
    def _interval(self) -> float:
        return self._renew_after * (2 if len(self._kept) > _MANY else 1)

    def keep(self, host: Host, run: str) -> None:
        """Renew the lease of ``run`` on this host from now on."""
        with self._changed:
            if self._stopped or host.name in self._kept:
                return
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            self._kept[host.name] = _Lease(host, run, time.monotonic() + self._interval)
            if not self.at_work:
                self.at_work = begun(self._run)
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                for lease in self._kept.values():
                    if lease.due <= now:
                        # On a thread of its own: a host that does not answer delays no other.
                        lease.due = math.inf if begun(self._renew, lease) else now + self._again_after
                due = min((lease.due for lease in self._kept.values()), default=math.inf)
                self._changed.wait(None if due == math.inf else due - now)
            self.at_work = False

    def _renew(self, lease: _Lease) -> None:
        answered = lease.renew()
        with self._changed:
            lease.due = time.monotonic() + (self._interval if answered else self._again_after)
            self._changed.notify_all()


class _Lease:
    """The lease of a run on one host. ``due``: when it is to be renewed (``time.monotonic``)."""

    def __init__(self, host: Host, run: str, due: float) -> None:
        self._host = host
        self._run = run
        self.due = due

    def renew(self) -> bool:
        """Renew it where the host is connected. Returns whether the host answered."""
        try:
            if self._host.connected:
                self._host.ask(self._run)
        except Exception:
            return False
        return True
