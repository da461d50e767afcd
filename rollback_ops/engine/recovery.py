"""What comes next when the target is not well either: nothing, the way back, or an older release."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rollback_ops.core.model import Survey
from rollback_ops.core.plan import Plan, Selection, way_back
from rollback_ops.core.ports import Progress
from rollback_ops.core.run import Attempt, RunState
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.preflight import choose
from rollback_ops.engine.spec import RollbackSpec


def next_attempt(
    spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt, progress: Progress
) -> Attempt | None:
    """What was asked for when the target is not well either (``on_failure``). It ends: each way is tried once."""
    if not attempt.failed or attempt.goes_back or spec.selection.emergency or spec.policy.on_failure == "report":
        return None
    # What was live there before is where it started; on to an older one go all hosts that run the target.
    if spec.policy.on_failure == "restore":
        progress.phase("restore", f"{attempt.plan.target} is not well: back to {state.origin}")
        surveys = _again(spec, fleet, attempt.switched)
        origins = {name: survey.origin for name, survey in state.surveys.items()}
        return Attempt(way_back(surveys, origins, f"{attempt.plan.target} is not well"), goes_back=True)
    plan = _older(spec, fleet, state, attempt, progress)
    if isinstance(plan, Plan):
        progress.phase("older", f"{attempt.plan.target} is not well: on to {plan.target}")
        return Attempt(plan)
    state.warnings.append(f"{attempt.plan.target} is not well, and none was tried after it: {plan}")
    return None


def _older(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt, progress: Progress) -> Plan | str:
    """The way on to an older release, or why there is none."""
    if len(state.attempts) > spec.policy.max_older:
        return f"max_older is {spec.policy.max_older}"
    if fleet.left() <= max(1.0, spec.policy.min_healthy_time):
        return f"the time is up (limits.total is {spec.limits.total:g} s)"
    surveys = _again(spec, fleet, {*attempt.switched, *attempt.running})
    tried = {a.plan.target: "it is not well either" for a in state.attempts}
    plan = choose(replace(spec, selection=Selection()), fleet, surveys, progress, tried)
    return plan if isinstance(plan, Plan) else plan.why


def _again(spec: RollbackSpec, fleet: Fleet, concerned: Collection[str]) -> list[Survey]:
    again = fleet.survey_again([name for name in fleet.names if name in concerned])
    return [_ours(survey, spec) for survey in again.values() if isinstance(survey, Survey)]


def _ours(survey: Survey, spec: RollbackSpec) -> Survey:
    """A survey in which this run's own lease is not in its way."""
    mine = survey.lease is not None and survey.lease.run.partition(".")[0] == spec.info.run
    return replace(survey, lease=None) if mine else survey
