"""The story of one rollback: survey, plan, switch, verify, record. It is told on ports only."""

from __future__ import annotations

from datetime import UTC, datetime

from rollback_ops import checks
from rollback_ops.core.errors import Cancelled, RollbackOpsError
from rollback_ops.core.outcome import overtime, provisional, record_of
from rollback_ops.core.plan import Plan
from rollback_ops.core.ports import Progress
from rollback_ops.core.record import Record
from rollback_ops.core.run import Attempt, Chronicle
from rollback_ops.engine.fleet import Crew
from rollback_ops.engine.preflight import choose
from rollback_ops.engine.recovery import next_attempt
from rollback_ops.engine.spec import Order, for_host


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
            attempt = next_attempt(order, crew, chronicle, attempt, progress)
    except Cancelled as cancelled:
        chronicle.cancelled = cancelled.exit_code
    return _write_down(order, crew, chronicle)


def look(crew: Crew, chronicle: Chronicle, progress: Progress) -> None:
    """Survey the hosts; those that cannot be looked at do not hold up the others."""
    progress.phase("survey", f"looking at {', '.join(crew.names)}")
    for name, found in crew.survey().items():
        if isinstance(found, RollbackOpsError):
            chronicle.lost[name] = found
        else:
            chronicle.surveys[name] = found


def _plan(order: Order, crew: Crew, chronicle: Chronicle, progress: Progress) -> None:
    chronicle.decision = decision = choose(order, crew, list(chronicle.surveys.values()), progress, {})
    if isinstance(decision, Plan):
        chronicle.warnings += decision.warnings
        progress.phase("plan", f"{chronicle.origin or 'nothing'} → {decision.target}")


def _first(chronicle: Chronicle) -> Attempt | None:
    plan = chronicle.decision
    return Attempt(plan) if isinstance(plan, Plan) and not chronicle.heading.dry_run else None


def _switch(order: Order, crew: Crew, chronicle: Chronicle, attempt: Attempt, progress: Progress) -> None:
    """The transaction on every host. From here on each host finishes what it began, whatever happens to us."""
    chronicle.attempts.append(attempt)
    orders = {host.host: for_host(order, host, chronicle) for host in attempt.plan.with_action("switch")}
    progress.phase("switch", f"{', '.join(orders)} to {attempt.plan.target}")
    progress.changing(provisional(chronicle))
    # The way back is gone to its end, also when the time is up.
    attempt.switched.update(crew.switch(orders, order.limits.stop + order.limits.start if attempt.goes_back else 1.0))
    progress.changed()


def _verify(order: Order, crew: Crew, chronicle: Chronicle, attempt: Attempt, progress: Progress) -> None:
    """Prove that the service works again, on every host that runs the target."""
    if attempt.goes_back:
        return
    after = checks.after(order.checks(attempt.plan.target))
    if order.wish.emergency:
        chronicle.skipped = tuple((name, check.kind) for name, check in after.items())
        chronicle.warnings.append("verification was skipped (emergency): run `rollback-ops verify` now")
        return
    if not attempt.running:
        return
    progress.phase("verify", f"checking {attempt.plan.target} on {', '.join(attempt.running)}")
    anew = lambda _: checks.after(order.checks(attempt.plan.target))  # noqa: E731
    units = {name: result.units for name, result in attempt.switched.items()}
    attempt.verified.update(crew.verify(attempt.running, anew, order.paces, order.heading.run, units))


def _write_down(order: Order, crew: Crew, chronicle: Chronicle) -> Record:
    """Leave the record in the journal of every host that was touched. What could not be told is a warning."""
    # Writing takes its time too, and still everyone is to have the same document.
    chronicle.finished_at = datetime.now(UTC)
    chronicle.warnings += overtime(record_of(chronicle), {"find": order.limits.find, "switch": order.limits.switch})
    record = record_of(chronicle)
    errors = crew.record(record.id, {name: chronicle.marks(name) for name in chronicle.touched}, record.line())
    chronicle.warnings += [f"{name}: its journal lacks this record: {e.message}" for name, e in errors.items()]
    return record_of(chronicle)
