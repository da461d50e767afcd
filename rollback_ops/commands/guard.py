"""``guard``: watch the live release, and roll it back when it is unhealthy."""

from __future__ import annotations

from dataclasses import replace

from rollback_ops.commands.context import Context, Limit, refuse
from rollback_ops.commands.result import RunResult
from rollback_ops.commands.run import fleet_of, publish, spec_of
from rollback_ops.config.reason import Reason
from rollback_ops.core.ports import Progress
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine import guard as engine
from rollback_ops.engine.fleet import Fleet

# A guard goes back to no release that somebody named, and watches all hosts.
UNHEEDED: tuple[Limit, ...] = ("shard", "backup", "if_current")


def guard(context: Context, progress: Progress, cancellation: Cancellation) -> RunResult:
    """Watch the live release through its window. An unhealthy one is rolled back, under a new deadline.

    Raises ``UsageError`` for a target, a shard or ``--if-current``, which a guard does not take.
    """
    refuse(context.request, *UNHEEDED)
    spec, publisher = spec_of(context, Reason("guard: is the live release healthy?")), context.publisher()

    def anew() -> Fleet:
        return fleet_of(replace(context), progress, cancellation)

    with context.closing():
        fleet = fleet_of(context, progress, cancellation)
        record, decision = engine.guard(spec, fleet, anew, context.job.service.guard.max_per_day, publisher)
        return replace(publish(context, publisher, record), decision=decision)
