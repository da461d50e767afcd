"""Waits for hosts that another run holds, before anything is planned."""

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


def wait_for_hosts(spec: RollbackSpec, fleet: Fleet, state: RunState) -> None:
    """Wait until no other run holds a host, or the patience is over. Then the hosts are surveyed again.

    Nobody waits in an emergency, which breaks the lock, in a dry run, nor where something else stands in the way, too.
    The time is added to that of the run. Raises ``Cancelled``.
    """
    if spec.selection.emergency or spec.info.dry_run:
        return
    began, patience, told = time.monotonic(), Patience(time.monotonic(), spec.wait), ""
    while (held := _held(spec, state)) and (left := patience.left(held, time.monotonic())) > 0:
        if told != (told := _told(held)):
            fleet.progress.phase("wait", f"for at most {left:.0f} s: {told}")
        fleet.pause(min(_LOOK_EVERY, left))
        _look_again(fleet, state, held)
        if not _held(spec, state):
            # Whoever held a host has changed it, and the others are as old as the first look.
            _look_again(fleet, state, state.surveys)
    if told:
        fleet.extend(time.monotonic() - began)


def _held(spec: RollbackSpec, state: RunState) -> dict[str, Lease]:
    """Return the leases, by host, where they are all that stands in the way of a plan."""
    leases = {name: survey.lease for name, survey in state.surveys.items() if survey.lease}
    if not leases:
        return {}
    make = resume_plan if spec.selection.resume else make_plan
    if not isinstance(make(list(state.surveys.values()), spec.selection), Refusal):
        return {}
    free = [replace(survey, lease=None) for survey in state.surveys.values()]
    return {} if isinstance(make(free, spec.selection), Refusal) else leases


def _look_again(fleet: Fleet, state: RunState, names: Mapping[str, object]) -> None:
    for name, found in fleet.survey_again(list(names)).items():
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
