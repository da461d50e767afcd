"""Makes the record of a run from its state. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

from rollback_ops.core.errors import Exit
from rollback_ops.core.health import Health
from rollback_ops.core.model import Hold, StepOutcome, SwitchResult
from rollback_ops.core.outcome import KILLED, exit_code_of, host_outcome, overall, run_outcome
from rollback_ops.core.plan import NothingToDo, Plan, Rejected
from rollback_ops.core.record import (
    CheckRecord,
    HoldRecord,
    HostRecord,
    Record,
    RejectedRelease,
    ReleaseRef,
    ShardRef,
    ShareRecord,
    StepRecord,
    StrategyRecord,
    WaveRecord,
)
from rollback_ops.core.references import common, reference
from rollback_ops.core.run import RunState, rfc3339

_VERIFY_OUTCOMES: dict[Health, StepOutcome] = {"healthy": "ok", "unhealthy": "failed", "unknown": "warning"}


def record_of(state: RunState) -> Record:
    """Return the record as of now, with its secrets redacted."""
    info = state.info
    finished_at = state.finished_at or datetime.now(UTC)
    hosts = tuple(_host(state, name) for name in state.host_names)
    outcome = run_outcome(state, hosts)
    record = Record(
        **info.facts(),
        started_at=rfc3339(state.started_at),
        finished_at=rfc3339(finished_at),
        duration_seconds=round((finished_at - state.started_at).total_seconds(), 3),
        outcome=outcome,
        exit_code=state.cancelled or exit_code_of(info, outcome),
        from_=_from(state, hosts),
        to=_to(state),
        rejected=tuple(RejectedRelease(release=r.release, why=r.why) for r in _rejected(state)),
        hosts=hosts,
        superseded_by=next((host.superseded_by for host in hosts if host.superseded_by), None),
        hold=_hold(state.hold) if state.hold else None,
        plan=state.plan,
        strategy=_strategy(state),
        waves=tuple(_waves(state, hosts)),
        group=state.group,
        shard=ShardRef(number=state.pinned.shard.number, of=len(state.pinned.fleet.shards)) if state.pinned else None,
        evidence=state.evidence,
        drill=state.drill,
        warnings=tuple(state.warnings),
    )
    return record.redacted(state.redact)


def provisional(state: RunState) -> Record:
    """Return the record for the case that the run is killed in the attempt that begins now: its hosts are unknown."""
    attempted = set(state.changing)
    unknown = {"outcome": "unknown", "to": ReleaseRef(), "detail": KILLED}
    record = record_of(replace(state, cancelled=Exit.TERMINATED))
    hosts = tuple(host.model_copy(update=unknown) if host.host in attempted else host for host in record.hosts)
    return record.model_copy(update={"hosts": hosts})


def overtime(record: Record, limits: Mapping[str, float]) -> list[str]:
    """Name the steps that took longer than their limit, of those that are not cut short at their limit."""
    return [
        f"{host.host}: {step.name} took {step.seconds:.1f} s, more than limits.{step.name} ({limits[step.name]:g} s)"
        for host in record.hosts
        for step in host.steps
        if step.name in limits and step.seconds > limits[step.name]
    ]


def _rejected(state: RunState) -> tuple[Rejected, ...]:
    return () if isinstance(state.decision, NothingToDo | None) else state.decision.rejected


def _from(state: RunState, hosts: Sequence[HostRecord]) -> ReleaseRef:
    """Return the release that was left: that of the hosts that were switched, or are to be; else of all hosts."""
    plan = state.attempts[0].plan if state.attempts else state.decision
    switched = {host.host for host in plan.with_action("switch")} if isinstance(plan, Plan) else set()
    return common([host.from_ for host in hosts if host.host in switched] or [host.from_ for host in hosts])


def _to(state: RunState) -> ReleaseRef:
    plan = state.forward[-1].plan if state.forward else state.decision
    if not isinstance(plan, Plan):
        return ReleaseRef()
    found = common([reference(survey, plan.target_on(name)) for name, survey in state.surveys.items()])
    return ReleaseRef(release=plan.release or None, revision=plan.revision or None, deployed_at=found.deployed_at)


def _host(state: RunState, name: str) -> HostRecord:
    outcome, detail = host_outcome(state, name)
    survey, last = state.surveys.get(name), state.last(name)
    live = last.switched[name].live if last else survey.live.name if survey else ""
    superseder = state.superseded.get(name)
    results = [a.switched[name] for a in state.attempts if name in a.switched]
    return HostRecord(
        host=name,
        outcome=outcome,
        from_=reference(survey, survey.origin if survey else ""),
        to=reference(survey, (superseder.release or "") if superseder else live),
        downtime_seconds=_downtime(results),
        steps=tuple(_steps(state, name)),
        checks=tuple(_checks(state, name)),
        detail=detail,
        region=state.regions.get(name),
        superseded_by=superseder,
    )


def _steps(state: RunState, name: str) -> Iterator[StepRecord]:
    """Yield the steps of a host in their order, from its survey to its verification."""
    if survey := state.surveys.get(name):
        yield StepRecord(name="find", seconds=round(survey.seconds, 3), outcome="ok")
    for attempt in state.attempts:
        result, verification = attempt.switched.get(name), attempt.verified.get(name)
        for step in result.steps if result else ():
            yield StepRecord(name=step.name, seconds=step.seconds, outcome=step.outcome, detail=step.detail)
        if verification:
            verified = _VERIFY_OUTCOMES[verification.verdict]
            yield StepRecord(name="verify", seconds=round(verification.seconds, 3), outcome=verified)
        elif result and state.skipped:
            yield StepRecord(name="verify", seconds=0.0, outcome="skipped")


def _checks(state: RunState, name: str) -> Iterator[CheckRecord]:
    """Yield the checks of the last verification, or that they were skipped."""
    verified = next((a.verified[name] for a in reversed(state.attempts) if name in a.verified), None)
    verified = verified or state.watched.get(name)
    for check in verified.checks if verified else ():
        finding = check.finding
        yield CheckRecord(
            name=check.name,
            kind=check.kind,
            outcome=finding.verdict,
            detail=finding.detail,
            seconds=round(check.seconds, 3),
        )
    if verified is None and state.last(name):
        for check_name, kind in state.skipped:
            yield CheckRecord(name=check_name, kind=kind, outcome="skipped")


def _hold(hold: Hold) -> HoldRecord:
    since, until = (rfc3339(datetime.fromtimestamp(at, UTC)) for at in (hold.since, hold.until))
    releases = tuple(ReleaseRef(release=r.release, revision=r.revision or None) for r in hold.releases)
    return HoldRecord(releases=releases, since=since, until=until)


def _strategy(state: RunState) -> StrategyRecord | None:
    rollout = state.rollout
    if rollout is None:
        return None
    shares = (asdict(share) | {"region": share.region or None} for share in rollout.shares)
    said = {key: value for key, value in asdict(rollout).items() if key not in ("waves", "shares")}
    return StrategyRecord(
        **said,
        hosts=len(rollout.hosts),
        shares=tuple(ShareRecord(**share) for share in shares),
        stopped=state.stopped,
        then=state.then,
    )


def _waves(state: RunState, hosts: Sequence[HostRecord]) -> Iterator[WaveRecord]:
    """Yield every wave: those that began, with the outcomes of their hosts, and those that did not."""
    outcomes = {host.host: host.outcome for host in hosts}
    begun = {run.wave.number: run for run in state.waves}
    for wave in state.rollout.waves if state.rollout else ():
        run = begun.get(wave.number)
        yield WaveRecord(
            number=wave.number,
            role=wave.role,
            region=wave.region or None,
            hosts=wave.hosts,
            outcome=overall([outcomes[host] for host in wave.hosts]) if run else "not_begun",
            started_at=rfc3339(run.started_at) if run else None,
            finished_at=rfc3339(run.finished_at) if run and run.finished_at else None,
        )


def _downtime(results: Sequence[SwitchResult]) -> float | None:
    known = [result.downtime for result in results if result.downtime is not None]
    return round(sum(known), 3) if known else None
