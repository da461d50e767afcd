"""Which shards of a plan may begin, as far as the records of the others tell. Pure.

- The order is that of the plan: region by region, and in a region stage by stage.
- The rest of a region begins when its canary is done and healthy. With ``after_canary = "stop"`` it begins only in a
  later run, which has verified the canary again.
- No shard begins when more hosts than ``max_failures`` have failed, in a region or in all. A shard that should have
  ended and has no record is unknown: its hosts count as failed.
- A region begins when every shard of the regions before has had its turn, and when the hosts that are done were
  verified after that (stage "bake").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rollback_ops.core.fleet_plan import Confirmed, FleetPlan, Shard
from rollback_ops.core.record import HostOutcome, HostRecord, Record
from rollback_ops.core.rollout import named
from rollback_ops.core.shard_runs import says_something, verified_again

# Outcomes of hosts that were not changed, and show nothing of the target. All others but good ones are failures.
_NOT_CHANGED: tuple[HostOutcome, ...] = ("not_begun", "cancelled")
_GOOD: tuple[HostOutcome, ...] = ("succeeded", "nothing_to_do")
LOOK_AT_IT = 'the canary is done, and after_canary is "stop": look at it'


def hosts_so_far(plan: FleetPlan, records: Mapping[int, Record]) -> dict[str, HostRecord]:
    """Return what became of each host that a record tells of: of its shard, then of the bakes, then when confirmed.

    A shard is believed of its own hosts only. A bake takes nothing back that a shard found out after it.
    """
    found: dict[str, HostRecord] = {}
    since: dict[str, str] = {}
    for shard in sorted(plan.shards, key=lambda shard: shard.stage == "bake"):
        record, own = records.get(shard.number), set(shard.hosts)
        for host in record.hosts if record else ():
            at, name = record.started_at if record else "", host.host
            if shard.stage != "bake" and name not in own:
                continue
            if name not in found:
                found[name] = host
            elif _is_later(at, since[name]) or host.outcome not in _GOOD:
                found[name] = verified_again(found[name], _seen_again(found[name], host))
            since[name] = max(at, since.get(name, at), key=datetime.fromisoformat)
    if plan.confirmed:
        for name, outcome in plan.confirmed.outcomes.items():
            if name in found and _is_later(plan.confirmed.at, since[name]):
                found[name] = found[name].model_copy(update={"outcome": outcome})
    return found


def _is_later(one: str, other: str) -> bool:
    return datetime.fromisoformat(one) > datetime.fromisoformat(other)


def _seen_again(known: HostRecord, now: HostRecord) -> HostRecord:
    """Return what a bake says of a host. One that was healthy and cannot be reached now is unknown."""
    lost = now.outcome == "unreachable" and known.outcome in _GOOD
    return now.model_copy(update={"outcome": "health_unknown"}) if lost else now


def latest(plan: FleetPlan, records: Iterable[Record]) -> datetime:
    """Return when hosts were last found as the plan says: when it was made or confirmed, or a shard ended.

    Raises ``ValueError`` where the plan has no time.
    """
    ends = [record.finished_at for record in records if says_something(record)]
    every = (plan.at, *((plan.confirmed.at,) if plan.confirmed else ()), *ends)
    return max(datetime.fromisoformat(at).astimezone(UTC) for at in every)


def left(plan: FleetPlan, shard: Shard, records: Mapping[int, Record]) -> tuple[int, int]:
    """Return how many hosts of a shard may fail, as far as its region and all regions have failures left."""
    others = {number: record for number, record in records.items() if number != shard.number}
    failed = _failed(plan, plan.shards, hosts_so_far(plan, others), certain=True)
    share = plan.rollout.share(shard.region)
    here = sum(region == shard.region for region in failed.values())
    return max(0, share.max_failures - here), max(0, plan.rollout.max_failures - len(failed))


def done(plan: FleetPlan, shard: Shard, records: Mapping[int, Record]) -> tuple[str, ...]:
    """Return the healthy hosts of the region of a shard, and of those before."""
    found, (region, _) = hosts_so_far(plan, records), plan.place(shard)
    every = (host for each in plan.shards if plan.place(each)[0] <= region for host in each.hosts)
    return tuple(host for host in every if host in found and found[host].outcome in _GOOD)


def stopped(plan: FleetPlan, shard: Shard, records: Mapping[int, Record], *, certain: bool = False) -> str:
    """Return why this shard may not begin; empty when it may.

    ``certain``: only as far as records of shards before it prove it. What has no record proves nothing then.
    """
    place = plan.place(shard)
    before = [each for each in plan.shards if plan.place(each) < place]
    known = [e for e in plan.shards if e.number in records and e.number != shard.number and plan.place(e) <= place]
    every = {
        each.number: each for each in ((each for each in before if each in known) if certain else (*before, *known))
    }
    counted = {number: record for number, record in records.items() if number in every}
    found, ended = hosts_so_far(plan, counted), [each for each in before if each.number in every]
    return (
        _canary(plan, shard, [each for each in ended if each.stage == "canary"], counted)
        or _exceeded(plan, _failed(plan, every.values(), found, certain=certain))
        or _region(plan, shard, ended, found, counted, certain=certain)
    )


def _canary(plan: FleetPlan, shard: Shard, canary: Sequence[Shard], records: Mapping[int, Record]) -> str:
    """Return what the canaries before a shard speak against it, as they ended: a bake counts in the budgets."""
    found = hosts_so_far(plan, {each.number: records[each.number] for each in canary if each.number in records})
    outcomes = {host: outcome_in(found, host) for each in canary for host in each.hosts}
    if bad := [host for host, outcome in outcomes.items() if _has_failed(outcome)]:
        return f"the canary failed: {named(bad)}"
    if undone := [host for host, outcome in outcomes.items() if outcome in _NOT_CHANGED]:
        return f"the canary is not done: {named(undone)}"
    own = [records[each.number] for each in canary if each.region == shard.region and each.number in records]
    if plan.rollout.after_canary == "stop" and own and not _is_looked_at(plan, own):
        return LOOK_AT_IT
    return ""


def _is_looked_at(plan: FleetPlan, canary: Sequence[Record]) -> bool:
    """Return whether a run went on with the plan after its canary."""
    if plan.confirmed is None:
        return False
    at = datetime.fromisoformat(plan.confirmed.at)
    return all(datetime.fromisoformat(record.finished_at) < at for record in canary)


def _exceeded(plan: FleetPlan, failed: Mapping[str, str]) -> str:
    for share in plan.rollout.shares:
        there = [host for host, region in failed.items() if region == share.region]
        if share.region and len(there) > share.max_failures:
            limit = f"max_failures ({share.max_failures})"
            return f"{len(there)} hosts of region {share.region} failed ({named(there)}), more than {limit}"
    if len(failed) > plan.rollout.max_failures:
        limit = f"max_failures ({plan.rollout.max_failures})"
        return f"{len(failed)} hosts of other shards failed ({named(failed)}), more than {limit}"
    return ""


def _region(
    plan: FleetPlan,
    shard: Shard,
    before: Sequence[Shard],
    found: Mapping[str, HostRecord],
    records: Mapping[int, Record],
    *,
    certain: bool,
) -> str:
    """Return why the turn of the shard's region has not come; of a bake, why that region is not done."""
    number = plan.place(shard)[0] + (shard.stage == "bake")
    for each in before:
        undone = [host for host in each.hosts if outcome_in(found, host) in _NOT_CHANGED]
        if undone and plan.place(each)[0] < number:
            return f"region {each.region} is not done: {named(undone)}"
    for bake in (each for each in plan.shards if each.stage == "bake" and plan.place(each)[0] < plan.place(shard)[0]):
        record = records.get(bake.number)
        if record.outcome in ("refused", "cancelled") if record else not certain:
            return f"region {bake.region} was not verified before the next one"
    return ""


def _failed(
    plan: FleetPlan, shards: Iterable[Shard], found: Mapping[str, HostRecord], *, certain: bool
) -> dict[str, str]:
    """Return the hosts of these shards that have failed, each with its region. Lost hosts have failed, too."""
    failed = {name: host.region for name, host in plan.lost.items()}
    for each in shards:
        names = (host for host in each.hosts if host in found) if certain else each.hosts
        failed |= {host: each.region for host in names if _has_failed(outcome_in(found, host))}
    return failed


def outcome_in(found: Mapping[str, HostRecord], host: str) -> HostOutcome:
    """Return what a host came to. A shard that had to refuse contacted no host: it did not begin."""
    if host not in found:
        return "unknown"
    refused = found[host].outcome == "refused" and not found[host].steps
    return "not_begun" if refused else found[host].outcome


def _has_failed(outcome: HostOutcome) -> bool:
    return outcome not in (*_GOOD, *_NOT_CHANGED)


def confirmed(plan: FleetPlan, records: Mapping[int, Record], now: Record, verified: Collection[str]) -> FleetPlan:
    """Return the plan with what its hosts came to when they were asked again. ``verified``: those that are done."""
    told, known = hosts_so_far(replace(plan, confirmed=None), records), hosts_so_far(plan, records)
    outcomes = {host.host: _asked_again(known[host.host], host, verified) for host in now.hosts if host.host in known}
    changed = {name: outcome for name, outcome in outcomes.items() if outcome != told[name].outcome}
    return replace(plan, confirmed=Confirmed(now.finished_at, changed))


def _asked_again(known: HostRecord, host: HostRecord, verified: Collection[str]) -> HostOutcome:
    """Return what a host came to that was asked again. A failed one that runs what it left may be changed again."""
    if host.host in verified:
        return verified_again(known, host).outcome
    if host.outcome == "unreachable" and known.outcome in _GOOD:
        return "health_unknown"
    is_back = host.outcome == "not_begun" and _has_failed(known.outcome)
    return "not_begun" if is_back else known.outcome
