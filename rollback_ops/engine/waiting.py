"""Waits for hosts that another run holds: before the plan, or when the other run was first to lock one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from rollback_ops.core.model import Lease, Survey
from rollback_ops.core.patience import Patience
from rollback_ops.core.plan import Refusal, make_plan, resume_plan
from rollback_ops.core.run import RunState
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.spec import RollbackSpec

# Seconds between two surveys of the hosts that are held.
_LOOK_EVERY = 1.0


def wait_for_hosts(spec: RollbackSpec, fleet: Fleet, state: RunState, patience: Patience) -> None:
    """Wait until no other run holds a host, or the patience is over. Then the hosts are surveyed again.

    It does not wait in an emergency, which breaks the lock, in a dry run, nor where something else is in the way,
    too.
    The time is added to that of the run. Raises ``Cancelled``.
    """
    if spec.selection.emergency or spec.info.dry_run:
        return
    began, told = time.monotonic(), ""
    while (held := _held(spec, state)) and (left := patience.left(held, time.monotonic())) > 0:
        if told != (told := _told(held)):
            fleet.progress.phase("wait", f"for at most {left:.0f} s: {told}")
        fleet.pause(min(_LOOK_EVERY, left))
        _look_again(fleet, state, held)
        if not _held(spec, state):
            # The other run may have changed its hosts, and the surveys of the rest are as old as the wait.
            _look_again(fleet, state, state.surveys)
    if told:
        fleet.extend(time.monotonic() - began)


def begin_anew(spec: RollbackSpec, fleet: Fleet, state: RunState, patience: Patience) -> RollbackSpec | None:
    """Survey the hosts again after another run took a lock between the survey and the switch.

    Returns the spec of what is to be done now: leave the release that was to be left, unless the other run has left it.
    None where nothing is to be done: the patience is over, or the hosts run different releases.
    """
    left = {host.source.name for host in state.attempts[0].plan.with_action("switch")}
    if len(state.attempts) > 1 or len(left) > 1 or not patience.lasts(state.locked_out, time.monotonic()):
        return None
    state.attempts.clear()
    state.waves.clear()
    state.rollout, state.stopped, state.restores = None, "", False
    state.locked_out += 1
    _look_again(fleet, state, state.surveys)
    selection = spec.selection
    if not (selection.backup or selection.if_current or selection.resume):
        selection = replace(selection, if_current=left.pop())
    return replace(spec, selection=selection)


def _held(spec: RollbackSpec, state: RunState) -> dict[str, Lease]:
    """Return the leases, by host, where they are all that stands in the way of a plan."""
    leases = {name: survey.lease for name, survey in state.surveys.items() if survey.lease}
    if not leases:
        return {}
    make = resume_plan if spec.selection.resume else make_plan
    if not isinstance(make(list(state.surveys.values()), spec.selection), Refusal):
        return {}
    # A drill that is under way goes forward by itself.
    free = [replace(survey, lease=None, drill=None) for survey in state.surveys.values()]
    return {} if isinstance(make(free, spec.selection), Refusal) else leases


def _look_again(fleet: Fleet, state: RunState, names: Mapping[str, object]) -> None:
    for name, found in fleet.survey_again(tuple(names)).items():
        if isinstance(found, Survey):
            state.surveys[name] = found
        else:
            del state.surveys[name]
            state.lost[name] = found
            fleet.progress.lost(name, found)


def _told(leases: Mapping[str, Lease]) -> str:
    """Say which hosts are held, and by whom."""
    return "; ".join(
        f"{host} is held by {lease.owner or 'another run'} since {lease.since} (run {lease.run})"
        for host, lease in leases.items()
    )
