"""``preview``: what a rollback would take away, and what it would bring back. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollback_ops.commands.choice import choose
from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.commands.run import selection_of
from rollback_ops.core.errors import Exit, RollbackOpsError
from rollback_ops.core.model import Release, Survey
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.schema import SchemaAnswer
from rollback_ops.core.stored_plan import plan_hash
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.integrations.git import Commits, between

_SCHEMA_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of ``preview``. ``leaves`` and ``returns_to`` are None without a target; ``decision`` says why.

    ``migrations``: those that the target does not have. None: the settings do not name them, or they could not be read.
    """

    environment: str
    decision: Plan | NothingToDo | Refusal
    leaves: Release | None
    returns_to: Release | None
    commits: Commits
    migrations: Sequence[str] | None
    lost: Mapping[str, RollbackOpsError]
    hash: str = ""

    @property
    def exit_code(self) -> int:
        return Exit.OK if isinstance(self.decision, Plan) else Exit.REFUSED


def preview(context: Context, cancellation: Cancellation) -> Preview:
    """Survey the hosts, choose as a rollback would, and compare the target with what is live."""
    with context.closing():
        answers = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        environment = context.job.environment_name
        decision = choose(context, selection_of(context), answers, cancellation)
        going = {host.host for host in decision.with_action("switch")} if isinstance(decision, Plan) else set()
        first = next((survey for survey in answers.found.values() if survey.host in going), None)
        if first is None or not isinstance(decision, Plan):
            return Preview(environment, decision, None, None, Commits(why="nothing would change"), None, answers.lost)
        there = decision.target_on(first.host)
        leaves, target = first.release(first.origin), first.release(there)
        approval = plan_hash(context.job.about, decision, None)
        migrations = _migrations(context, first, there, cancellation)
    commits = between(target.revision if target else "", leaves.revision if leaves else "")
    return Preview(environment, decision, leaves, target, commits, migrations, answers.lost, approval)


def _migrations(context: Context, survey: Survey, target: str, cancellation: Cancellation) -> Sequence[str] | None:
    """Return the migrations that the live release has and the target has not, in the order of the host."""
    schema = context.job.service.database
    if schema is None or not schema.migrations:
        return None
    hosts = {host.name: host for host in context.hosts if host.name == survey.host}
    asked = each(hosts, lambda name: hosts[name].schema([target, survey.origin], None), _SCHEMA_WITHIN, cancellation)
    answer = asked[survey.host]
    if not isinstance(answer, SchemaAnswer) or not {target, survey.origin} <= answer.known.keys():
        return None
    known, live = set(answer.known[target].lines), answer.known[survey.origin].lines
    return tuple(line for line in live if line not in known) if live else None
