"""The next attempt when the target is unhealthy too: none, back to the start, or an older release."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rollback_ops.core.model import Survey
from rollback_ops.core.plan import Plan, Selection, way_back
from rollback_ops.core.run import Attempt, RunState
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.preflight import choose
from rollback_ops.engine.spec import RollbackSpec


def next_attempt(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt) -> Attempt | None:
    """Return the attempt that ``on_failure`` asks for when the target is unhealthy. Each release is tried once."""
    if not attempt.failed or attempt.goes_back or spec.selection.emergency or spec.policy.on_failure == "report":
        return None
    why = f"{attempt.plan.target} is unhealthy"
    if spec.policy.on_failure == "restore":
        fleet.progress.phase("restore", f"{why}: back to {state.origin}")
        # Only the hosts that were switched go back. A host that ran the target before is where it started.
        surveys = _survey_again(spec, fleet, attempt.switched)
        origins = {name: survey.origin for name, survey in state.surveys.items()}
        return Attempt(way_back(surveys, origins, why), goes_back=True)
    plan = _older(spec, fleet, state, attempt)
    if isinstance(plan, Plan):
        fleet.progress.phase("older", f"{why}: on to {plan.target}")
        return Attempt(plan)
    state.warnings.append(f"{why}, and no older release was tried: {plan}")
    return None


def _older(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt) -> Plan | str:
    """Return the plan for an older release on all hosts that run the target, or why there is none."""
    if len(state.attempts) > spec.policy.max_older:
        return f"max_older is {spec.policy.max_older}"
    if fleet.left() <= max(1.0, spec.policy.min_healthy_time):
        return f"the time is up (limits.total is {spec.limits.total:g} s)"
    surveys = _survey_again(spec, fleet, {*attempt.switched, *attempt.running})
    tried = {a.plan.target: "it was tried and is unhealthy" for a in state.attempts}
    plan = choose(replace(spec, selection=Selection(order=spec.selection.order)), fleet, surveys, tried)
    return plan if isinstance(plan, Plan) else plan.why


def _survey_again(spec: RollbackSpec, fleet: Fleet, names: Collection[str]) -> list[Survey]:
    again = fleet.survey_again([name for name in fleet.names if name in names])
    return [_without_own_lease(survey, spec) for survey in again.values() if isinstance(survey, Survey)]


def _without_own_lease(survey: Survey, spec: RollbackSpec) -> Survey:
    mine = survey.lease is not None and survey.lease.run.partition(".")[0] == spec.info.id
    return replace(survey, lease=None) if mine else survey
