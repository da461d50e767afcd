"""From the state of a run to its record: the outcome of each host, and of all of them together. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

from rollback_ops.core.errors import BadAnswer, Exit
from rollback_ops.core.health import Health, Verification
from rollback_ops.core.model import Hold, StepOutcome, Survey, SwitchOutcome, SwitchResult
from rollback_ops.core.order import live_at
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, Rejected
from rollback_ops.core.record import (
    CheckRecord,
    HoldRecord,
    HostOutcome,
    HostRecord,
    Outcome,
    Record,
    RejectedRelease,
    ReleaseRef,
    ShardRef,
    ShareRecord,
    StepRecord,
    StrategyRecord,
    Superseder,
    WaveRecord,
)
from rollback_ops.core.run import Attempt, RunInfo, RunState, evidence, rfc3339

EXIT_CODES: dict[Outcome, Exit] = {
    "succeeded": Exit.OK,
    "nothing_to_do": Exit.OK,
    "refused": Exit.REFUSED,
    "verification_failed": Exit.VERIFICATION_FAILED,
    "health_unknown": Exit.VERIFICATION_FAILED,
    "restored": Exit.RESTORED,
    "failed": Exit.FAILED,
    "partial": Exit.PARTIAL,
    "superseded": Exit.SUPERSEDED,
}
# The detail of a host whose run was killed before the host's transaction ended.
KILLED = "rollback-ops was killed before this host finished"
_VERIFY_OUTCOMES: dict[Health, StepOutcome] = {"healthy": "ok", "unhealthy": "failed", "unknown": "warning"}
_HEALTH_OUTCOMES: dict[Health, HostOutcome] = {
    "healthy": "succeeded",
    "unhealthy": "verification_failed",
    "unknown": "health_unknown",
}
_OF_ALL: dict[HostOutcome, Outcome] = {
    "succeeded": "succeeded",
    "verification_failed": "verification_failed",
    "health_unknown": "health_unknown",
    "restored": "restored",
    "failed": "failed",
    "unknown": "failed",
    "refused": "refused",
    "unreachable": "refused",
    "superseded": "superseded",
    "cancelled": "cancelled",
    "not_begun": "partial",
}


def record_of(state: RunState) -> Record:
    """Return the record as of now, with its secrets redacted."""
    info = state.info
    finished_at = state.finished_at or datetime.now(UTC)
    hosts = tuple(_host(state, name) for name in state.host_names)
    outcome = _outcome(state, hosts)
    record = Record(
        **info.facts(),
        started_at=rfc3339(state.started_at),
        finished_at=rfc3339(finished_at),
        duration_seconds=round((finished_at - state.started_at).total_seconds(), 3),
        outcome=outcome,
        exit_code=state.cancelled or _exit_code(info, outcome),
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
    """Return the record that holds if the run is killed in the attempt that begins now: its hosts are unknown."""
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


def _exit_code(info: RunInfo, outcome: Outcome) -> Exit:
    return Exit.VERIFICATION_FAILED if info.guarded and outcome == "succeeded" else EXIT_CODES[outcome]


def overall(outcomes: Sequence[HostOutcome]) -> Outcome:
    """Return one outcome for all hosts. Hosts with nothing to do count only when all are like that."""
    met = {_OF_ALL[outcome] for outcome in outcomes if outcome != "nothing_to_do"}
    if met - {"partial"} in ({"restored"}, {"refused"}):
        # Hosts whose wave did not begin are unchanged, as these are.
        met -= {"partial"}
    if met == {"verification_failed", "health_unknown"}:
        return "verification_failed"
    if len(met) > 1 or (met == {"refused"} and "nothing_to_do" in outcomes):
        return "partial"
    return met.pop() if met else "nothing_to_do"


def _outcome(state: RunState, hosts: Sequence[HostRecord]) -> Outcome:
    if state.cancelled:
        return "cancelled"
    if isinstance(state.decision, Refusal | None):
        return "refused"
    return overall([host.outcome for host in hosts])


def _rejected(state: RunState) -> tuple[Rejected, ...]:
    return () if isinstance(state.decision, NothingToDo | None) else state.decision.rejected


def _from(state: RunState, hosts: Sequence[HostRecord]) -> ReleaseRef:
    """Return the release that was left: that of the hosts that were switched, or are to be; else of all hosts."""
    plan = state.attempts[0].plan if state.attempts else state.decision
    switched = {host.host for host in plan.with_action("switch")} if isinstance(plan, Plan) else set()
    return _common([host.from_ for host in hosts if host.host in switched] or [host.from_ for host in hosts])


def _to(state: RunState) -> ReleaseRef:
    plan = state.forward[-1].plan if state.forward else state.decision
    if not isinstance(plan, Plan):
        return ReleaseRef()
    found = _common([reference(survey, plan.target_on(name)) for name, survey in state.surveys.items()])
    return ReleaseRef(release=plan.release or None, revision=plan.revision or None, deployed_at=found.deployed_at)


def _host(state: RunState, name: str) -> HostRecord:
    outcome, detail = _host_outcome(state, name)
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


def _host_outcome(state: RunState, name: str) -> tuple[HostOutcome, str]:
    superseder = state.superseded.get(name)
    if superseder:
        return "superseded", _taken_over(superseder)
    drilled = state.drill and state.attempts and name in state.attempts[0].switched
    return _drilled(state, name) if drilled else _own_outcome(state, name)


def _own_outcome(state: RunState, name: str) -> tuple[HostOutcome, str]:
    if error := state.lost.get(name):
        # Only its survey was requested.
        detail = error.message.removeprefix(f"{name}: ")
        return ("refused" if isinstance(error, BadAnswer) else "unreachable"), detail
    if attempt := state.last(name):
        outcome, detail = _switch_outcome(attempt, name, state.logs.get(name, ()))
        unproven = state.cancelled and outcome == "succeeded" and name not in attempt.verified
        return outcome, detail or ("it was not verified" if unproven else "")
    match state.decision:
        case Plan() as plan:
            return _planned_outcome(state, plan, name)
        case NothingToDo(why=why):
            return "nothing_to_do", why
        case Refusal() as refusal:
            return "refused", refusal.about(name)
    return "cancelled", ""


def _drilled(state: RunState, name: str) -> tuple[HostOutcome, str]:
    """Return the outcome of a host of a drill. It succeeded where both ways did, and its checks passed on both."""
    there, *then = state.attempts
    logs = state.logs.get(name, ())
    outcome, detail = _switch_outcome(there, name, logs)
    forward = next((attempt for attempt in then if name in attempt.switched), None)
    if forward is None:
        again = f"it was not taken forward again: run `rollback-ops resume {state.info.environment}`"
        left = there.switched[name].target_is_live or outcome == "unknown"
        return ("failed", " | ".join(filter(None, (detail, again)))) if left else (outcome, detail)
    ended, why = _switch_outcome(replace(forward, goes_back=False), name, logs)
    if ended != "succeeded":
        return ended, why
    if outcome != "succeeded":
        return "restored", detail or f"{there.plan.target} was not healthy"
    if state.cancelled:
        return "restored", "the drill was stopped by a signal"
    return "succeeded", ""


def outcome_of(verification: Verification) -> HostOutcome:
    """Return the outcome of a host whose release was verified."""
    if verification.superseded:
        return "superseded"
    return _HEALTH_OUTCOMES[verification.verdict]


def _taken_over(by: Superseder) -> str:
    """Say what took the host over, and that it was left alone."""
    who = ", ".join(filter(None, (by.run and f"run {by.run}", by.actor, by.run_url)))
    what = f"{by.release} was made live" if by.release else "it was taken over"
    return f"{what} meanwhile{f' ({who})' if who else ''}, and was left alone"


def _planned_outcome(state: RunState, plan: Plan, name: str) -> tuple[HostOutcome, str]:
    """Return the outcome of a host that was not switched, or not yet."""
    host = plan.on(name)
    if host is None:
        raise ValueError(f"the plan does not have {name}")
    if host.action == "exclude":
        return "refused", host.why
    verified = next((a.verified[name] for a in reversed(state.attempts) if name in a.verified), None)
    if verified and not verified.healthy:
        return outcome_of(verified), host.why
    if host.action == "leave" or state.info.dry_run:
        return "nothing_to_do", host.why
    if state.group and not state.attempts:
        return "not_begun", f"the group {state.group.name} stopped before this service"
    if state.rollout:
        return "not_begun", "its wave did not begin"
    return "cancelled", host.why


def _switch_outcome(attempt: Attempt, name: str, logs: Sequence[str]) -> tuple[HostOutcome, str]:
    result = attempt.switched[name]
    verification = attempt.verified.get(name)
    against = evidence(verification) if verification else []
    detail = " | ".join(filter(None, (result.reason, result.undrained, *against, *(*logs, *result.log_tail)[-3:])))
    # A service that runs and gets no traffic counts as down.
    outcome: SwitchOutcome = "failed" if result.undrained else result.outcome
    match outcome:
        case "switched" if attempt.goes_back:
            why = next((host.why for host in attempt.plan.hosts if host.host == name), "")
            return "restored", f"{why or 'the target was unhealthy'}; {result.live} was started again"
        case "switched":
            return _proven(attempt, name), detail
        case "still_starting" if not attempt.goes_back:
            return "health_unknown", detail
        case "refused" | "unknown":
            return ("failed" if attempt.goes_back else outcome), detail
        case "put_back":
            return "restored", detail
    return "failed", detail


def _proven(attempt: Attempt, name: str) -> HostOutcome:
    verification = attempt.verified.get(name)
    if verification is None:
        return "succeeded"
    return "failed" if verification.verdict == "unhealthy" and verification.down else outcome_of(verification)


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


def reference(survey: Survey | None, name: str) -> ReleaseRef:
    """Return what the record says of a release of a host."""
    release = survey.release(name) if survey else None
    if release is None:
        return ReleaseRef(release=name or None)
    return ReleaseRef(release=name, revision=release.revision or None, deployed_at=_moment(live_at(release)))


def _moment(at: float) -> str | None:
    """Format a time that a host told, which may be any number. 0: unknown."""
    try:
        return rfc3339(datetime.fromtimestamp(at, UTC)) if at else None
    except (ValueError, OverflowError):
        return None


def _common(references: Sequence[ReleaseRef]) -> ReleaseRef:
    """Return the reference that most hosts share, with the time of the first host that it was deployed to.

    Where one revision has several names, none of them is told.
    """
    known = [each for each in references if each.release]
    if not known:
        return ReleaseRef()
    what = [(each.release, each.revision) for each in known]
    most = Counter(what).most_common(1)[0][0]
    alike = [ref for ref, each in zip(known, what, strict=True) if each == most]
    first = min(alike, key=lambda each: each.deployed_at or "9")
    names = {each.release for each in known if first.revision and each.revision == first.revision}
    return first if len(names) < 2 else first.model_copy(update={"release": None})
