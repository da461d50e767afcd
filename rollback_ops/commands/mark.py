"""``mark``: mark a release good or bad, or remove its mark."""

from __future__ import annotations

from collections.abc import Mapping

from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.core.errors import Exit, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Opinion
from rollback_ops.core.run import new_run
from rollback_ops.core.tasks import Cancellation, each


@frozen
class Marked:
    """The hosts where the release has the mark now, and those where it could not be set."""

    release: str
    opinion: Opinion
    hosts: tuple[str, ...]
    lost: Mapping[str, RollbackOpsError]

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.lost else Exit.OK


def mark(context: Context, release: str, opinion: Opinion, cancellation: Cancellation) -> Marked:
    """Mark a release on every host, with the reason of the request."""
    context.refuse_limits()
    run, reason = new_run(), context.redact(context.reason.text)
    with context.closing():
        surveyed = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        hosts = {host.name: host for host in context.hosts if host.name in surveyed.found}

        def write(name: str) -> str:
            hosts[name].mark_as(run, release, opinion, reason)
            return name

        answers = sort_answers(each(hosts, write, SURVEY_WITHIN, cancellation))
    return Marked(release, opinion, tuple(answers.found), {**surveyed.lost, **answers.lost})
