"""The runs of one shard, whose job may have been run again, as one record. Pure.

A run that says nothing of a host (it was refused, or could not reach the host) takes nothing away from what an earlier
run did there. A run that found the target on a host that an earlier run had changed has only verified it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce

from rollback_ops.core.fleet_plan import FleetPlan, Shard
from rollback_ops.core.outcome import EXIT_CODES, overall
from rollback_ops.core.record import HostOutcome, HostRecord, Record, WaveRecord

# Outcomes that say nothing of what a host runs, and those of hosts that were changed and may run the target.
SAYS_NOTHING: tuple[HostOutcome, ...] = ("refused", "not_begun", "cancelled", "unreachable")
_CHANGED: tuple[HostOutcome, ...] = ("succeeded", "verification_failed", "health_unknown", "failed", "unknown")


def runs_by_shard(plan: FleetPlan, records: Iterable[Record]) -> dict[int, list[Record]]:
    """Return the records of each shard of this plan, by its number, in the order in which the runs began.

    Records of other plans are left out, and dry runs, which say nothing of what became of hosts.
    """
    by_id = {r.id: r for r in records if r.plan == plan.ref and r.shard and not r.dry_run}
    ours = [record for record in by_id.values() if record.about.environment == plan.environment]
    found: dict[int, list[Record]] = {}
    for record in sorted(ours, key=lambda record: record.started_at):
        if record.shard:
            found.setdefault(record.shard.number, []).append(record)
    return found


def as_one(shard: Shard, runs: Sequence[Record]) -> Record:
    """Return one record of the runs of a shard: what each host came to in all of them.

    Of a bake, which has to verify all hosts together, it is the last one that was carried out.
    """
    if shard.stage == "bake":
        return next((run for run in reversed(runs) if run.outcome not in ("refused", "cancelled")), runs[-1])
    return reduce(_followed_by, runs)


def told(number: int, runs: Sequence[Record]) -> str:
    """Say how the runs of a shard ended."""
    ends = (f"{run.outcome} ({run.run_url})" if run.run_url else run.outcome for run in runs)
    return f"shard {number} was run {len(runs)} times: {', then '.join(ends)}"


def _followed_by(earlier: Record, later: Record) -> Record:
    hosts = tuple(_hosts(earlier.hosts, later.hosts))
    outcomes = {host.host: host.outcome for host in hosts}
    last = later if says_something(later) else earlier
    outcome = overall(list(outcomes.values()))
    return last.model_copy(
        update={
            "from_": earlier.from_ if earlier.from_.label else later.from_,
            "hosts": hosts,
            "waves": tuple(_waves(earlier.waves, later.waves, outcomes)),
            "outcome": outcome,
            "exit_code": EXIT_CODES.get(outcome, last.exit_code),
            "hold": later.hold or earlier.hold,
            "warnings": tuple(dict.fromkeys((*earlier.warnings, *later.warnings))),
        }
    )


def _hosts(earlier: Sequence[HostRecord], later: Sequence[HostRecord]) -> Iterator[HostRecord]:
    before = {host.host: host for host in earlier}
    now = {host.host: host for host in later}
    for name, old in before.items():
        yield _host(old, now[name]) if name in now else old
    yield from (host for name, host in now.items() if name not in before)


def _host(old: HostRecord, new: HostRecord) -> HostRecord:
    if new.outcome in SAYS_NOTHING:
        return new if old.outcome in SAYS_NOTHING else old
    if new.outcome == "nothing_to_do" and old.outcome in _CHANGED:
        return verified_again(old, new)
    return new


def verified_again(old: HostRecord, new: HostRecord) -> HostRecord:
    """Return what became of a host that a later run has verified and not changed."""
    if new.outcome in SAYS_NOTHING:
        return old
    healthy: HostOutcome = "succeeded" if old.outcome in _CHANGED else old.outcome
    outcome = healthy if new.outcome == "nothing_to_do" else new.outcome
    return old.model_copy(update={"outcome": outcome, "to": new.to, "checks": new.checks, "detail": new.detail})


def says_something(record: Record) -> bool:
    """Return whether a run found out, or changed, what a host runs."""
    return any(host.outcome not in SAYS_NOTHING for host in record.hosts)


def _waves(
    earlier: Sequence[WaveRecord], later: Sequence[WaveRecord], outcomes: Mapping[str, HostOutcome]
) -> Iterator[WaveRecord]:
    """Yield the waves of both in order: a later run has only the hosts that were left."""
    before = {wave.number: wave for wave in earlier}
    now = {wave.number: wave for wave in later}
    for number in sorted({*before, *now}):
        if number in before and number in now:
            yield _wave(before[number], now[number], outcomes)
        else:
            yield before.get(number) or now[number]


def _wave(old: WaveRecord, new: WaveRecord, outcomes: Mapping[str, HostOutcome]) -> WaveRecord:
    hosts = tuple(dict.fromkeys((*old.hosts, *new.hosts)))
    both = {
        "hosts": hosts,
        "outcome": overall([outcomes[host] for host in hosts if host in outcomes]),
        "started_at": old.started_at or new.started_at,
        "finished_at": new.finished_at or old.finished_at,
    }
    return old.model_copy(update=both)
