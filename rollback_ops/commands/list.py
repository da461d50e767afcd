"""``list``: the releases on each host, and what a rollback would choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from rollback_ops.commands.choice import choose
from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.core.errors import Exit, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.hold import merged
from rollback_ops.core.model import Hold, Survey
from rollback_ops.core.order import Ranking
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, Selection
from rollback_ops.core.tasks import Cancellation
from rollback_ops.core.versions import Versions


@frozen
class Releases:
    """``decision`` is what a rollback would do now. ``lost`` are the hosts that did not answer.

    ``regions`` maps hosts to their region, where there are any.
    """

    environment: str
    surveys: Mapping[str, Survey]
    ranking: Ranking
    versions: Versions
    decision: Plan | NothingToDo | Refusal
    lost: Mapping[str, RollbackOpsError]
    regions: Mapping[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> tuple[Hold, ...]:
        """The holds of all hosts together."""
        return merged(self.surveys.values())

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.lost else Exit.OK


def list_releases(context: Context, cancellation: Cancellation) -> Releases:
    """Survey the hosts. Changes nothing."""
    request, job = context.request, context.job
    ignored = request.ignore_deploy_lock or job.service.ignore_deploy_lock
    order = job.service.order
    selection = Selection(
        request.backup, request.if_current, request.emergency, order=order, ignore_deploy_lock=ignored
    )
    with context.closing():
        answers = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        decision = choose(context, selection, answers, cancellation)
    versions = Versions(list(answers.found.values()))
    ranking = Ranking(versions.labelled(), selection.order, None if versions.are_names else versions.name)
    return Releases(
        context.job.environment_name,
        answers.found,
        ranking,
        versions,
        decision,
        answers.lost,
        job.environment.region_of,
    )
