"""Merges the records of shards into one, and decides whether another shard may begin. Pure.

A shard without a record is unknown, and never counts as a success.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from rollback_ops.core.errors import Exit
from rollback_ops.core.fleet_plan import STAGES, FleetPlan, Shard
from rollback_ops.core.outcome import EXIT_CODES, overall
from rollback_ops.core.record import (
    HostOutcome,
    HostRecord,
    Record,
    ReleaseRef,
    ShardRecord,
    ShardRunRecord,
    ShareRecord,
    StrategyRecord,
    WaveRecord,
)
from rollback_ops.core.rollout import Role, Share, named
from rollback_ops.core.shard_runs import as_one, runs_by_shard, told

# Outcomes of hosts that were not changed, and show nothing of the target. All others but good ones are failures.
_NOT_CHANGED: tuple[HostOutcome, ...] = ("not_begun", "cancelled")
_GOOD: tuple[HostOutcome, ...] = ("succeeded", "nothing_to_do")
_MOST_WARNINGS = 50


def records_by_shard(plan: FleetPlan, records: Iterable[Record]) -> dict[int, Record]:
    """Return one record of each shard of this plan that has any, by its number: of all its runs together."""
    return {number: as_one(runs) for number, runs in runs_by_shard(plan, records).items()}


def stopped(plan: FleetPlan, shard: Shard, records: Mapping[int, Record]) -> str:
    """Return why this shard may not begin, from the records of the other shards; empty when it may."""
    before = [each for each in plan.shards if STAGES.index(each.stage) < STAGES.index(shard.stage)]
    known = [each for each in plan.shards if each.number in records and each.number != shard.number]
    ended = {each.number: each for each in (*before, *known)}
    failed = [host for each in ended.values() for host in hosts_of(plan, each, records, ()) if _has_failed(host)]
    canaries = {host for each in before if each.stage == "canary" for host in each.hosts}
    if bad := [host.host for host in failed if host.host in canaries]:
        return f"the canary failed: {named(bad)}"
    if len(failed) > plan.max_failures:
        names = named(host.host for host in failed)
        return f"{len(failed)} hosts of other shards failed ({names}), more than max_failures ({plan.max_failures})"
    return ""


def _has_failed(host: HostRecord) -> bool:
    return host.outcome not in (*_GOOD, *_NOT_CHANGED)


def hosts_of(
    plan: FleetPlan, shard: Shard, records: Mapping[int, Record], not_begun: Collection[Role]
) -> list[HostRecord]:
    """Return what became of each host of a shard. ``not_begun`` are stages of which no job was started."""
    record = records.get(shard.number)
    known = {host.host: host for host in record.hosts} if record else {}
    outcome: HostOutcome = "not_begun" if shard.stage in not_begun and not record else "unknown"
    why = "its shard did not begin" if outcome == "not_begun" else "its shard left no record of it"
    return [
        known.get(name)
        or HostRecord(
            host=name,
            outcome=outcome,
            from_=ReleaseRef(release=shard.sources.get(name) or plan.targets.get(name, plan.target)),
            detail=f"{why} (shard {shard.number})",
            region=plan.region or None,
        )
        for name in shard.hosts
    ]


def merged(plan: FleetPlan, records: Sequence[Record], not_begun: Collection[Role] = ()) -> Record:
    """Return one record of all shards of a plan."""
    runs = runs_by_shard(plan, records)
    found = {number: as_one(each) for number, each in runs.items()}
    shards = {each.number: hosts_of(plan, each, found, not_begun) for each in plan.shards}
    lost = [HostRecord(host=name, outcome="unreachable", detail=why) for name, why in plan.lost.items()]
    hosts = [*(host for part in shards.values() for host in part), *lost]
    outcome = overall([host.outcome for host in hosts])
    finished = max([record.finished_at for record in found.values()], key=datetime.fromisoformat, default=plan.at)
    took = datetime.fromisoformat(finished) - datetime.fromisoformat(plan.at)
    begun = [record for record in found.values() if record.to.label]
    return Record(
        id=plan.id,
        service=plan.service,
        environment=plan.environment,
        mode=plan.mode,
        trigger=plan.trigger,
        reason=plan.reason,
        actor=plan.actor,
        run_url=plan.run_url or None,
        started_at=plan.at,
        finished_at=finished,
        duration_seconds=round(max(0.0, took.total_seconds()), 3),
        outcome=outcome,
        exit_code=EXIT_CODES.get(outcome, Exit.TERMINATED),
        from_=next((r.from_ for r in begun if r.from_.label), ReleaseRef(release=plan.origin or None)),
        to=next((r.to for r in begun), ReleaseRef(release=plan.target, revision=plan.revision or None)),
        hosts=tuple(hosts),
        hold=next((record.hold for record in found.values() if record.hold), None),
        plan=plan.ref,
        strategy=_strategy(plan, found, hosts),
        waves=tuple(wave for each in plan.shards for wave in _waves(each, found, shards[each.number])),
        shards=tuple(_shard(each, runs.get(each.number, ()), shards[each.number]) for each in plan.shards),
        warnings=tuple(_warnings(plan, found, runs, len(records))),
    )


def _shard(shard: Shard, runs: Sequence[Record], hosts: Sequence[HostRecord]) -> ShardRecord:
    record = as_one(runs) if runs else None
    return ShardRecord(
        number=shard.number,
        stage=shard.stage,
        hosts=len(hosts),
        outcome=record.outcome if record else "not_begun" if hosts[0].outcome == "not_begun" else "unknown",
        run_url=record.run_url if record else None,
        duration_seconds=record.duration_seconds if record else None,
        runs=tuple(map(_run, runs)) if len(runs) > 1 else (),
    )


def _run(record: Record) -> ShardRunRecord:
    return ShardRunRecord(
        id=record.id,
        outcome=record.outcome,
        started_at=record.started_at,
        duration_seconds=record.duration_seconds,
        run_url=record.run_url,
    )


def _waves(shard: Shard, found: Mapping[int, Record], hosts: Sequence[HostRecord]) -> Iterator[WaveRecord]:
    """Yield the waves of a shard: as its record tells them, else with what is known of their hosts."""
    record, outcomes = found.get(shard.number), {host.host: host.outcome for host in hosts}
    known = {wave.number: wave for wave in record.waves} if record else {}
    for wave in shard.rollout.waves:
        every = [outcomes[host] for host in wave.hosts]
        begun = set(every) != {"not_begun"}
        yield known.get(wave.number) or WaveRecord(
            number=wave.number,
            role=wave.role,
            region=wave.region or None,
            hosts=wave.hosts,
            outcome=overall(every) if begun else "not_begun",
        )


def _strategy(plan: FleetPlan, found: Mapping[int, Record], hosts: Sequence[HostRecord]) -> StrategyRecord | None:
    if not plan.shards:
        return None
    rollout = plan.shards[0].rollout
    why = dict.fromkeys(r.strategy.stopped for r in found.values() if r.strategy and r.strategy.stopped)
    left = any(host.outcome in ("not_begun", "cancelled", "refused", "unknown") for host in hosts)
    share = Share(len(hosts), 0, rollout.shares[0].max_parallel, plan.max_failures, plan.region)
    return StrategyRecord(
        told=plan.told,
        hosts=len(hosts),
        max_failures=plan.max_failures,
        shares=(ShareRecord(**asdict(share) | {"region": plan.region or None}),),
        pause=rollout.pause,
        progress_deadline=rollout.progress_deadline,
        deadline=rollout.deadline,
        on_exceeded=rollout.on_exceeded,
        order=rollout.order,
        excluded=plan.excluded,
        stopped="; ".join(why),
        then=f"rollback-ops shards {plan.environment} --to {plan.target}" if left else "",
    )


def _warnings(
    plan: FleetPlan, found: Mapping[int, Record], runs: Mapping[int, Sequence[Record]], records: int
) -> Iterator[str]:
    lacking = [shard.number for shard in plan.shards if shard.number not in found]
    if lacking:
        numbers = ", ".join(map(str, lacking[:10])) + (", …" if len(lacking) > 10 else "")
        yield f"{len(lacking)} of {len(plan.shards)} shards left no record: {numbers}"
    yield from (told(number, each) for number, each in sorted(runs.items()) if len(each) > 1)
    if others := records - sum(map(len, runs.values())):
        yield f"{others} records were left out: they are of another plan, of a dry run, or of no shard"
    warnings = list(dict.fromkeys(warning for record in found.values() for warning in record.warnings))
    yield from warnings[:_MOST_WARNINGS]
    if len(warnings) > _MOST_WARNINGS:
        yield f"{len(warnings) - _MOST_WARNINGS} more warnings are in the records of the shards"
