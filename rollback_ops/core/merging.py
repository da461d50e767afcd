"""Merges the records of shards into one. Pure.

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
from rollback_ops.core.shard_order import LOOK_AT_IT, hosts_so_far, stopped
from rollback_ops.core.shard_runs import as_one, runs_by_shard, told

_MOST_WARNINGS = 50


def records_by_shard(plan: FleetPlan, records: Iterable[Record]) -> dict[int, Record]:
    """Return one record of each shard of this plan that has any, by its number: of all its runs together."""
    return _by_shard(plan, runs_by_shard(plan, records))


def _by_shard(plan: FleetPlan, runs: Mapping[int, Sequence[Record]]) -> dict[int, Record]:
    return {shard.number: as_one(shard, runs[shard.number]) for shard in plan.shards if shard.number in runs}


def hosts_of(plan: FleetPlan, shard: Shard, known: Mapping[str, HostRecord], why_not: str) -> list[HostRecord]:
    """Return what became of each host of a shard. ``why_not``: why it did not begin, where that is known."""
    outcome: HostOutcome = "not_begun" if why_not else "unknown"
    why = why_not or "its shard left no record of it"
    return [
        known.get(name)
        or HostRecord(
            host=name,
            outcome=outcome,
            from_=ReleaseRef(release=shard.sources.get(name) or plan.targets.get(name, plan.target)),
            detail=f"{why} (shard {shard.number})",
            region=shard.region or None,
        )
        for name in shard.hosts
    ]


def _not_begun(plan: FleetPlan, records: Mapping[int, Record], skipped: Collection[str]) -> dict[int, str]:
    """Return why shards without a record did not begin, by number: their jobs were skipped, or had to refuse.

    ``skipped``: stages whose jobs were not started, each with its region after a colon, if only there.
    """
    whys: dict[tuple[int, int], str] = {}
    without = sorted((each for each in plan.shards if each.number not in records), key=plan.place)
    for shard in without:
        place = plan.place(shard)
        if {shard.stage, f"{shard.stage}:{shard.region}"} & set(skipped):
            whys[place] = "its shard did not begin"
        if place not in whys:
            whys[place] = stopped(plan, shard, records, certain=True) or _waits(plan, shard, whys)
    return {each.number: why for each in without if (why := whys[plan.place(each)])}


def _waits(plan: FleetPlan, shard: Shard, whys: Mapping[tuple[int, int], str]) -> str:
    """Return which earlier shards did not begin either, for which this one had to wait; empty where there are none."""
    region, _ = plan.place(shard)
    before = [(place, why) for place, why in whys.items() if why and place < plan.place(shard)]
    canary = STAGES.index("canary")
    if any(place[0] < region or place[1] == canary or shard.stage == "bake" for place, _ in before):
        return "shards before it did not begin"
    return ""


def merged(plan: FleetPlan, records: Sequence[Record], skipped: Collection[str] = ()) -> Record:
    """Return one record of all shards of a plan. ``skipped``: stages whose jobs were not started (``_not_begun``)."""
    runs = runs_by_shard(plan, records)
    found = _by_shard(plan, runs)
    known, why_not = hosts_so_far(plan, found), _not_begun(plan, found, skipped)
    shards = {each.number: hosts_of(plan, each, known, why_not.get(each.number, "")) for each in plan.shards}
    lost = [
        HostRecord(host=name, outcome="unreachable", detail=host.why, region=host.region or None)
        for name, host in plan.lost.items()
    ]
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
        strategy=_strategy(plan, found, hosts, why_not.values()),
        waves=tuple(wave for each in plan.shards for wave in _waves(each, found, shards[each.number])),
        shards=tuple(_shard(each, runs.get(each.number, ()), why_not.get(each.number, "")) for each in plan.shards),
        warnings=tuple(_warnings(plan, {*found, *why_not}, runs, len({record.id for record in records}))),
    )


def _shard(shard: Shard, runs: Sequence[Record], why_not: str) -> ShardRecord:
    record = as_one(shard, runs) if runs else None
    return ShardRecord(
        number=shard.number,
        stage=shard.stage,
        region=shard.region or None,
        hosts=len(record.hosts) if record else len(shard.hosts),
        outcome=record.outcome if record else "not_begun" if why_not else "unknown",
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


def _strategy(
    plan: FleetPlan, found: Mapping[int, Record], hosts: Sequence[HostRecord], why_not: Iterable[str]
) -> StrategyRecord | None:
    if not plan.shards:
        return None
    why = dict.fromkeys(r.strategy.stopped for r in found.values() if r.strategy and r.strategy.stopped)
    why |= dict.fromkeys(why_not)
    go_on = "--plan rollback-plan.json --records records" if LOOK_AT_IT in why else f"--to {plan.target}"
    open_ = any(host.outcome in ("not_begun", "cancelled", "refused", "unknown") for host in hosts)
    said = {key: value for key, value in asdict(plan.rollout).items() if key not in ("waves", "shares")}
    return StrategyRecord(
        **said,
        hosts=len(hosts),
        shares=tuple(ShareRecord(**asdict(share) | {"region": share.region or None}) for share in plan.rollout.shares),
        stopped="; ".join(why),
        then=f"rollback-ops shards {plan.environment} {go_on}" if open_ else "",
    )


def _warnings(
    plan: FleetPlan, explained: Collection[int], runs: Mapping[int, Sequence[Record]], records: int
) -> Iterator[str]:
    """Yield the warnings. ``explained``: the shards that have a record, or did not begin."""
    lacking = [shard.number for shard in plan.shards if shard.number not in explained]
    if lacking:
        numbers = ", ".join(map(str, lacking[:10])) + (", …" if len(lacking) > 10 else "")
        yield f"{len(lacking)} of {len(plan.shards)} shards left no record: {numbers}"
    yield from (told(number, each) for number, each in sorted(runs.items()) if len(each) > 1)
    if others := records - sum(map(len, runs.values())):
        yield f"{others} records were left out: they are of another plan, of a dry run, or of no shard"
    warnings = list(dict.fromkeys(warning for each in runs.values() for run in each for warning in run.warnings))
    yield from warnings[:_MOST_WARNINGS]
    if len(warnings) > _MOST_WARNINGS:
        yield f"{len(warnings) - _MOST_WARNINGS} more warnings are in the records of the shards"
