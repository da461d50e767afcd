"""Choosing the target: the plan, and then what the target itself says before anything is stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rollback_ops import checks
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.model import Survey
from rollback_ops.core.plan import HostPlan, NothingToDo, Plan, Refusal, Selection, make_plan
from rollback_ops.core.ports import Progress
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.spec import RollbackSpec


def choose(
    spec: RollbackSpec, fleet: Fleet, surveys: Sequence[Survey], progress: Progress, unfit: Mapping[str, str]
) -> Plan | NothingToDo | Refusal:
    """Where to go. A release that turns out not to be what was sealed, or is ``unfit``, is not chosen."""
    if not surveys:
        return Refusal("no host can be reached")
    broken = dict(unfit)
    make = resumption if spec.selection.resume else make_plan
    while isinstance(plan := make(surveys, spec.selection, broken), Plan):
        objection = _inspect(spec, fleet, surveys, plan, progress)
        if objection is None:
            break
        if isinstance(objection, Refusal):
            return objection
        broken[plan.target] = objection
    return plan


def resumption(
    surveys: Sequence[Survey], selection: Selection, broken: Mapping[str, str] | None = None
) -> Plan | NothingToDo | Refusal:
    """On to where the interrupted rollbacks were going. Hosts without one are left alone."""
    begun = {survey.host: survey.interrupted.target for survey in surveys if survey.interrupted}
    targets = list(dict.fromkeys(begun.values()))
    if not targets:
        return NothingToDo("no rollback was interrupted")
    if len(targets) > 1:
        going = {host: f"it was going to {target}" for host, target in begun.items()}
        hint = "Resume them one by one, with --host."
        return Refusal("the hosts were going to different releases", hint, hosts=going)
    named = replace(selection, resume=False, backup=targets[0])
    plan = make_plan([s for s in surveys if s.host in begun], named, broken)
    if not isinstance(plan, Plan):
        return plan
    others = [HostPlan(s.host, s.live, "leave", plan.target, "nothing was interrupted there") for s in surveys]
    return replace(plan, hosts=(*plan.hosts, *(host for host in others if host.host not in begun)))


def _inspect(
    spec: RollbackSpec, fleet: Fleet, surveys: Sequence[Survey], plan: Plan, progress: Progress
) -> str | Refusal | None:
    """Ask the target what can be asked before anything is stopped.

    A text says why another release should be tried, a refusal why none should.
    """
    before = checks.before(spec.checks(plan.target))
    meant = [host.host for host in plan.with_action("switch")]
    sealed = {survey.host for survey in surveys if (r := survey.release(plan.target)) and r.sealed}
    asked = meant if before else [name for name in meant if name in sealed]
    if not asked or spec.selection.emergency:
        return None
    progress.phase("inspect", f"asking {plan.target} before anything is stopped")
    for host, found in fleet.inspect(asked, plan.target, [c.question for c in before.values()]).items():
        if isinstance(found, RollbackOpsError):
            return Refusal(f"{host}: {plan.target} could not be inspected: {found.message}")
        if found.broken:
            return f"its files are not the sealed ones on {host}: {found.broken}"
        for number, (name, check) in enumerate(before.items()):
            finding = check.judge((), found.answers.get(number))
            if finding.verdict != "passed":
                return Refusal(f"{host}: the check {name} says that {plan.target} would not work: {finding.detail}")
    return None
