"""The story of one rollback: survey, plan, switch, verify, record. It uses ports only (``core.ports``)."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

from rollback_ops import checks
from rollback_ops.core.errors import Cancelled, RollbackOpsError
from rollback_ops.core.health import Claim
from rollback_ops.core.outcome import overtime, provisional, record_of
from rollback_ops.core.patience import Patience
from rollback_ops.core.plan import Plan
from rollback_ops.core.ports import Announcer
from rollback_ops.core.record import Record
from rollback_ops.core.run import Attempt, RunState
from rollback_ops.core.unfinished import going_on
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.preflight import choose
from rollback_ops.engine.recovery import next_attempt
from rollback_ops.engine.spec import RollbackSpec, for_host
from rollback_ops.engine.superseded import note_superseded
from rollback_ops.engine.waiting import begin_anew, wait_for_hosts

# Steps of a transaction whose warnings are about more than the transaction.
_SIDE_EFFECTS = ("dependents", "processes", "reload")


def roll_back(spec: RollbackSpec, fleet: Fleet, announcer: Announcer) -> Record:
    """Roll all hosts back at once. The record says what became of it, whatever that is; nothing is raised."""
    state = RunState(spec.info, fleet.names, spec.redact, spec.started_at)
    try:
        survey(fleet, state)
        patience = Patience(time.monotonic(), spec.wait)
        attempt = _plan(spec, fleet, state, patience)
        while attempt:
            _switch(spec, fleet, state, attempt, announcer)
            if attempt.locked_out and (anew := begin_anew(spec, fleet, state, patience)):
                spec = anew
                attempt = _plan(spec, fleet, state, patience)
                continue
            announcer.changed()
            note_superseded(fleet, state, attempt.taken_over)
            fleet.heed_signals()
            _verify(spec, fleet, state, attempt)
            state.logs |= fleet.logs(attempt.unhealthy)
            attempt = next_attempt(spec, fleet, state, attempt)
    except Cancelled as cancelled:
        state.cancelled = cancelled.exit_code
    finally:
        fleet.release()
    return _record(spec, fleet, state)


def survey(fleet: Fleet, state: RunState) -> None:
    """Survey the hosts. A host that cannot be surveyed does not hold up the others."""
    fleet.progress.phase("survey", f"looking at {', '.join(fleet.names)}")
    for name, found in fleet.survey().items():
        if isinstance(found, RollbackOpsError):
            state.lost[name] = found
        else:
            state.surveys[name] = found


def _plan(spec: RollbackSpec, fleet: Fleet, state: RunState, patience: Patience) -> Attempt | None:
    """Decide what to do, once no other run holds a host. Returns the first attempt, where one is to be made."""
    wait_for_hosts(spec, fleet, state, patience)
    surveys = list(state.surveys.values())
    journals = lambda: (line for lines in fleet.journals(state.surveys).values() for line in lines)  # noqa: E731
    selection = going_on(spec.selection, spec.info.about, surveys, state.lost, journals)
    state.decision = decision = choose(replace(spec, selection=selection), fleet, surveys, {})
    if isinstance(decision, Plan):
        state.warnings += [warning for warning in decision.warnings if warning not in state.warnings]
        fleet.progress.phase("plan", f"{state.origin or 'nothing'} → {decision.target}")
    return Attempt(decision) if isinstance(decision, Plan) and not state.info.dry_run else None


def _switch(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt, announcer: Announcer) -> None:
    """Run the transaction on every host. From here on each host finishes what it began, whatever happens to us."""
    state.attempts.append(attempt)
    orders = {host.host: for_host(spec, host, state) for host in attempt.plan.with_action("switch")}
    if not orders:
        return
    fleet.progress.phase("switch", f"{', '.join(orders)} to {attempt.plan.target}")
    announcer.changing(provisional(state))
    # The way back is finished even when the time is up.
    attempt.switched.update(fleet.switch(orders, spec.limits.stop + spec.limits.start if attempt.goes_back else 1.0))
    state.warnings += _side_effects(attempt)


def _side_effects(attempt: Attempt) -> list[str]:
    """Name what a stop and a start left besides: other units that are down, processes that are still there."""
    return [
        f"{host}: {step.detail}"
        for host, result in attempt.switched.items()
        for step in result.steps
        if step.name in _SIDE_EFFECTS and step.outcome == "warning"
    ]


def _verify(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt) -> None:
    """Run the checks on every host that runs the target."""
    if attempt.goes_back:
        return
    after = checks.after(spec.checks(attempt.plan.target))
    if spec.selection.emergency:
        state.skipped = tuple((name, check.kind) for name, check in after.items())
        state.warnings.append("the verification was skipped (emergency): run `rollback-ops verify` now")
        return
    if not attempt.running:
        return
    target = attempt.plan.target
    fleet.progress.phase("verify", f"checking {target} on {', '.join(attempt.running)}")
    claims = {name: Claim(spec.info.id, target, leased=name in attempt.switched) for name in attempt.running}
    units = {name: result.units for name, result in attempt.switched.items()}
    found = fleet.verify(lambda _: checks.after(spec.checks(target)), spec.thresholds, claims, units)
    attempt.verified.update(found)
    note_superseded(fleet, state, [name for name, each in found.items() if each.superseded])


def _record(spec: RollbackSpec, fleet: Fleet, state: RunState) -> Record:
    """Write the record into the journal of every changed host. A journal that cannot be written is a warning."""
    # Writing takes time too, and every copy of the record is to be the same.
    state.finished_at = datetime.now(UTC)
    state.hold = state.hold_after(spec.hold)
    state.warnings += overtime(record_of(state), {"find": spec.limits.find, "switch": spec.limits.switch})
    record = record_of(state)
    errors = fleet.record(record.id, {name: state.marks(name) for name in state.touched}, record.line(), state.hold)
    if not spec.selection.if_current:
        # Hosts that are done already belong to the rollback, too: the next one reads there how far it came.
        marks = {name: state.marks(name) for name in state.left_alone}
        errors |= fleet.record(record.id, marks, record.line() if state.touched else "", state.hold)
    missing = {name: error.message.removeprefix(f"{name}: ") for name, error in errors.items()}
    state.warnings += [f"{name}: its journal lacks this record: {why}" for name, why in missing.items()]
    if not state.cancelled and not spec.info.dry_run:
        fleet.share_holds(list(state.surveys.values()))
    return record_of(state)
