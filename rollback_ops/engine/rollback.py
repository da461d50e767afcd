"""The story of one rollback: survey, plan, switch, verify, record. It is told on ports only."""

from __future__ import annotations

from datetime import UTC, datetime

from rollback_ops import checks
from rollback_ops.core.errors import Cancelled, RollbackOpsError
from rollback_ops.core.outcome import overtime, provisional, record_of
from rollback_ops.core.plan import Plan
from rollback_ops.core.ports import Progress
from rollback_ops.core.record import Record
from rollback_ops.core.run import Attempt, RunState
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.preflight import choose
from rollback_ops.engine.recovery import next_attempt
from rollback_ops.engine.spec import RollbackSpec, for_host


def roll_back(spec: RollbackSpec, fleet: Fleet, progress: Progress) -> Record:
    """Carry a rollback out on all hosts at once. What it came to is in the record, whatever that is."""
    state = RunState(spec.info, fleet.names)
    try:
        look(fleet, state, progress)
        _plan(spec, fleet, state, progress)
        attempt = _first(state)
        while attempt:
            _switch(spec, fleet, state, attempt, progress)
            fleet.heed_signals()
            _verify(spec, fleet, state, attempt, progress)
            state.logs |= fleet.logs(attempt.unhealthy)
            attempt = next_attempt(spec, fleet, state, attempt, progress)
    except Cancelled as cancelled:
        state.cancelled = cancelled.exit_code
    return _write_down(spec, fleet, state)


def look(fleet: Fleet, state: RunState, progress: Progress) -> None:
    """Survey the hosts; those that cannot be looked at do not hold up the others."""
    progress.phase("survey", f"looking at {', '.join(fleet.names)}")
    for name, found in fleet.survey().items():
        if isinstance(found, RollbackOpsError):
            state.lost[name] = found
        else:
            state.surveys[name] = found


def _plan(spec: RollbackSpec, fleet: Fleet, state: RunState, progress: Progress) -> None:
    state.decision = decision = choose(spec, fleet, list(state.surveys.values()), progress, {})
    if isinstance(decision, Plan):
        state.warnings += decision.warnings
        progress.phase("plan", f"{state.origin or 'nothing'} → {decision.target}")


def _first(state: RunState) -> Attempt | None:
    plan = state.decision
    return Attempt(plan) if isinstance(plan, Plan) and not state.info.dry_run else None


def _switch(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt, progress: Progress) -> None:
    """The transaction on every host. From here on each host finishes what it began, whatever happens to us."""
    state.attempts.append(attempt)
    orders = {host.host: for_host(spec, host, state) for host in attempt.plan.with_action("switch")}
    progress.phase("switch", f"{', '.join(orders)} to {attempt.plan.target}")
    progress.changing(provisional(state))
    # The way back is gone to its end, also when the time is up.
    attempt.switched.update(fleet.switch(orders, spec.limits.stop + spec.limits.start if attempt.goes_back else 1.0))
    progress.changed()


def _verify(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt, progress: Progress) -> None:
    """Prove that the service works again, on every host that runs the target."""
    if attempt.goes_back:
        return
    after = checks.after(spec.checks(attempt.plan.target))
    if spec.selection.emergency:
        state.skipped = tuple((name, check.kind) for name, check in after.items())
        state.warnings.append("verification was skipped (emergency): run `rollback-ops verify` now")
        return
    if not attempt.running:
        return
    progress.phase("verify", f"checking {attempt.plan.target} on {', '.join(attempt.running)}")
    anew = lambda _: checks.after(spec.checks(attempt.plan.target))  # noqa: E731
    units = {name: result.units for name, result in attempt.switched.items()}
    attempt.verified.update(fleet.verify(attempt.running, anew, spec.thresholds, spec.info.run, units))


def _write_down(spec: RollbackSpec, fleet: Fleet, state: RunState) -> Record:
    """Leave the record in the journal of every host that was touched. What could not be told is a warning."""
    # Writing takes its time too, and still everyone is to have the same document.
    state.finished_at = datetime.now(UTC)
    state.warnings += overtime(record_of(state), {"find": spec.limits.find, "switch": spec.limits.switch})
    record = record_of(state)
    errors = fleet.record(record.id, {name: state.marks(name) for name in state.touched}, record.line())
    state.warnings += [f"{name}: its journal lacks this record: {e.message}" for name, e in errors.items()]
    return record_of(state)
