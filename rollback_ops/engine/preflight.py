"""Preflight: chooses the target, and checks it on the hosts, before any service is stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rollback_ops import checks
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.model import HostCommand, Survey
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, make_plan, resume_plan
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.schema import check_schema
from rollback_ops.engine.spec import RollbackSpec


def choose(
    spec: RollbackSpec, fleet: Fleet, surveys: Sequence[Survey], unfit: Mapping[str, str]
) -> Plan | NothingToDo | Refusal:
    """Choose the target. A release that is ``unfit``, or that differs from its manifest, is not chosen."""
    if not surveys:
        return Refusal("no host can be reached")
    broken = dict(unfit)
    make = resume_plan if spec.selection.resume else make_plan
    while isinstance(plan := make(surveys, spec.selection, broken), Plan):
        objection = _inspect(spec, fleet, surveys, plan)
        if objection is None:
            break
        if isinstance(objection, Refusal):
            return objection
        broken[plan.target] = objection
    return check_schema(spec, fleet, surveys, plan) if isinstance(plan, Plan) else plan


def _inspect(spec: RollbackSpec, fleet: Fleet, surveys: Sequence[Survey], plan: Plan) -> str | Refusal | None:
    """Compare the target with its manifest and run the checks of phase ``before`` in it, on every host.

    Returns None when the target is fit. A text says why another release should be tried, a refusal why none should.
    """
    before = checks.before(spec.checks(plan.target))
    to_switch = [host.host for host in plan.with_action("switch")]
    sealed = {s.host for s in surveys if (r := s.release(plan.target_on(s.host))) and r.sealed}
    names = to_switch if before else [name for name in to_switch if name in sealed]
    if not names or spec.selection.emergency:
        return None

    def questions(release: str) -> list[HostCommand]:
        return [check.question for check in checks.before(spec.checks(release)).values()]

    fleet.progress.phase("inspect", f"checking {plan.target} before any service is stopped")
    for host, found in fleet.inspect({name: plan.target_on(name) for name in names}, questions).items():
        if isinstance(found, RollbackOpsError):
            return Refusal(f"{host}: {plan.target} could not be inspected: {found.message}")
        if found.broken:
            return f"its files differ from its manifest on {host}: {found.broken}"
        for number, (name, check) in enumerate(before.items()):
            finding = check.judge((), found.answers.get(number))
            if finding.verdict != "passed":
                return Refusal(f"{host}: the check {name} of {plan.target} did not pass: {finding.detail}")
    return None
