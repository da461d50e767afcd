"""What comes next when the target is not well either: nothing, the way back, or an older release."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rollback_ops.core.model import Survey
from rollback_ops.core.plan import Plan, Wish, way_back
from rollback_ops.core.ports import Progress
from rollback_ops.core.run import Attempt, Chronicle
from rollback_ops.engine.fleet import Crew
from rollback_ops.engine.preflight import choose
from rollback_ops.engine.spec import Order


def next_attempt(
    order: Order, crew: Crew, chronicle: Chronicle, attempt: Attempt, progress: Progress
) -> Attempt | None:
    """What was asked for when the target is not well either (``on_failure``). It ends: each way is tried once."""
    if not attempt.failed or attempt.goes_back or order.wish.emergency or order.policy.on_failure == "report":
        return None
    # What was live there before is where it started; on to an older one go all hosts that run the target.
    if order.policy.on_failure == "restore":
        progress.phase("restore", f"{attempt.plan.target} is not well: back to {chronicle.origin}")
        surveys = _again(order, crew, attempt.switched)
        origins = {name: survey.origin for name, survey in chronicle.surveys.items()}
        return Attempt(way_back(surveys, origins, f"{attempt.plan.target} is not well"), goes_back=True)
    plan = _older(order, crew, chronicle, attempt, progress)
    if isinstance(plan, Plan):
        progress.phase("older", f"{attempt.plan.target} is not well: on to {plan.target}")
        return Attempt(plan)
    chronicle.warnings.append(f"{attempt.plan.target} is not well, and none was tried after it: {plan}")
    return None


def _older(order: Order, crew: Crew, chronicle: Chronicle, attempt: Attempt, progress: Progress) -> Plan | str:
    """The way on to an older release, or why there is none."""
    if len(chronicle.attempts) > order.policy.max_older:
        return f"max_older is {order.policy.max_older}"
    if crew.left() <= max(1.0, order.policy.min_healthy_time):
        return f"the time is up (limits.total is {order.limits.total:g} s)"
    surveys = _again(order, crew, {*attempt.switched, *attempt.running})
    tried = {a.plan.target: "it is not well either" for a in chronicle.attempts}
    plan = choose(replace(order, wish=Wish()), crew, surveys, progress, tried)
    return plan if isinstance(plan, Plan) else plan.why


def _again(order: Order, crew: Crew, concerned: Collection[str]) -> list[Survey]:
    again = crew.survey_again([name for name in crew.names if name in concerned])
    return [_ours(survey, order) for survey in again.values() if isinstance(survey, Survey)]


def _ours(survey: Survey, order: Order) -> Survey:
    """A survey in which this run's own lease is not in its way."""
    mine = survey.lease is not None and survey.lease.run.partition(".")[0] == order.heading.run
    return replace(survey, lease=None) if mine else survey
