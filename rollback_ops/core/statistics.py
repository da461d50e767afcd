"""Statistics over records. The thresholds come from the specification ("Rollback Success Rate")."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollback_ops.core.record import Record

# The specification: target above 99 %, acceptable above 95 %, alert below 90 %.
ALERT_BELOW = 0.90


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of a set of rollbacks. Durations are in seconds; ``success_rate`` is from 0 to 1."""

    total: int
    succeeded: int
    mean_seconds: float
    slowest_seconds: float
    by_environment: dict[str, Statistics]
    by_trigger: dict[str, Statistics]

    @property
    def success_rate(self) -> float | None:
        return self.succeeded / self.total if self.total else None

    @property
    def alert(self) -> bool:
        return self.success_rate is not None and self.success_rate < ALERT_BELOW


def statistics(records: Iterable[Record], *, grouped: bool = True) -> Statistics:
    """Count the rollbacks that changed a host. Dry runs, refusals, no-ops and runs that go on do not count."""
    counted = [r for r in records if not r.dry_run and r.outcome not in ("refused", "nothing_to_do") and _ended(r)]
    timed = [r.duration_seconds for r in counted if r.duration_seconds > 0]
    return Statistics(
        total=len(counted),
        succeeded=sum(r.outcome == "succeeded" for r in counted),
        mean_seconds=sum(timed) / len(timed) if timed else 0.0,
        slowest_seconds=max(timed, default=0.0),
        by_environment=_by(counted, "environment") if grouped else {},
        by_trigger=_by(counted, "trigger") if grouped else {},
    )


def _ended(record: Record) -> bool:
    """Whether the run has ended: a journal that holds only its beginning names no host, and it may be going on."""
    return record.outcome != "cancelled" or bool(record.hosts)


def _by(records: Sequence[Record], attribute: str) -> dict[str, Statistics]:
    key = attrgetter(attribute)
    groups = groupby(sorted(records, key=key), key=key)
    return {name: statistics(group, grouped=False) for name, group in groups}
