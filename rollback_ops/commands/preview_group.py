"""``preview --group``: show the releases that a rollback of a group leaves and returns to, service by service."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import field, replace

from rollback_ops.commands.context import Context
from rollback_ops.commands.group import GroupContext, for_each
from rollback_ops.commands.preview import SURVEY_WITHIN, WITHIN, Preview, look
from rollback_ops.commands.result import Answers, sort_answers
from rollback_ops.commands.run import selection_of
from rollback_ops.core.errors import Exit, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Survey
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.services import Steps
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.core.verified_set import ServiceChoices, Target, options
from rollback_ops.engine.group_choice import choose, steps_of


@frozen
class GroupPreview:
    """The result. ``services`` are in the order of the settings, ``steps`` in the order of the change.

    ``refusal`` says why the group would not be changed at all. ``lives``: the names of the releases that are live, for
    each service.
    """

    group: str
    environment: str
    steps: Steps
    services: Mapping[str, Preview]
    verified_set: str = ""
    warnings: tuple[str, ...] = ()
    refusal: str = ""
    lives: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Whether a host of any service would be switched."""
        plans = (one.decision for one in self.services.values())
        return any(isinstance(plan, Plan) and plan.with_action("switch") for plan in plans)

    @property
    def lost(self) -> dict[str, RollbackOpsError]:
        """The hosts that could not be surveyed."""
        return {host: error for one in self.services.values() for host, error in one.lost.items()}

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.refusal else Exit.OK


def preview_group(group: GroupContext, cancellation: Cancellation) -> GroupPreview:
    """Survey the hosts of all services, choose as the group's rollback would, and compare each service's releases."""
    until = time.monotonic() + WITHIN
    with group.closing():
        answers = for_each(group, lambda c: sort_answers(c.survey.results(SURVEY_WITHIN, cancellation)))
        asked = {n: replace(selection_of(context), backup="") for n, context in group.contexts.items()}
        found = {n: options(list(each_.found.values()), asked[n]) for n, each_ in answers.items()}
        target = choose(group.spec(), found, lambda: _lines(group, answers, until, cancellation))

        def one(context: Context) -> Preview:
            name, environment = context.job.service_name, context.job.environment_name
            if why := _unchanged(target, name, found[name]):
                return Preview(environment, why, lost=answers[name].lost)
            label = target.labels.get(name, "") if isinstance(target, Target) else ""
            return look(context, answers[name], replace(asked[name], backup=label), cancellation, until)

        lives = {n: frozenset(each_.live.name for each_ in a.found.values()) for n, a in answers.items()}
        return replace(_whole(group, target, for_each(group, one)), lives=lives)


def _unchanged(
    target: Target | Refusal | NothingToDo, name: str, found: ServiceChoices
) -> Refusal | NothingToDo | None:
    """Return why a service is not changed; None: it is."""
    if not isinstance(target, Target):
        return target
    label = target.labels.get(name, "")
    return NothingToDo(f"{label} is live there already") if label and found.runs(label) else None


def _lines(
    group: GroupContext, answers: Mapping[str, Answers[Survey]], until: float, cancellation: Cancellation
) -> list[str]:
    """Return the lines of the journals of all hosts that can be read in time."""
    within = max(1.0, until - time.monotonic())

    def one(context: Context) -> list[str]:
        there = answers[context.job.service_name].found
        hosts = {host.name: host for host in context.hosts if host.name in there}
        read = sort_answers(each(hosts, lambda name: hosts[name].journal(), within, cancellation))
        return [line for lines in read.found.values() for line in lines]

    return [line for lines in for_each(group, one).values() for line in lines]


def _whole(
    group: GroupContext, target: Target | Refusal | NothingToDo, services: Mapping[str, Preview]
) -> GroupPreview:
    plans = [one.decision for one in services.values() if isinstance(one.decision, Plan)]
    refused = {name: one.decision.why for name, one in services.items() if isinstance(one.decision, Refusal)}
    refused |= {name: one.refusal for name, one in services.items() if one.refusal}
    whole = target.why if not isinstance(target, Target) else "; ".join(f"{n}: {why}" for n, why in refused.items())
    return GroupPreview(
        group.name,
        group.first.job.environment_name,
        steps_of(group.spec(), services, plans),
        services,
        target.verified_by if isinstance(target, Target) else "",
        target.warnings if isinstance(target, Target) else (),
        whole,
    )
