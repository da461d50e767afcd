"""The shards of a plan that a run of the workflow carries out, region by region. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rollback_ops.core.fleet_plan import FleetPlan, Shard
from rollback_ops.core.frozen import frozen
from rollback_ops.core.record import HostRecord, Record
from rollback_ops.core.shard_order import hosts_so_far, outcome_in, stopped
from rollback_ops.core.shard_runs import SAYS_NOTHING


@frozen
class RegionJobs:
    """The shards of a region that are carried out now, by stage. ``at_once``: how many of the canary, or of the rest.

    ``gate``: the bake that has to succeed before (0: there is none).
    """

    region: str
    gate: int
    unhealthy: tuple[int, ...]
    canary: tuple[int, ...]
    rest: tuple[int, ...]
    at_once: int


def jobs_of(plan: FleetPlan, records: Mapping[int, Record]) -> list[RegionJobs]:
    """Return what a run of the workflow does, region by region: all shards that have hosts to change or to verify.

    With ``after_canary = "stop"`` it ends after the first canary.
    """
    return list(_jobs(plan, hosts_so_far(plan, records)))


def _jobs(plan: FleetPlan, found: Mapping[str, HostRecord]) -> Iterator[RegionJobs]:
    gate = 0
    for region in plan.regions:
        unhealthy, canary, rest = (
            tuple(shard.number for shard in plan.of(region, stage) if _is_open(shard, found))
            for stage in ("unhealthy", "canary", "rest")
        )
        stops = plan.rollout.after_canary == "stop" and bool(canary)
        if unhealthy or canary or rest:
            yield RegionJobs(region, gate, unhealthy, canary, () if stops else rest, plan.at_once[region])
        if stops:
            return
        gate = next((shard.number for shard in plan.of(region, "bake")), 0)


def _is_open(shard: Shard, found: Mapping[str, HostRecord]) -> bool:
    return any(outcome_in(found, host) in (*SAYS_NOTHING, "unknown") for host in shard.hosts)


def stopped_at(plan: FleetPlan, jobs: Sequence[RegionJobs], records: Mapping[int, Record]) -> str:
    """Return why the first of these shards may not begin; empty when it may, or where there is none."""
    numbers = [
        number for each in jobs[:1] for number in (each.gate, *each.unhealthy, *each.canary, *each.rest) if number
    ]
    first = next((shard for shard in plan.shards if shard.number in numbers[:1]), None)
    return stopped(plan, first, records) if first else ""
