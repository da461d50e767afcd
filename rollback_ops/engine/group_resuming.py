"""Stores the plan of a group's rollback on its hosts, and goes on with one that stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from rollback_ops.core.group_plan import GroupPlan, ServicePlan, last_plan
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.rollout import named
from rollback_ops.core.run import rfc3339
from rollback_ops.core.text import listed
from rollback_ops.engine.group_choice import GroupSpec, refusal
from rollback_ops.engine.rollback import Rollback


def take_up(spec: GroupSpec, services: Mapping[str, Rollback]) -> GroupPlan | NothingToDo | Refusal:
    """Find the group's last plan, where it is not finished, and its hosts and releases are still those of the plan.

    Each service then knows the releases that the earlier run left on its hosts, and goes on with its own waves.
    """
    plan = _last(spec, services)
    if plan is None:
        return NothingToDo(f"no host has stored a rollback of {spec.name} that could be resumed")
    if set(plan.services) != set(services):
        return Refusal(f"the rollback {plan.run} is of other services: {listed(plan.services)}")
    refusals = {name: one for name, run in services.items() if (one := _objection(spec, plan, name, run))}
    if refusals:
        return refusal(spec, refusals)
    surveys = [(plan.services[name], survey) for name, run in services.items() for survey in run.state.surveys.values()]
    if all(service.is_done(survey) for service, survey in surveys):
        return NothingToDo(f"the rollback {plan.run} of {spec.name} is finished: all services run its releases")
    for name, run in services.items():
        run.state.earlier = plan.services[name].left_by(run.state.surveys.values())
    begun = any(run.state.earlier for run in services.values()) or any(survey.interrupted for _, survey in surveys)
    if not begun:
        return NothingToDo(f"the rollback {plan.run} of {spec.name} is over: all services are where they started")
    return plan


def _last(spec: GroupSpec, services: Mapping[str, Rollback]) -> GroupPlan | None:
    journals = [run.fleet.journals(run.state.surveys) for run in services.values()]
    lines = (line for journal in journals for found in journal.values() for line in found)
    return last_plan(lines, spec.name, spec.environment)


def _objection(spec: GroupSpec, plan: GroupPlan, name: str, run: Rollback) -> Refusal | None:
    """Return why the rollback of a service cannot be resumed: its hosts or its target have changed; else None."""
    service, state = plan.services[name], run.state
    anew = f"Start anew with `rollback-ops rollback {spec.environment} --group {spec.name}`."
    if missing := sorted(set(service.targets) - set(state.host_names)):
        return Refusal(f"the rollback {plan.run} has hosts that this command leaves out: {named(missing)}", anew)
    moved = {host: why for host, survey in state.surveys.items() if (why := service.moved(survey))}
    if moved:
        told = "; ".join(f"{host}: {why}" for host, why in moved.items())
        return Refusal(f"the rollback {plan.run} cannot be resumed: {told}", anew, hosts=moved)
    return None


def store(spec: GroupSpec, services: Mapping[str, Rollback], before: GroupPlan | None) -> Iterator[str]:
    """Store the plan in the journals of all services, before one is changed. Yields warnings.

    ``before`` is the plan that this run goes on with: what its hosts have left stays the same.
    """
    made = {name: _service(run, before.services[name] if before else None) for name, run in services.items()}
    plan = GroupPlan(spec.run, spec.name, rfc3339(datetime.now(UTC)), made)
    for name, run in services.items():
        line = plan.line(run.state.info.id, name, spec.environment)
        if not line:
            yield f"{spec.name} has too many hosts for its plan to be stored on them: `resume` cannot go on with it"
            return
        for host, error in run.fleet.note(run.state.info.id, run.state.surveys, line).items():
            yield f"{name}: {host} could not store the plan of the group: {error.without(host)}"


def _service(run: Rollback, before: ServicePlan | None) -> ServicePlan:
    plan = run.state.decision
    if before or not isinstance(plan, Plan):
        return before or ServicePlan("", "", {}, {})
    sources = {host.host: run.state.surveys[host.host].origin for host in plan.hosts}
    return ServicePlan(plan.target, plan.revision, sources, {host.host: host.target for host in plan.hosts})
