"""The story of one rollback: survey, plan, inspect, switch, verify, record. It is told on ports only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rollback_ops import checks
from rollback_ops.checks import Look, Visit
from rollback_ops.chronicle import Chronicle, Heading, rfc3339
from rollback_ops.crew import Crew
from rollback_ops.errors import Cancelled, RollbackOpsError
from rollback_ops.model import SwitchOrder
from rollback_ops.plan import HostPlan, NothingToDo, Plan, Refusal, Wish, make_plan
from rollback_ops.ports import Progress
from rollback_ops.record import Record
from rollback_ops.settings import Verify


@dataclass(frozen=True, slots=True)
class Order:
    """One rollback as it was asked for. ``checks`` makes the checks for a release, anew for each host."""

    heading: Heading
    wish: Wish
    checks: Callable[[str], Mapping[str, Look | Visit]]
    policy: Verify


def roll_back(order: Order, crew: Crew, progress: Progress) -> Record:
    """Carry a rollback out on all hosts at once. What it came to is in the record, whatever that is."""
    chronicle = Chronicle(order.heading, crew.names)
    try:
        _survey(crew, chronicle, progress)
        _plan(order, crew, chronicle, progress)
        if isinstance(chronicle.decision, Plan) and not order.heading.dry_run:
            _switch(order, crew, chronicle, chronicle.decision, progress)
            crew.heed_signals()
            _verify(order, crew, chronicle, chronicle.decision, progress)
    except Cancelled as cancelled:
        chronicle.cancelled = cancelled.exit_code
    _write_down(crew, chronicle)
    return chronicle.record()


def _survey(crew: Crew, chronicle: Chronicle, progress: Progress) -> None:
    progress.phase("survey", f"looking at {', '.join(crew.names)}")
    for name, found in crew.survey().items():
        if isinstance(found, RollbackOpsError):
            chronicle.lost[name] = found
        else:
            chronicle.surveys[name] = found


def _plan(order: Order, crew: Crew, chronicle: Chronicle, progress: Progress) -> None:
    reached = bool(chronicle.surveys)
    decision = _decide(order, crew, chronicle, progress) if reached else Refusal("no host can be reached")
    chronicle.decision = decision
    if isinstance(decision, Plan):
        chronicle.warnings += decision.warnings
        progress.phase("plan", f"{chronicle.origin or 'nothing'} → {decision.target}")


def _decide(order: Order, crew: Crew, chronicle: Chronicle, progress: Progress) -> Plan | NothingToDo | Refusal:
    """Choose the target. One that turns out not to be what was sealed is not chosen again."""
    broken: dict[str, str] = {}
    while isinstance(plan := make_plan(list(chronicle.surveys.values()), order.wish, broken), Plan):
        objection = _inspect(order, crew, chronicle, plan, progress)
        if objection is None:
            break
        if isinstance(objection, Refusal):
            return objection
        broken[plan.target] = objection
    return plan


def _inspect(order: Order, crew: Crew, chronicle: Chronicle, plan: Plan, progress: Progress) -> str | Refusal | None:
    """Ask the target what can be asked before anything is stopped.

    A text says why another release should be tried, a refusal why none should.
    """
    before = checks.before(order.checks(plan.target))
    meant = [host.host for host in plan.with_action("switch")]
    asked = meant if before else [n for n in meant if (r := chronicle.surveys[n].release(plan.target)) and r.sealed]
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


def _switch(order: Order, crew: Crew, chronicle: Chronicle, plan: Plan, progress: Progress) -> None:
    """The transaction on every host. From here on each host finishes what it began, whatever happens to us."""
    orders = {
        host.host: _order_for(order.heading, host, plan, chronicle, order.wish) for host in plan.with_action("switch")
    }
    progress.phase("switch", f"{', '.join(orders)} to {plan.target}")
    chronicle.switched.update(crew.switch(orders))


def _order_for(heading: Heading, host: HostPlan, plan: Plan, chronicle: Chronicle, wish: Wish) -> SwitchOrder:
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
        "from": chronicle.surveys[host.host].origin or None,
        "to": plan.target,
        "at": rfc3339(chronicle.started_at),
    }
    return SwitchOrder(
        run=heading.run,
        source=host.source.path,
        target=plan.target,
        owner=heading.actor,
        run_url=heading.run_url,
        intent=json.dumps(intent, separators=(",", ":")),
        break_lock=wish.emergency,
    )


def _verify(order: Order, crew: Crew, chronicle: Chronicle, plan: Plan, progress: Progress) -> None:
    """Prove that the service works again, on every host that runs the target."""
    if order.wish.emergency:
        chronicle.warnings.append("verification was skipped (emergency): run `rollback-ops verify` now")
        return
    running = [name for name, result in chronicle.switched.items() if result.outcome == "switched"]
    running += [host.host for host in plan.with_action("leave") if host.source.name == plan.target]
    progress.phase("verify", f"checking {plan.target} on {', '.join(running) or 'no host'}")
    chronicle.verified.update(
        crew.verify(running, lambda: checks.after(order.checks(plan.target)), order.policy, order.heading.run)
    )


def _write_down(crew: Crew, chronicle: Chronicle) -> None:
    """Leave the record in the journal of every host that was touched. What could not be told is a warning."""
    # Writing takes its time too, and still everyone is to have the same document.
    chronicle.finished_at = datetime.now(UTC)
    touched = [name for name, result in chronicle.switched.items() if result.outcome not in ("refused", "unknown")]
    record = chronicle.record()
    errors = crew.record(record.id, {name: chronicle.marks(name) for name in touched}, record.line())
    chronicle.warnings += [f"{name}: its journal lacks this record: {e.message}" for name, e in errors.items()]
