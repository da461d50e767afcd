"""``dashboard``: read everything that a dashboard shows, from the hosts or from GitHub. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime

from rollback_ops.commands.choice import choose
from rollback_ops.commands.context import Context, open_context, repository_of
from rollback_ops.commands.history import History, from_github
from rollback_ops.commands.result import SURVEY_WITHIN, Answers, sort_answers
from rollback_ops.config import Settings
from rollback_ops.config.request import CommandOptions
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.deployments import releases_on
from rollback_ops.core.errors import Exit, Refused, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import ServiceId, Survey
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, Selection
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.schedule import ScheduleEntry
from rollback_ops.core.tasks import Cancellation, Pending, begin
from rollback_ops.engine.schedule import entries_in

# Seconds for the journals of all hosts.
_READ_WITHIN = 60.0


@frozen
class ObservedService:
    """One service in one environment, as its hosts answered. ``url``: the page of the environment; may be empty.

    ``regions``: the region of each host that has one. ``decision``: what a rollback would do now.
    """

    about: ServiceId
    url: str
    surveys: Mapping[str, Survey]
    lost: Mapping[str, RollbackOpsError]
    decision: Plan | NothingToDo | Refusal
    regions: Mapping[str, str] = field(default_factory=dict)


@frozen
class Snapshot:
    """The facts at one moment. ``observed`` is empty where no host was asked. ``now``: seconds since the epoch.

    ``redact`` hides the secrets of all services in a text. ``scheduled``: rollbacks that are still to be carried out,
    from the journals (``--local-store``) or from GitHub.
    """

    observed: tuple[ObservedService, ...]
    history: History
    now: float
    redact: Redactor
    scheduled: tuple[ScheduleEntry, ...] = ()

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.history.lost or any(each.lost for each in self.observed) else Exit.OK


def of_hosts(
    settings: Settings,
    environ: Mapping[str, str],
    options: CommandOptions,
    secrets: Secrets,
    limit: int,
    cancellation: Cancellation,
) -> Snapshot:
    """Survey all hosts of the chosen environment and service, or of all of them, and read their journals.

    ``limit``: how many records, the newest. All hosts are asked at the same time. Raises ``UsageError`` where the
    settings lack what the options name.
    """
    contexts = opened(settings, environ, options, secrets)
    try:
        for context in contexts:
            context.begin()
        journals = [_journals(context) for context in contexts]
        observed = tuple(observe(context, cancellation) for context in contexts)
        read = [sort_answers(pending.results(_READ_WITHIN, cancellation)) for pending in journals]
        deployed = {each.about: releases_on(each.surveys.values()) for each in observed}
        history = replace(_history(read, contexts), deployments=deployed)
        scheduled = _scheduled(read, contexts)
    finally:
        for context in contexts:
            context.close()
    mask = [pattern for context in contexts for pattern in context.job.service.mask]
    return Snapshot(observed, history.newest(limit), _now(), Redactor(secrets.texts(), mask), scheduled)


def of_github(environ: Mapping[str, str], options: CommandOptions, secrets: Secrets, limit: int) -> Snapshot:
    """Read the rollbacks that GitHub has as deployments. Needs no settings, and contacts no host.

    Raises ``UsageError`` without a repository and a token, ``Refused`` when GitHub cannot be read.
    """
    history = from_github(environ, options, secrets, limit, deployments=True).newest(limit)
    return Snapshot((), history, _now(), Redactor(secrets.texts()), _scheduled_on_github(environ, options, secrets))


def _scheduled_on_github(
    environ: Mapping[str, str], options: CommandOptions, secrets: Secrets
) -> tuple[ScheduleEntry, ...]:
    from rollback_ops.integrations.github.schedule import GitHubSchedule

    repository = repository_of(environ, secrets)
    if repository is None:
        return ()
    try:
        return _to_come(GitHubSchedule(repository, Redactor(secrets.texts()), options.environment or "").entries())
    except RollbackOpsError as error:
        raise Refused(f"the scheduled rollbacks of {repository.name} cannot be read: {error.message}") from error


def opened(settings: Settings, environ: Mapping[str, str], options: CommandOptions, secrets: Secrets) -> list[Context]:
    """Return the context of each chosen service in each chosen environment. Contacts no host."""
    return [
        open_context(settings, environ, replace(options, environment=environment, service=service), secrets)
        for environment in ([options.environment] if options.environment else settings.environments)
        for service in ([options.service] if options.service else settings.services)
    ]


def observe(context: Context, cancellation: Cancellation) -> ObservedService:
    """Wait for the survey of one context, and choose as a rollback would."""
    answers = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
    service = context.job.service
    selection = Selection(order=service.order, ignore_deploy_lock=service.ignore_deploy_lock)
    decision = choose(context, selection, answers, cancellation)
    environment = context.job.environment
    return ObservedService(
        context.job.about, environment.url, answers.found, answers.lost, decision, environment.region_of
    )


def _journals(context: Context) -> Pending[str, list[str]]:
    hosts = {host.name: host for host in context.hosts}
    return begin(hosts, lambda name: list(hosts[name].journal()))


def _history(read: Sequence[Answers[list[str]]], contexts: Sequence[Context]) -> History:
    lines = [line for answers in read for journal in answers.found.values() for line in journal]
    records, unreadable = read_journal(lines)
    ours = {context.job.about for context in contexts}
    lost = {host: error for answers in read for host, error in answers.lost.items()}
    return History(tuple(r for r in records if r.about in ours), unreadable, lost)


def _scheduled(read: Sequence[Answers[list[str]]], contexts: Sequence[Context]) -> tuple[ScheduleEntry, ...]:
    entries = (
        entry
        for answers, context in zip(read, contexts, strict=True)
        for journal in answers.found.values()
        for entry in entries_in(journal, context.job.about)
    )
    return _to_come(entries)


def _to_come(entries: Iterable[ScheduleEntry]) -> tuple[ScheduleEntry, ...]:
    return tuple(entry for entry in entries if not entry.ended)


def _now() -> float:
    return datetime.now(UTC).timestamp()
