"""How long a run waits for hosts that another run holds. Pure: the caller gives the time, in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollback_ops.core.model import Lease

# Seconds. A lease lasts ten; an answer about it may take a moment more.
_LONGEST_LEASE = 10.0
_MARGIN = 1.0


@dataclass
class Patience:
    """The patience of one run, which began to wait at ``began``.

    ``wait`` is what was asked for: so many seconds at most, whoever has the lease. None: until the lease of an owner
    that does not renew it is over. An owner that renews it, and another run that takes its place, are alive.
    """

    began: float
    wait: float | None = None
    _first: dict[str, Lease] = field(default_factory=dict)
    _over_at: dict[str, float] = field(default_factory=dict)

    def lasts(self, tries: int, now: float) -> bool:
        """Return whether a run that lost a lock to another run, after ``tries`` losses before, tries again."""
        return tries == 0 if self.wait is None else self.began + self.wait > now

    def left(self, leases: Mapping[str, Lease], now: float) -> float:
        """Return the seconds that are left to wait for the hosts with these leases. 0 or less: none."""
        if self.wait is not None:
            return self.began + self.wait - now
        for host, lease in leases.items():
            first = self._first.setdefault(host, lease)
            self._over_at.setdefault(host, now + min(lease.expires_in, _LONGEST_LEASE) + _MARGIN)
            if (lease.run, lease.until) != (first.run, first.until):
                return 0.0
        return max(self._over_at[host] for host in leases) - now
