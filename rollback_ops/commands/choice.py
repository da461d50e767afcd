"""What a rollback would do now, for the commands that only show it."""

from __future__ import annotations

from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, Answers, sort_answers
from rollback_ops.core.model import Survey
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, Selection, make_plan
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.core.unfinished import going_on


def choose(
    context: Context, selection: Selection, answers: Answers[Survey], cancellation: Cancellation
) -> Plan | NothingToDo | Refusal:
    """Choose the target among the surveyed hosts. A rollback that did not reach all hosts keeps its target."""
    surveys = list(answers.found.values())
    if not surveys:
        return Refusal("no host can be reached")
    hosts = {host.name: host for host in context.hosts if host.name in answers.found}

    def journals() -> list[str]:
        read = sort_answers(each(hosts, lambda name: hosts[name].journal(), SURVEY_WITHIN, cancellation))
        return [line for lines in read.found.values() for line in lines]

    return make_plan(surveys, going_on(selection, context.job.about, surveys, answers.lost, journals))
