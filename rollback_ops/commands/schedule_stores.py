"""The stores of scheduled rollbacks, and the context in which each is carried out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from rollback_ops.commands.context import Context, open_context, refuse, repository_of
from rollback_ops.config import Settings
from rollback_ops.config.request import CommandOptions, Request
from rollback_ops.config.resolve import resolve
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.errors import RollbackOpsError, UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.schedule import (
    ScheduledRollback,
    ScheduleEntry,
    ScheduleStore,
)
from rollback_ops.engine.schedule import JournalSchedule


@frozen
class Found:
    """An entry, and the store that keeps it."""

    entry: ScheduleEntry
    store: ScheduleStore


class Stores:
    """The stores of scheduled rollbacks: GitHub, or (``in_journals``) the journal of the first host of each service
    and environment.

    Raises ``UsageError`` where GitHub is to be used, and the repository or the token is missing.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        options: CommandOptions,
        secrets: Secrets,
        *,
        in_journals: bool,
    ) -> None:
        self._settings, self._options, self._secrets = settings, options, secrets
        # A scheduled rollback is always verified, which an emergency is not.
        self._environ = {name: text for name, text in environ.items() if name != "ROLLBACK_EMERGENCY"}
        self._in_journals = in_journals
        self._repository = None if in_journals else repository_of(environ, secrets)
        if not in_journals and self._repository is None:
            raise UsageError(
                "scheduled rollbacks are kept on GitHub, and GITHUB_REPOSITORY or GITHUB_TOKEN is missing",
                "Set them, or use --local-store: the journal of the first host.",
            )
        self.lost: dict[str, RollbackOpsError] = {}

    @property
    def record(self) -> Path | None:
        """The file to which the record of the last rollback is written, where there is one."""
        name = self._environ.get("ROLLBACK_RECORD", "").strip()
        return Path(name) if name else None

    @property
    def number(self) -> str:
        """The id of the scheduled rollback that was named. Raises ``UsageError`` where none was."""
        if not self._request.number:
            raise UsageError("name the scheduled rollback", "`rollback-ops schedule list` shows the IDs.")
        return self._request.number

    @property
    def _request(self) -> Request:
        # Without an environment, all are meant.
        return Request.build(self._environ, replace(self._options, environment=self._options.environment or "all"))

    def of(self, context: Context) -> ScheduleStore:
        """Return the store for one service and environment.

        Raises ``UsageError`` for a context without the first host, whose journal has the entries.
        """
        if self._in_journals:
            every = context.job.environment.hosts_of(context.job.service_name)
            if not context.request.local and context.job.hosts[0] != every[0]:
                hint = f"Leave the hosts out, name {every[0]}, too, or keep it on GitHub."
                raise UsageError(f"scheduled rollbacks are kept on {every[0]}, which is not among the hosts", hint)
            return JournalSchedule(context.hosts[0], context.job.about)
        return self._on_github(context.job.environment_name, context.redact)

    def refuse_limits(self) -> None:
        """Raise ``UsageError`` for a limit with which an entry would end without its rollback, or with another one."""
        refuse(self._request, "dry_run", "rehearse", "shard", "backup", "approved", "if_current")

    def find(self) -> Iterator[Found]:
        """Yield all entries. Stores that cannot be read are in ``lost``."""
        for name, store in self._all():
            try:
                entries = store.entries()
            except RollbackOpsError as error:
                self.lost[name] = error
                continue
            yield from (Found(entry, store) for entry in entries)

    def open(self, asked: ScheduledRollback) -> Context:
        """Return the context in which an entry is carried out: with the request and the person who made it."""
        context = open_context(self._settings, self._environ, self._chosen(asked), self._secrets)
        request = replace(context.request, trigger="scheduled", actor=asked.by, scheduled=asked.requested)
        return replace(context, request=request)

    def lacks(self, asked: ScheduledRollback) -> str:
        """Return which part of an entry the settings no longer have; empty where they have all of it."""
        try:
            resolve(self._settings, Request.build(self._environ, self._chosen(asked)))
        except UsageError as error:
            return error.message
        return ""

    def _chosen(self, asked: ScheduledRollback) -> CommandOptions:
        return replace(
            self._options,
            environment=asked.environment,
            service=asked.service,
            hosts=asked.hosts,
            backup=asked.to,
            if_current=asked.live,
            reason=asked.reason,
        )

    def _all(self) -> Iterator[tuple[str, ScheduleStore]]:
        options = self._options
        if not self._in_journals:
            yield "GitHub", self._on_github(options.environment or "", Redactor(self._secrets.texts()))
            return
        for environment in [options.environment] if options.environment else self._settings.environments:
            for service in [options.service] if options.service else self._settings.services:
                chosen = replace(options, environment=environment, service=service)
                context = open_context(self._settings, self._environ, chosen, self._secrets)
                with context.closing():
                    yield context.hosts[0].name, self.of(context)

    def _on_github(self, environment: str, redact: Redactor) -> ScheduleStore:
        from rollback_ops.integrations.github.schedule import GitHubSchedule

        if self._repository is None:
            raise UsageError("scheduled rollbacks are kept on GitHub, and GITHUB_REPOSITORY or GITHUB_TOKEN is missing")
        return GitHubSchedule(self._repository, redact, environment)
