"""The story of one rollback: survey, plan, inspect, switch, verify, record. It is told on ports only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rollback_ops import checks
from rollback_ops.checks import Look, Visit
from rollback_ops.chronicle import Attempt, Chronicle, Heading, rfc3339
from rollback_ops.crew import Crew
from rollback_ops.errors import Cancelled, RollbackOpsError
from rollback_ops.model import Pace, Survey, SwitchOrder
from rollback_ops.plan import HostPlan, NothingToDo, Plan, Refusal, Wish, make_plan, way_back
from rollback_ops.ports import Progress
from rollback_ops.record import Record
from rollback_ops.settings import Verify
from rollback_ops.verdict import record_of


@dataclass(frozen=True, slots=True)
class Order:
    """One rollback as it was asked for. ``checks`` makes the checks for a release, anew for each host."""

    heading: Heading
    wish: Wish
    checks: Callable[[str], Mapping[str, Look | Visit]]
    policy: Verify
    paces: Mapping[str, Pace]


def roll_back(order: Order, crew: Crew, progress: Progress) -> Record:
    """Carry a rollback out on all hosts at once. What it came to is in the record, whatever that is."""
    chronicle = Chronicle(order.heading, crew.names)
    try:
        look(crew, chronicle, progress)
        _plan(order, crew, chronicle, progress)
        attempt = _first(chronicle)
        while attempt:
            _switch(order, crew, chronicle, attempt, progress)
            crew.heed_signals()
            _verify(order, crew, chronicle, attempt, progress)
            chronicle.logs |= crew.logs(attempt.unwell)
            attempt = _next(order, crew, chronicle, attempt, progress)
    except Cancelled as cancelled:
        chronicle.cancelled = cancelled.exit_code
    return _write_down(crew, chronicle)


def look(crew: Crew, chronicle: Chronicle, progress: Progress) -> None:
    """Survey the hosts; those that cannot be looked at do not hold up the others."""
    progress.phase("survey", f"looking at {', '.join(crew.names)}")
    for name, found in crew.survey().items():
        if isinstance(found, RollbackOpsError):
            chronicle.lost[name] = found
        else:
            chronicle.surveys[name] = found


def _plan(order: Order, crew: Crew, chronicle: Chronicle, progress: Progress) -> None:
    chronicle.decision = decision = _decide(order, crew, list(chronicle.surveys.values()), progress, {})
    if isinstance(decision, Plan):
        chronicle.warnings += decision.warnings
        progress.phase("plan", f"{chronicle.origin or 'nothing'} → {decision.target}")


def _decide(
    order: Order, crew: Crew, surveys: Sequence[Survey], progress: Progress, unfit: Mapping[str, str]
) -> Plan | NothingToDo | Refusal:
    """Choose the target. One that turns out not to be what was sealed is not chosen again."""
    if not surveys:
        return Refusal("no host can be reached")
    broken = dict(unfit)
    while isinstance(plan := make_plan(surveys, order.wish, broken), Plan):
        objection = _inspect(order, crew, surveys, plan, progress)
        if objection is None:
            break
        if isinstance(objection, Refusal):
            return objection
        broken[plan.target] = objection
    return plan


def _inspect(
    order: Order, crew: Crew, surveys: Sequence[Survey], plan: Plan, progress: Progress
) -> str | Refusal | None:
    """Ask the target what can be asked before anything is stopped.

    A text says why another release should be tried, a refusal why none should.
    """
    before = checks.before(order.checks(plan.target))
    meant = [host.host for host in plan.with_action("switch")]
    sealed = {survey.host for survey in surveys if (r := survey.release(plan.target)) and r.sealed}
    asked = meant if before else [name for name in meant if name in sealed]
    if not asked or order.wish.emergency:
        return None
    progress.phase("inspect", f"asking {plan.target} before anything is stopped")
    for host, found in crew.inspect(asked, plan.target, [c.question for c in before.values()]).items():
        if isinstance(found, RollbackOpsError):
            return Refusal(f"{host}: {plan.target} could not be inspected: {found.message}")
        if found.broken:
            return f"its files are not the sealed ones on {host}: {found.broken}"
        for number, (name, check) in enumerate(before.items()):
            finding = check.judge((), found.answers.get(number))
            if finding.verdict != "passed":
                return Refusal(f"{host}: the check {name} says that {plan.target} would not work: {finding.detail}")
    return None


def _first(chronicle: Chronicle) -> Attempt | None:
    plan = chronicle.decision
    return Attempt(plan) if isinstance(plan, Plan) and not chronicle.heading.dry_run else None


def _switch(order: Order, crew: Crew, chronicle: Chronicle, attempt: Attempt, progress: Progress) -> None:
    """The transaction on every host. From here on each host finishes what it began, whatever happens to us."""
    chronicle.attempts.append(attempt)
    orders = {host.host: _order_for(order, host, chronicle) for host in attempt.plan.with_action("switch")}
    progress.phase("switch", f"{', '.join(orders)} to {attempt.plan.target}")
    attempt.switched.update(crew.switch(orders))


def _order_for(order: Order, host: HostPlan, chronicle: Chronicle) -> SwitchOrder:
    heading, number = order.heading, len(chronicle.attempts)
    intent = {
        "event": "intent",
        "id": heading.run,
        "service": heading.service,
        "environment": heading.environment,
        "mode": heading.mode,
        "trigger": heading.trigger,
        "reason": heading.reason,
        "actor": heading.actor,
        "run_url": heading.run_url or None,
        "from": (chronicle.surveys[host.host].origin if number == 1 else host.source.name) or None,
        "to": host.target,
        "at": rfc3339(chronicle.started_at),
    }
    return SwitchOrder(
        run=heading.run if number == 1 else f"{heading.run}.{number}",
        source=host.source.path,
        target=host.target,
        owner=heading.actor,
        run_url=heading.run_url,
        intent=json.dumps(intent, separators=(",", ":")),
        break_lock=order.wish.emergency,
    )


def _verify(order: Order, crew: Crew, chronicle: Chronicle, attempt: Attempt, progress: Progress) -> None:
    """Prove that the service works again, on every host that runs the target."""
    if attempt.goes_back:
        return
    after = checks.after(order.checks(attempt.plan.target))
    if order.wish.emergency:
        chronicle.skipped = tuple((name, check.kind) for name, check in after.items())
        chronicle.warnings.append("verification was skipped (emergency): run `rollback-ops verify` now")
        return
    progress.phase("verify", f"checking {attempt.plan.target} on {', '.join(attempt.running) or 'no host'}")
    anew = lambda _: checks.after(order.checks(attempt.plan.target))  # noqa: E731
    attempt.verified.update(crew.verify(attempt.running, anew, order.paces, order.heading.run))


def _next(order: Order, crew: Crew, chronicle: Chronicle, attempt: Attempt, progress: Progress) -> Attempt | None:
    """What was asked for when the target is not well either (``on_failure``). It ends: each way is tried once."""
    if not attempt.failed or attempt.goes_back or order.wish.emergency:
        return None
    back = order.policy.on_failure == "restore"
    if not back and (order.policy.on_failure != "older" or len(chronicle.attempts) > order.policy.max_older):
        return None
    # What was live there before is where it started; on to an older one go all hosts that run the target.
    concerned = attempt.switched if back else {*attempt.switched, *attempt.running}
    again = crew.survey_again([name for name in crew.names if name in concerned])
    surveys = [_ours(survey, order) for survey in again.values() if isinstance(survey, Survey)]
    if back:
        progress.phase("restore", f"{attempt.plan.target} is not well: back to {chronicle.origin}")
        origins = {name: survey.origin for name, survey in chronicle.surveys.items()}
        return Attempt(way_back(surveys, origins, f"{attempt.plan.target} is not well"), goes_back=True)
    tried = {a.plan.target: "it is not well either" for a in chronicle.attempts}
    plan = _decide(replace(order, wish=Wish()), crew, surveys, progress, tried)
    if not isinstance(plan, Plan):
        chronicle.warnings.append(f"{attempt.plan.target} is not well, and none was tried after it: {plan.why}")
        return None
    progress.phase("older", f"{attempt.plan.target} is not well: on to {plan.target}")
    return Attempt(plan)


def _ours(survey: Survey, order: Order) -> Survey:
    """A survey in which this run's own lease is not in its way."""
    mine = survey.lease is not None and survey.lease.run.partition(".")[0] == order.heading.run
    return replace(survey, lease=None) if mine else survey


def _write_down(crew: Crew, chronicle: Chronicle) -> Record:
    """Leave the record in the journal of every host that was touched. What could not be told is a warning."""
    # Writing takes its time too, and still everyone is to have the same document.
    chronicle.finished_at = datetime.now(UTC)
    record = record_of(chronicle)
    errors = crew.record(record.id, {name: chronicle.marks(name) for name in chronicle.touched}, record.line())
    chronicle.warnings += [f"{name}: its journal lacks this record: {e.message}" for name, e in errors.items()]
    return record_of(chronicle)
