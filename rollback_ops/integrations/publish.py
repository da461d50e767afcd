"""Everyone who is told of a rollback besides the person at the terminal: the team, GitHub, and the record's file.

Nobody who is told changes how a rollback ends: what could not be told is a warning on the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rollback_ops.cli.output import documents
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.journal import read_journal
from rollback_ops.core.ports import Host
from rollback_ops.core.record import Record
from rollback_ops.core.run import rfc3339
from rollback_ops.core.tasks import Cancellation, begin
from rollback_ops.integrations.webhook import Notifier, StartNotice

if TYPE_CHECKING:
    from rollback_ops.integrations.github.deployments import DeploymentRecorder, Filed

# Seconds for the deployment on GitHub. After a signal the runner's patience ends sooner.
_FILED_WITHIN = 5.0
_FILED_WITHIN_AFTER_A_SIGNAL = 1.0
# It keeps its time itself, and says what it could not do.
_LATE = 1.0


class Publisher:
    """What is told when a rollback begins to change hosts, and when it has ended.

    ``filing`` and ``file`` are None where no deployment is recorded, and no file written.
    """

    def __init__(
        self, notifier: Notifier, filing: DeploymentRecorder | None, hosts: Sequence[Host], file: Path | None
    ) -> None:
        self._notifier = notifier
        self._filing = filing
        self._hosts = hosts
        self._file = file
        self._begun: Record | None = None

    def begun(self, provisional: Record) -> None:
        """Hosts are about to be changed: leave the record of a program that is killed, and wait for nobody."""
        self._begun = provisional
        self._written(provisional)
        self._notifier.started(_start(provisional))

    def changed(self) -> None:
        """They are changed, and are watched from now on: the time for what keeps this machine busy."""
        if self._filing and self._begun:
            self._filing.prepare(self._begun)

    def ended(self, record: Record) -> Record:
        """The record with what became of telling it. It is written before, so that it is there whatever happens."""
        record = self._written(record)
        filing = begin(["GitHub"], lambda _: self._filed(record))
        unsent = self._notifier.ended(record)
        filed = filing.results(_FILED_WITHIN + _LATE, Cancellation())["GitHub"]
        told = warned(record, *unsent)
        if filed and not isinstance(filed, RollbackOpsError):
            told = warned(told.model_copy(update={"deployment": filed.deployment}), *filed.warnings)
        return told if told == record else self._written(told)

    def _filed(self, record: Record) -> Filed | None:
        if not self._filing:
            return None
        if record.exit_code > 128:
            return self._filing.file(record, _FILED_WITHIN_AFTER_A_SIGNAL)
        return self._filing.file(record, _FILED_WITHIN, lambda: self._earlier(record))

    def _earlier(self, record: Record) -> Sequence[Record]:
        """The records of the first host that was there; a journal that cannot be read now is read another time."""
        there = {host.host for host in record.hosts if host.outcome not in ("unreachable", "unknown")}
        host = next((host for host in self._hosts if host.name in there), None)
        try:
            return read_journal(host.journal())[0] if host else ()
        except RollbackOpsError:
            return ()

    def _written(self, record: Record) -> Record:
        return warned(record, documents.write(self._file, record)) if self._file else record


def warned(record: Record, *warnings: str) -> Record:
    """The record with these warnings, each of them once; empty ones are none."""
    news = tuple(dict.fromkeys(w for w in warnings if w and w not in record.warnings))
    return record.model_copy(update={"warnings": (*record.warnings, *news)}) if news else record


def _start(record: Record) -> StartNotice:
    shared = record.model_dump(include=set(StartNotice.model_fields) - {"event", "at", "change"})
    change = f"{record.from_.release or 'nothing'} → {record.to.release}"
    return StartNotice(**shared, at=rfc3339(datetime.now(UTC)), change=change)
