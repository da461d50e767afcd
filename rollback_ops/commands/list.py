"""``list``: the releases on each host, and what a rollback would choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.core.errors import Exit, RollbackOpsError
from rollback_ops.core.hold import merged
from rollback_ops.core.model import Hold, Survey
from rollback_ops.core.order import Ranking
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, Selection, make_plan
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.core.unfinished import going_on
from rollback_ops.core.versions import Versions


@dataclass(frozen=True, slots=True)
class Releases:
    """``decision`` is what a rollback would do now. ``lost`` are the hosts that did not answer."""

    environment: str
    surveys: Mapping[str, Survey]
    ranking: Ranking
    versions: Versions
    decision: Plan | NothingToDo | Refusal
    lost: Mapping[str, RollbackOpsError]

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
        surveys = list(answers.found.values())
        journals = lambda: _journals(context, answers.found, cancellation)  # noqa: E731
        selection = going_on(selection, job.about, surveys, answers.lost, journals)
    decision = make_plan(surveys, selection) if surveys else Refusal("no host can be reached")
    versions = Versions(surveys)
    ranking = Ranking(versions.labelled(), selection.order, None if versions.are_names else versions.name)
    return Releases(context.job.environment_name, answers.found, ranking, versions, decision, answers.lost)


def _journals(context: Context, reached: Mapping[str, Survey], cancellation: Cancellation) -> list[str]:
    hosts = {host.name: host for host in context.hosts if host.name in reached}
    read = sort_answers(each(hosts, lambda name: hosts[name].journal(), SURVEY_WITHIN, cancellation))
    return [line for lines in read.found.values() for line in lines]
