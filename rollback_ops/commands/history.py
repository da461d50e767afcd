"""The ``history`` commands: what the hosts' journals say, or GitHub's deployments, and one line more by hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from rollback_ops.cli.output import documents, terminal, text
from rollback_ops.commands.context import Context, place, settings_of, wire
from rollback_ops.config import Settings
from rollback_ops.config.reason import reason_for
from rollback_ops.core import tasks
from rollback_ops.core.errors import Exit, Refused, RollbackOpsError, UsageError
from rollback_ops.core.journal import read_journal
from rollback_ops.core.ports import Host
from rollback_ops.core.record import HostRecord, Record, ReleaseRef
from rollback_ops.core.run import new_run, rfc3339
from rollback_ops.core.statistics import statistics
from rollback_ops.core.tasks import Cancellation
from rollback_ops.integrations.github.history import read_payloads

if TYPE_CHECKING:
    from rollback_ops.integrations.github.api import Repository

T = TypeVar("T")

_READ_WITHIN = 60.0


class Past:
    """The past of one environment, or of all of them. ``config`` is the path that was typed, if any.

    ``on_github``: read from GitHub's deployments, for which nothing else is contacted, and no settings are needed.
    """

    def __init__(
        self, config: str | None, options: Mapping[str, Any], *, as_json: bool, on_github: bool = False
    ) -> None:
        self._environ = dict(os.environ)
        self._settings = Settings() if on_github else settings_of(config, self._environ)
        self._on_github = on_github
        self._options = options
        self._as_json = as_json
        self._lost = False

    def show(self, limit: int) -> int:
        records = self._records(limit)[:limit]
        if self._as_json:
            documents.show({"records": [record.model_dump(mode="json", by_alias=True) for record in records]})
        elif records:
            terminal.table(*text.history(records))
        else:
            terminal.show([text.Line("No rollback is on the record yet.")])
        return Exit.REFUSED if self._lost else Exit.OK

    def stats(self, limit: int | None) -> int:
        found = statistics(self._records(limit)[:limit])
        if self._as_json:
            documents.show(documents.statistics(found))
        else:
            terminal.show(text.stats(found))
        return Exit.REFUSED if self._lost else Exit.OK

    def log(self, *, failed: bool) -> int:
        """Put a rollback on the record that was done by hand, on every host of the environment."""
        wired = wire(self._settings, self._environ, self._options)
        if not wired.request.backup:
            raise UsageError("history log needs the release that was restored", "Name it with --backup.")
        record = _by_hand(wired, failed)
        outcomes = self._each(wired, lambda host: host.record(record.id, {}, record.line()))
        if self._as_json:
            documents.show(record.model_dump(mode="json", by_alias=True))
        elif outcomes:
            terminal.show([text.Line(f"✓ on the record of {', '.join(outcomes)}: {record.id}", "good")])
        return Exit.REFUSED if self._lost else Exit.OK

    def _records(self, limit: int | None) -> list[Record]:
        if self._on_github:
            return self._from_github(limit)
        lines: list[str] = []
        for wired in self._wired():
            for journal in self._each(wired, lambda host: host.journal()).values():
                lines += journal
        records, unreadable = read_journal(lines)
        if unreadable:
            terminal.show([text.Line(f"! {unreadable} lines of the journals could not be read", "warning")], err=True)
        return self._wanted(records)

    def _from_github(self, limit: int | None) -> list[Record]:
        where = place(self._environ)
        if where is None:
            raise UsageError("--source github needs GITHUB_REPOSITORY (owner/name) and GITHUB_TOKEN")
        read = tasks.each([where], lambda where: self._read(where, limit), _READ_WITHIN, Cancellation())[where]
        if isinstance(read, RollbackOpsError):
            raise Refused(f"the deployments of {where.repository} cannot be read: {read.message}")
        records, unreadable = read
        if unreadable:
            terminal.show([text.Line(f"! {unreadable} deployments could not be read", "warning")], err=True)
        return self._wanted(records)

    def _read(self, where: Repository, limit: int | None) -> tuple[list[Record], int]:
        """Page by page, until there are enough."""
        from rollback_ops.integrations.github.client import DeploymentClient

        payloads: list[Mapping[str, Any] | None] = []
        for page in DeploymentClient(where).pages(self._options.get("environment") or ""):
            payloads += page
            if limit and len(self._wanted(read_payloads(payloads)[0])) >= limit:
                break
        return read_payloads(payloads)

    def _wanted(self, records: list[Record]) -> list[Record]:
        environment, service = self._options.get("environment"), self._options.get("service")
        there = [r for r in records if not environment or r.environment == environment]
        return [r for r in there if not service or r.service == service]

    def _wired(self) -> Iterator[Context]:
        chosen, service = self._options.get("environment"), self._options.get("service")
        for environment in [chosen] if chosen else self._settings.environments:
            for name in [service] if service else self._settings.services:
                options = {**self._options, "environment": environment, "service": name}
                yield wire(self._settings, self._environ, options)

    def _each(self, wired: Context, work: Callable[[Host], T]) -> dict[str, T]:
        try:
            results = tasks.each(wired.hosts, work, _READ_WITHIN, Cancellation())
        finally:
            wired.close()
        lost = {host.name: r for host, r in results.items() if isinstance(r, RollbackOpsError)}
        terminal.show(text.lost(lost), err=True)
        self._lost = self._lost or bool(lost)
        return {host.name: r for host, r in results.items() if not isinstance(r, RollbackOpsError)}


def _by_hand(wired: Context, failed: bool) -> Record:
    request, now = wired.request, rfc3339(datetime.now(UTC))
    to = ReleaseRef(release=request.backup)
    outcome = "failed" if failed else "succeeded"
    return Record(
        id=new_run(),
        service=wired.job.service_name,
        environment=wired.job.environment_name,
        mode="targeted",
        trigger=request.trigger,
        reason=reason_for(request).text,
        actor=request.actor,
        run_url=request.run_url or None,
        started_at=now,
        finished_at=now,
        duration_seconds=0.0,
        outcome=outcome,
        exit_code=Exit.FAILED if failed else Exit.OK,
        to=to,
        hosts=tuple(HostRecord(host=host.name, outcome=outcome, to=to) for host in wired.hosts),
        warnings=("put on the record by hand",),
    ).without_secrets()
