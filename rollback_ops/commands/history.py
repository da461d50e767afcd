"""``history``: read the records of earlier runs from the hosts' journals or from GitHub, and add one by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from rollback_ops.commands.context import Context, open_context, repository_of
from rollback_ops.commands.result import sort_answers
from rollback_ops.commands.run import info_of
from rollback_ops.config import Settings
from rollback_ops.config.asked import moment
from rollback_ops.config.request import CommandOptions
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.deployments import MOST_DEPLOYMENTS, PastDeployment, of_one_history, releases_on
from rollback_ops.core.errors import Exit, Refused, RollbackOpsError, UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import ServiceId, Survey
from rollback_ops.core.outcome import EXIT_CODES
from rollback_ops.core.ports import Host
from rollback_ops.core.record import HostRecord, Record, ReleaseRef
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.run import rfc3339
from rollback_ops.core.statistics import Statistics, statistics
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.integrations.github.api import Repository

T = TypeVar("T")

_READ_WITHIN = 60.0


@frozen
class History:
    """Records, newest first. ``unreadable`` counts entries that are no record; ``lost`` are hosts without an answer.

    ``deployments`` of each service, as far as they are known: only statistics ask for them.
    """

    records: tuple[Record, ...]
    unreadable: int = 0
    lost: Mapping[str, RollbackOpsError] = field(default_factory=dict)
    deployments: Mapping[ServiceId, Sequence[PastDeployment]] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.lost else Exit.OK

    @property
    def statistics(self) -> Statistics:
        return statistics(self.records, self.deployments)

    def newest(self, limit: int | None) -> History:
        """Return the newest records, and the deployments since the first of them."""
        kept = self.records[:limit]
        if len(kept) == len(self.records):
            return self
        since = datetime.fromisoformat(kept[-1].started_at).timestamp() if kept else float("inf")
        deployments = {about: _later(found, since) for about, found in self.deployments.items()}
        return replace(self, records=kept, deployments=deployments)


@frozen
class Logged:
    """A record that was added by hand, and the hosts whose journals have it now."""

    record: Record
    hosts: tuple[str, ...]
    lost: Mapping[str, RollbackOpsError]

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.lost else Exit.OK


def from_journals(
    settings: Settings,
    environ: Mapping[str, str],
    options: CommandOptions,
    secrets: Secrets,
    *,
    deployments: bool = False,
) -> History:
    """Read the journals of the chosen environment and service, or of all of them.

    ``deployments``: survey the hosts too, for the releases that were deployed. Raises ``UsageError`` for a ``--since``
    that is not a time.
    """
    since = _since(options)
    lines: list[str] = []
    lost: dict[str, RollbackOpsError] = {}
    deployed: dict[ServiceId, Sequence[PastDeployment]] = {}
    for context in contexts(settings, environ, options, secrets):
        found, missing = _on_each(context, lambda host: (host.journal(), _survey(host) if deployments else None))
        lost |= missing
        for journal, _ in found.values():
            lines += journal
        surveys = [survey for _, survey in found.values() if survey]
        deployed[context.job.about] = _later(releases_on(surveys), since.timestamp() if since else 0.0)
    records, unreadable = read_journal(lines)
    return History(_chosen(records, options), unreadable, lost, deployed)


def from_github(
    environ: Mapping[str, str],
    options: CommandOptions,
    secrets: Secrets,
    limit: int | None,
    *,
    deployments: bool = False,
) -> History:
    """Read the deployments on GitHub, until there are ``limit`` records. Needs no settings, and contacts no host.

    ``deployments``: read those of others too, which name an environment and no service.

    Raises ``UsageError`` without a repository and a token, ``Refused`` when GitHub cannot be read.
    """
    repository = repository_of(environ, secrets)
    if repository is None:
        raise UsageError("--source github needs GITHUB_REPOSITORY (owner/name) and GITHUB_TOKEN")
    read = lambda where: _read_deployments(where, Redactor(secrets.texts()), options, limit)  # noqa: E731
    found = each([repository], read, _READ_WITHIN, Cancellation())[repository]
    if isinstance(found, RollbackOpsError):
        raise Refused(f"the deployments of {repository.name} cannot be read: {found.message}")
    records, unreadable = found
    chosen = _chosen(records, options)
    deployed = _deployed_on_github(repository, options, chosen) if deployments else {}
    return History(chosen, unreadable, deployments=deployed)


def log(context: Context, *, failed: bool) -> Logged:
    """Record a rollback that was done by hand, in the journal of every host of the environment.

    Raises ``UsageError`` when no release was named, and for a dry run.
    """
    context.refuse_limits()
    if not context.request.backup:
        raise UsageError("history log needs the release that was restored", "Name it with --backup.")
    record = _by_hand(context, failed)
    done, lost = _on_each(context, lambda host: host.record(record.id, {}, record.line()))
    return Logged(record, tuple(done), lost)


def _read_deployments(
    repository: Repository, redact: Redactor, options: CommandOptions, limit: int | None
) -> tuple[list[Record], int]:
    from rollback_ops.integrations.github.client import DeploymentClient
    from rollback_ops.integrations.github.history import read_payloads

    payloads: list[Mapping[str, Any] | None] = []
    since = _since(options)
    for page in DeploymentClient(repository, redact).pages(options.environment or ""):
        payloads += page
        records = read_payloads(payloads)[0]
        if (limit and len(_chosen(records, options)) >= limit) or any(_is_before(r, since) for r in records):
            break
    return read_payloads(payloads)


def _deployed_on_github(
    repository: Repository, options: CommandOptions, records: Sequence[Record]
) -> dict[ServiceId, Sequence[PastDeployment]]:
    from rollback_ops.integrations.github.client import DeploymentClient

    since = _since(options)
    names = [options.environment] if options.environment else sorted({record.environment for record in records})

    def read(environment: str) -> list[PastDeployment]:
        there = DeploymentClient(repository, Redactor()).deployed(environment, MOST_DEPLOYMENTS)
        return of_one_history((each.sha, each.created_at) for each in there)

    found = sort_answers(each(names, read, _READ_WITHIN, Cancellation())).found
    return {ServiceId("", name): _later(past, since.timestamp() if since else 0.0) for name, past in found.items()}


def _survey(host: Host) -> Survey | None:
    """Survey a host whose journal can be read. Without its releases, other hosts still have them."""
    try:
        return host.survey()
    except RollbackOpsError:
        return None


def _later(deployments: Sequence[PastDeployment], since: float) -> Sequence[PastDeployment]:
    return [each for each in deployments if each.at >= since]


def _chosen(records: list[Record], options: CommandOptions) -> tuple[Record, ...]:
    environment, service, since = options.environment, options.service, _since(options)
    there = [r for r in records if not environment or r.environment == environment]
    there = [r for r in there if not _is_before(r, since)]
    return tuple(r for r in there if not service or r.service == service)


def _since(options: CommandOptions) -> datetime | None:
    return moment("--since", options.since) if options.since else None


def _is_before(record: Record, since: datetime | None) -> bool:
    return since is not None and datetime.fromisoformat(record.started_at) < since


def contexts(
    settings: Settings, environ: Mapping[str, str], options: CommandOptions, secrets: Secrets
) -> Iterator[Context]:
    """Yield the context of each chosen service in each chosen environment. Contacts no host."""
    for environment in [options.environment] if options.environment else settings.environments:
        for service in [options.service] if options.service else settings.services:
            chosen = replace(options, environment=environment, service=service)
            yield open_context(settings, environ, chosen, secrets)


def _on_each(context: Context, work: Callable[[Host], T]) -> tuple[Mapping[str, T], Mapping[str, RollbackOpsError]]:
    hosts = {host.name: host for host in context.hosts}
    with context.closing():
        answers = sort_answers(each(hosts, lambda name: work(hosts[name]), _READ_WITHIN, Cancellation()))
    return answers.found, answers.lost


def _by_hand(context: Context, failed: bool) -> Record:
    info, now = replace(info_of(context, context.reason), mode="targeted", dry_run=False), rfc3339(datetime.now(UTC))
    to, regions = ReleaseRef(release=context.request.backup), context.job.environment.region_of
    there = [(host.name, regions.get(host.name)) for host in context.hosts]
    outcome: Literal["failed", "succeeded"] = "failed" if failed else "succeeded"
    return Record(
        **info.facts(),
        started_at=now,
        finished_at=now,
        duration_seconds=0.0,
        outcome=outcome,
        exit_code=EXIT_CODES[outcome],
        to=to,
        hosts=tuple(HostRecord(host=name, outcome=outcome, to=to, region=region) for name, region in there),
        warnings=("recorded by hand",),
    ).redacted(context.redact)
