"""Chooses the next attempt when the target is unhealthy, too: none, back to the start, or an older release."""

from __future__ import annotations

from dataclasses import replace

from rollback_ops.core.plan import Plan, way_back
from rollback_ops.core.run import Attempt, RunState
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.preflight import choose
from rollback_ops.engine.rollout import waves_back
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.engine.superseded import still_own


def next_attempt(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt) -> Attempt | None:
    """Return the attempt that ``on_failure`` asks for when the target is unhealthy. Each release is tried once."""
    if state.rollout:
        restores = state.restores and not attempt.goes_back
        return way_back_of(fleet, state, attempt, state.stopped) if restores else None
    if not attempt.failed or attempt.goes_back or spec.selection.emergency or spec.policy.on_failure == "report":
        return None
    why = f"{attempt.plan.target} is unhealthy"
    if spec.policy.on_failure == "restore":
        return way_back_of(fleet, state, attempt, why)
    plan = _older(spec, fleet, state, attempt)
    if plan is None:
        return None
    if isinstance(plan, Plan):
        fleet.progress.phase("older", f"{why}: on to {plan.target}")
        return Attempt(plan)
    state.warnings.append(f"{why}, and no older release was tried: {plan}")
    return None


def way_back_of(fleet: Fleet, state: RunState, attempt: Attempt, why: str) -> Attempt | None:
    """Return the attempt in which all hosts of an attempt that are still its own go back; None: there are none."""
    fleet.progress.phase("restore", f"{why}: back to {state.origin}")
    origins = {name: survey.origin for name, survey in state.surveys.items()} | dict(state.earlier)
    back = way_back(still_own(fleet, state, attempt), origins, why)
    if not back.hosts:
        return None
    return Attempt(back, goes_back=True, waves=waves_back(state, attempt, back))


def _older(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt) -> Plan | str | None:
    """Return the plan for an older release on the hosts that this run switched, or why there is none.

    None: all of them were taken over by somebody else, so there is nothing left to do.
    """
    if spec.info.approved:
        return "only the approved plan is carried out"
    if len(state.attempts) > spec.policy.max_older:
        return f"max_older is {spec.policy.max_older}"
    if fleet.left() <= max(1.0, spec.policy.min_healthy_time):
        return f"the time is up (limits.total is {spec.limits.total:g} s)"
    surveys = still_own(fleet, state, attempt)
    if not surveys and state.superseded:
        return None
    left = dict.fromkeys((survey.origin for survey in state.surveys.values()), "this rollback left it")
    tried = left | {a.plan.target: "it was tried and is unhealthy" for a in state.attempts}
    plan = choose(replace(spec, selection=spec.selection.anew()), fleet, surveys, tried)
    return plan if isinstance(plan, Plan) else plan.why
