"""Statistics over records. The thresholds come from the specification ("Rollback Success Rate")."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rollback_ops.core.deployments import PastDeployment, Rate, change_failures, left_a_failure
from rollback_ops.core.frozen import frozen
from rollback_ops.core.intervals import share_at_least, share_at_most

if TYPE_CHECKING:
    from rollback_ops.core.model import ServiceId
    from rollback_ops.core.record import Record

# The specification: target above 99 %, acceptable above 95 %, alert below 90 %.
ALERT_BELOW = 0.90
CONFIDENCE = 0.95
# With fewer rollbacks, not even a success of all of them shows more than 90 % (0.9^29 < 0.05).
_FEW = 29


@frozen
class Spread:
    """How long something took, in seconds. Percentiles are nearest ranks: values that were measured."""

    mean: float = 0.0
    median: float = 0.0
    p95: float = 0.0
    worst: float = 0.0

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        ranked = sorted(values)
        if not ranked:
            return None
        median, p95 = (ranked[math.ceil(len(ranked) * part) - 1] for part in (0.5, 0.95))
        return cls(sum(ranked) / len(ranked), median, p95, ranked[-1])


@frozen
class Statistics:
    """Statistics of a set of rollbacks. Rates are from 0 to 1.

    ``duration``: of each rollback; ``downtime``: of each host that was changed. None: nothing was measured. ``drills``
    are counted by themselves, and nowhere else: their ``downtime`` is that of the way back, and ``healthy`` is the time
    from its beginning until each check had passed once.

    Of DORA's figures (dora.dev), two can be supported. ``change_failures``: the deployments that a rollback left, of
    all that are known; None where none is known, since no record counts them. ``failed_deployments``: how many were
    left. ``recovery``: the seconds from the deployment of what was left until its rollback had been verified.
    """

    total: int
    succeeded: int
    duration: Spread | None = None
    downtime: Spread | None = None
    by_environment: Mapping[str, Statistics] = field(default_factory=dict)
    by_trigger: Mapping[str, Statistics] = field(default_factory=dict)
    by_month: Mapping[str, Statistics] = field(default_factory=dict)
    drills: Statistics | None = None
    healthy: Spread | None = None
    failed_deployments: int = 0
    change_failures: Rate | None = None
    recovery: Spread | None = None

    @property
    def success_rate(self) -> float | None:
        return self.succeeded / self.total if self.total else None

    @property
    def at_least(self) -> float:
        """The exact one-sided lower bound on the success rate, with 95 % confidence."""
        return share_at_least(self.succeeded, self.total, CONFIDENCE)

    @property
    def at_most(self) -> float:
        """The exact one-sided upper bound on the success rate, with 95 % confidence."""
        return share_at_most(self.succeeded, self.total, CONFIDENCE)

    @property
    def sure(self) -> bool:
        """Whether the success rate is below 90 % with 95 % confidence, and not by chance."""
        return self.at_most < ALERT_BELOW

    @property
    def alert(self) -> bool:
        """Whether it is surely below 90 %, or is below 90 % so far with too few rollbacks to prove it."""
        below = self.success_rate is not None and self.success_rate < ALERT_BELOW
        return self.sure or (below and self.total < _FEW)


def statistics(
    records: Iterable[Record], deployments: Mapping[ServiceId, Sequence[PastDeployment]] | None = None
) -> Statistics:
    """Count the rollbacks that changed a host. Dry runs, refusals, no-ops and runs that go on do not count.

    ``deployments``: those that are known, of each service.
    """
    counted = [r for r in records if not r.dry_run and r.outcome not in ("refused", "nothing_to_do") and _ended(r)]
    drills = [r for r in counted if r.trigger == "drill" and r.drill]
    real = [r for r in counted if r.trigger != "drill"]
    whole = _counted(real)
    return Statistics(
        whole.total,
        whole.succeeded,
        whole.duration,
        whole.downtime,
        by_environment=_by(real, lambda record: record.environment),
        by_trigger=_by(real, lambda record: record.trigger),
        by_month=_by(real, _month),
        drills=_of_drills(drills) if drills else None,
        failed_deployments=len({(r.service, r.environment, r.from_.label) for r in real if left_a_failure(r)}),
        change_failures=change_failures(deployments or {}, real),
        recovery=Spread.of(filter(None, map(_recovery, real))),
    )


def _counted(records: Sequence[Record]) -> Statistics:
    return Statistics(
        total=len(records),
        succeeded=sum(r.outcome == "succeeded" for r in records),
        duration=Spread.of(r.duration_seconds for r in records if r.duration_seconds > 0),
        downtime=Spread.of(h.downtime_seconds for r in records for h in r.hosts if h.downtime_seconds is not None),
    )


def _recovery(record: Record) -> float | None:
    """Return the seconds from a deployment until its rollback had been verified; None where they are not known."""
    if not record.from_.deployed_at or record.outcome != "succeeded" or not left_a_failure(record):
        return None
    deployed, recovered = map(datetime.fromisoformat, (record.from_.deployed_at, record.finished_at))
    return max(0.0, (recovered - deployed).total_seconds()) or None


def _of_drills(records: Sequence[Record]) -> Statistics:
    back = [record.drill.back for record in records if record.drill and record.drill.back]
    return replace(
        _counted(records),
        downtime=Spread.of(way.downtime_seconds for way in back if way.downtime_seconds is not None),
        healthy=Spread.of(way.seconds_to_healthy for way in back if way.seconds_to_healthy is not None),
    )


def _ended(record: Record) -> bool:
    """Return whether the run has ended. A record with only its beginning names no host; the run may be going on."""
    return record.outcome != "cancelled" or bool(record.hosts)


def _month(record: Record) -> str:
    return datetime.fromisoformat(record.started_at).astimezone(UTC).strftime("%Y-%m")


def _by(records: Sequence[Record], key: Callable[[Record], str]) -> dict[str, Statistics]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return {name: _counted(groups[name]) for name in sorted(groups)}
