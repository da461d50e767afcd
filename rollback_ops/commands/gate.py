"""``gate``: find out whether a release may be deployed. The first step of a deploy workflow. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rollback_ops.commands.context import Context, open_context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.config import Settings
from rollback_ops.config.request import CommandOptions
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.errors import Exit, Refused, RollbackOpsError, UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.gate import Candidate, Objection, candidate, objections
from rollback_ops.core.model import Survey
from rollback_ops.core.revision import SHORTEST
from rollback_ops.core.tasks import Cancellation


@frozen
class Gate:
    """The result of ``gate``. ``objections``: why the candidate must not be deployed; it may be when there are none.

    ``lost``: the hosts that could not be asked, of all environments. ``now`` is in seconds since the epoch.
    """

    environment: str
    candidate: Candidate
    objections: Sequence[Objection]
    lost: Mapping[str, RollbackOpsError]
    now: float

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.objections else Exit.OK


def other_environments(
    context: Context, settings: Settings, environ: Mapping[str, str], options: CommandOptions, secrets: Secrets
) -> list[Context]:
    """Return the service in its other environments, where a revision may be known to be bad."""
    job = context.job
    names = [n for n, e in settings.environments.items() if n != job.environment_name and (e.hosts or options.local)]
    asked = replace(options, service=job.service_name, hosts=())
    return [open_context(settings, environ, replace(asked, environment=name), secrets) for name in names]


def gate(context: Context, others: Sequence[Context], cancellation: Cancellation) -> Gate:
    """Ask the hosts of all environments of the service whether a hold or a bad mark forbids a release.

    Raises ``UsageError`` when neither a revision nor a release is named, and ``Refused`` when no host of the
    environment answers, or when several revisions begin like the one that was given.
    """
    request, contexts = context.request, [context, *others]
    _check(request.revision, request.release)
    for each in contexts:
        # All at once.
        _ = each.survey
    surveys: dict[str, list[Survey]] = {}
    lost: dict[str, RollbackOpsError] = {}
    for each in contexts:
        with each.closing():
            answers = sort_answers(each.survey.results(SURVEY_WITHIN, cancellation))
        surveys[each.job.environment_name] = list(answers.found.values())
        lost |= answers.lost
    name = context.job.environment_name
    if not surveys[name]:
        told = "\n".join(f"{host}: {error.without(host)}" for host, error in lost.items())
        raise Refused(f"no host of {name} can be reached, so it is unknown whether the release may be deployed\n{told}")
    wanted = candidate(request.revision, request.release, surveys, name)
    now = datetime.now(UTC).timestamp()
    against = list(objections(wanted, surveys, name, now, allow_bad=request.allow_bad))
    return Gate(name, wanted, against, lost, now)


def _check(revision: str, release: str) -> None:
    if not revision and not release:
        raise UsageError(
            "gate needs a revision or a release, and neither was given", "Give --revision SHA or --release NAME."
        )
    if revision and len(revision) < SHORTEST:
        raise UsageError(f"the revision {revision} is too short: give at least {SHORTEST} characters of it")
