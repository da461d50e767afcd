"""Chooses the targets of a group's services, and the order of the change, from the surveys. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field

from rollback_ops.core.frozen import frozen
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.services import Steps, change_steps
from rollback_ops.core.verified_set import ServiceChoices, Target, asked_set, choose_set, read_sets


@frozen
class GroupSpec:
    """The request for a group. ``start``: the steps in which its services start.

    ``asked`` names the release of each service; empty: the last set that was verified together. ``accused`` are the
    unhealthy services, when a guard began it. ``resumes``: go on with the last plan of the group.
    """

    run: str
    name: str
    environment: str
    start: Steps
    together: bool = False
    restores: bool = False
    emergency: bool = False
    asked: Mapping[str, str] = field(default_factory=dict)
    accused: frozenset[str] = frozenset()
    resumes: bool = False


def choose(
    spec: GroupSpec, found: Mapping[str, ServiceChoices], lines: Callable[[], Iterable[str]]
) -> Target | Refusal | NothingToDo:
    """Choose one set of releases. ``lines`` reads the journals, which hold the verified sets."""
    if blocked := {name: one.blocked for name, one in found.items() if one.blocked}:
        return refusal(spec, blocked)
    if idle := {name: one.idle for name, one in found.items() if one.idle}:
        return idle_group(spec, idle)
    if spec.asked:
        return asked_set(spec.name, found, spec.asked, together=spec.together)
    return choose_set(spec.name, found, read_sets(lines(), spec.name, spec.environment, found), together=spec.together)


def refusal(spec: GroupSpec, refusals: Mapping[str, Refusal]) -> Refusal:
    """Return the refusal of the whole group: it is refused when one service is."""
    why = "; ".join(f"{name}: {one.why}" for name, one in refusals.items())
    return Refusal(f"{spec.name} is changed as a whole or not at all, and {why}")


def idle_group(spec: GroupSpec, idle: Mapping[str, NothingToDo]) -> NothingToDo | Refusal:
    """Return the decision for all services where some have nothing to do.

    It is a refusal where an unhealthy service is among the others: that one is left as it is.
    """
    if spec.accused <= set(idle):
        return next(iter(idle.values()))
    return refusal(spec, {name: Refusal(one.why) for name, one in idle.items()})


def steps_of(spec: GroupSpec, services: Collection[str], plans: Iterable[Plan]) -> Steps:
    """Return the steps of this run: dependents first on the way to older releases. In an emergency, all at once."""
    start = tuple(filter(None, (tuple(name for name in step if name in services) for step in spec.start)))
    if spec.emergency:
        return (tuple(name for step in start for name in step),)
    ways = [host.forward for plan in plans for host in plan.with_action("switch")]
    return change_steps(start, forward=bool(ways) and all(ways))
