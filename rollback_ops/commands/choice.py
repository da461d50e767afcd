"""The choice that a rollback would make now, for the commands that only show it."""

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
    return decide(going_on_selection(context, selection, answers, cancellation), answers)


def decide(selection: Selection, answers: Answers[Survey]) -> Plan | NothingToDo | Refusal:
    """Choose the target among the surveyed hosts by this selection."""
    surveys = list(answers.found.values())
    return make_plan(surveys, selection) if surveys else Refusal("no host can be reached")


def going_on_selection(
    context: Context,
    selection: Selection,
    answers: Answers[Survey],
    cancellation: Cancellation,
    within: float = SURVEY_WITHIN,
) -> Selection:
    """Return the selection with the target of a rollback that did not reach all hosts, where there is one.

    ``within``: seconds for the journals, which are read where hosts differ.
    """
    surveys = list(answers.found.values())
    hosts = {host.name: host for host in context.hosts if host.name in answers.found}

    def journals() -> list[str]:
        read = sort_answers(each(hosts, lambda name: hosts[name].journal(), within, cancellation))
        return [line for lines in read.found.values() for line in lines]

    return going_on(selection, context.job.about, surveys, answers.lost, journals)
