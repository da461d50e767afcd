"""One rollback: survey, plan, switch, verify, record. It uses ports only (``core.ports``)."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

from rollback_ops.core.errors import Cancelled, RollbackOpsError
from rollback_ops.core.notes import hold_after, notes_of
from rollback_ops.core.patience import Patience
from rollback_ops.core.plan import NothingToDo, Plan
from rollback_ops.core.ports import Announcer
from rollback_ops.core.record import Record
from rollback_ops.core.recorder import overtime, record_of
from rollback_ops.core.rollout import named
from rollback_ops.core.run import Attempt, RunState
from rollback_ops.core.unfinished import going_on
from rollback_ops.engine import leaving
from rollback_ops.engine.approval import approved
from rollback_ops.engine.change import change_all
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.preflight import choose
from rollback_ops.engine.recovery import next_attempt, way_back_of
from rollback_ops.engine.resuming import objection, overridden, take_up, take_up_waves, without_plan
from rollback_ops.engine.rollout import go_back, plan_waves, roll_out
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.engine.waiting import begin_anew, wait_for_hosts


def roll_back(spec: RollbackSpec, fleet: Fleet, announcer: Announcer) -> Record:
    """Roll the hosts back, all at once or in the waves of a strategy. Never raises.

    The record has the outcome, whatever it is.
    """
    run = Rollback(spec, fleet, announcer)
    try:
        run.survey()
        run.plan()
        run.carry_out()
    except Cancelled as cancelled:
        run.state.cancelled = cancelled.exit_code
    finally:
        fleet.release()
    return run.record()


class Rollback:
    """One rollback, step by step: a group has several at the same time, and decides between the steps.

    Every step may raise ``Cancelled``. ``attempt`` is what is carried out next; None: nothing.
    """

    def __init__(self, spec: RollbackSpec, fleet: Fleet, announcer: Announcer) -> None:
        self.spec = spec
        self.fleet = fleet
        self.state = RunState(
            spec.info, fleet.names, spec.redact, spec.started_at, regions=spec.regions, evidence=spec.evidence
        )
        self.attempt: Attempt | None = None
        self._announcer = announcer
        self._patience = Patience(time.monotonic(), spec.wait)
        self._leaving: leaving.Asked | None = None

    def survey(self) -> None:
        """Survey the hosts. A host that cannot be surveyed does not hold up the others."""
        survey(self.fleet, self.state)
        self.spec = take_up(self.spec, self.fleet, self.state)
        self._patience = Patience(time.monotonic(), self.spec.wait)
        self._leaving = leaving.ask(self.spec, self.fleet, self.state)

    def take_up_waves(self) -> None:
        """Go on with the waves of a stored plan, where there is one that is not finished."""
        self.spec = take_up_waves(self.spec, self.fleet, self.state) or self.spec

    def wait(self) -> None:
        """Wait for hosts that other runs hold."""
        wait_for_hosts(self.spec, self.fleet, self.state, self._patience)

    def plan(self) -> None:
        """Choose the target, and run all preflight checks before a service is stopped."""
        self.attempt = _plan(self.spec, self.fleet, self.state, self._patience)

    def carry_out(self) -> None:
        """Change the hosts and verify them, and make the further attempts that the settings ask for."""
        leaving.settle(self._leaving if self.attempt else None, self.spec)
        while attempt := self.attempt:
            began = time.time()
            _carry_out(self.spec, self.fleet, self.state, attempt, self._announcer)
            if self.spec.metrics:
                # Imported late: most services have no metrics.
                from rollback_ops.engine.metering import watch_restored

                watch_restored(self.spec, self.fleet, self.state, attempt, began)
            if attempt.locked_out and (anew := begin_anew(self.spec, self.fleet, self.state, self._patience)):
                self.spec = anew
                self.plan()
                continue
            self.state.logs |= self.fleet.logs(attempt.unhealthy)
            self.attempt = next_attempt(self.spec, self.fleet, self.state, attempt)

    def go_back(self, why: str) -> None:
        """Put the hosts that this run has changed back to where they started, unless somebody else took them over."""
        attempt = self.state.attempts[-1] if self.state.attempts else None
        if attempt and not attempt.goes_back:
            self.fleet.renew(self.spec.limits.total)
            self.attempt = way_back_of(self.fleet, self.state, attempt, why)
            self.carry_out()

    def record(self) -> Record:
        """Write the record into the journal of every changed host."""
        self.state.failed_before = leaving.failed(self._leaving, self.fleet, self.state)
        return write_record(self.spec, self.fleet, self.state)


def survey(fleet: Fleet, state: RunState) -> None:
    """Survey the hosts. A host that cannot be surveyed does not hold up the others."""
    fleet.progress.phase("survey", f"looking at {named(fleet.names)}")
    for name, found in fleet.survey().items():
        if isinstance(found, RollbackOpsError):
            state.lost[name] = found
        else:
            state.surveys[name] = found


def _plan(spec: RollbackSpec, fleet: Fleet, state: RunState, patience: Patience) -> Attempt | None:
    """Plan the first attempt, once no other run holds a host. None: nothing is to be, or can be, changed."""
    wait_for_hosts(spec, fleet, state, patience)
    if refusal := objection(state):
        state.decision = refusal
        return None
    surveys = list(state.surveys.values())
    journals = lambda: (line for lines in fleet.journals(state.surveys).values() for line in lines)  # noqa: E731
    selection = going_on(spec.selection, spec.info.about, surveys, state.lost, journals)
    decision = approved(spec, fleet, state, choose(replace(spec, selection=selection), fleet, surveys, {}))
    state.decision = decision
    if isinstance(decision, NothingToDo) and selection.resume:
        state.decision = without_plan(fleet, state) or decision
    if isinstance(decision, Plan):
        state.warnings += [warning for warning in decision.warnings if warning not in state.warnings]
        fleet.progress.phase("plan", f"{state.origin or 'nothing'} → {decision.target}")
        state.warnings += filter(None, [overridden(fleet, state)])
        state.decision = plan_waves(spec, fleet, state, decision) or decision
    plan = state.decision
    return Attempt(plan) if isinstance(plan, Plan) and not state.info.dry_run else None


def _carry_out(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt, announcer: Announcer) -> None:
    """Change the hosts of an attempt, wave by wave where there is a strategy, and verify them."""
    state.attempts.append(attempt)
    if attempt.waves:
        go_back(spec, fleet, state, attempt, announcer)
    elif state.rollout:
        roll_out(spec, fleet, state, attempt, announcer)
    else:
        change_all(spec, fleet, state, attempt, announcer)


def write_record(spec: RollbackSpec, fleet: Fleet, state: RunState) -> Record:
    """Write the record into the journal of every changed host. A journal that cannot be written is a warning."""
    # Writing takes time too, and every copy of the record is to be the same.
    state.finished_at = datetime.now(UTC)
    state.hold = hold_after(state, spec.hold)
    state.warnings += overtime(record_of(state), {"find": spec.limits.find, "switch": spec.limits.switch})
    record = record_of(state)
    errors = fleet.record(record.id, {name: notes_of(state, name) for name in state.touched}, record.line(), state.hold)
    if not spec.selection.if_current:
        # Hosts that ran the target already get the record, too: the next rollback reads there how far this one came.
        notes = {name: notes_of(state, name) for name in state.left_alone}
        errors |= fleet.record(record.id, notes, record.line() if state.touched else "", state.hold)
    if state.rollout and state.attempts:
        # Hosts that have stored the plan also store how it ended. One that may still be at work does this itself.
        told = (*state.touched, *state.left_alone, *state.at_work)
        others = [name for name in state.surveys if name not in told]
        errors |= fleet.record(record.id, {name: {} for name in others}, record.line())
    missing = {name: error.message.removeprefix(f"{name}: ") for name, error in errors.items()}
    state.warnings += [f"{name}: its journal lacks this record: {why}" for name, why in missing.items()]
    if not state.cancelled and not spec.info.dry_run:
        fleet.share_holds(list(state.surveys.values()))
    return record_of(state)
