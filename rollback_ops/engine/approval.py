"""Holds a run to the plan that a person approved, who has read which release it leaves and which it restores."""

from __future__ import annotations

from dataclasses import replace

from rollback_ops.core.journal import first_intents
from rollback_ops.core.model import Live
from rollback_ops.core.plan import HostPlan, NothingToDo, Plan, Refusal
from rollback_ops.core.rollout import named
from rollback_ops.core.run import RunState
from rollback_ops.core.stored_plan import approves
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.spec import RollbackSpec


def approved(
    spec: RollbackSpec, fleet: Fleet, state: RunState, decision: Plan | NothingToDo | Refusal
) -> Plan | NothingToDo | Refusal:
    """Refuse a plan that is neither the approved one nor the rest of it.

    Hosts that a run with the same approval has changed are done: the approval holds for the others. A run that goes
    on with a stored plan may change the remaining hosts, too.
    """
    info = spec.info
    if not (info.approved and isinstance(decision, Plan)) or approves(info.approved, info.about, decision):
        return decision
    if state.resumes and state.stored and state.stored.is_approved(info.approved):
        return decision
    done = _changed_under_it(spec, fleet, decision)
    if done and approves(info.approved, info.about, _before(decision, done)):
        state.warnings.append(f"a run with the same approval has changed {named(done)} already")
        return decision
    why = f"the plan is not the approved one ({info.approved[:12]}): it goes to {decision.target}"
    hint = f"Look at `rollback-ops preview {info.environment}` again, and approve its hash."
    return Refusal(why, hint, decision.rejected)


def _changed_under_it(spec: RollbackSpec, fleet: Fleet, plan: Plan) -> dict[str, str]:
    """Return, by host, the release that a run with this approval left there for the target."""
    there = {host.host: host.target for host in plan.with_action("leave")}
    left: dict[str, str] = {}
    for name, lines in fleet.journals(there).items():
        for last in first_intents(lines, spec.info.about)[-1:]:
            given, origin = str(last.get("approved")), last.get("from")
            if given[:12] == spec.info.approved[:12] and last.get("to") == there[name] and isinstance(origin, str):
                left[name] = origin
    return left


def _before(plan: Plan, left: dict[str, str]) -> Plan:
    """Return the plan as it was before these hosts were changed."""

    def one(host: HostPlan) -> HostPlan:
        origin = left.get(host.host)
        return replace(host, action="switch", source=Live("release", origin)) if origin else host

    return replace(plan, hosts=tuple(map(one, plan.hosts)))
