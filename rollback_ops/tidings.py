"""Everyone who is told of a rollback besides the person at the terminal: the team, and the record's file.

Nobody who is told changes how a rollback ends: what could not be told is a warning on the record.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rollback_ops import documents
from rollback_ops.chronicle import rfc3339
from rollback_ops.notify import Notifier, Start
from rollback_ops.record import Record


class Tidings:
    """What is told when a rollback begins to change hosts, and when it has ended. ``file``: the record's, if any."""

    def __init__(self, notifier: Notifier, file: Path | None) -> None:
        self._notifier = notifier
        self._file = file

    def begun(self, provisional: Record) -> None:
        """Hosts are about to be changed: leave the record of a program that is killed, and wait for nobody."""
        self._written(provisional)
        self._notifier.started(_start(provisional))

    def ended(self, record: Record) -> Record:
        """The record with what became of telling it. It is written before, so that it is there whatever happens."""
        record = self._written(record)
        told = warned(record, *self._notifier.ended(record))
        return told if told == record else self._written(told)

    def _written(self, record: Record) -> Record:
        return warned(record, documents.write(self._file, record)) if self._file else record


def warned(record: Record, *warnings: str) -> Record:
    """The record with these warnings, each of them once; empty ones are none."""
    news = tuple(dict.fromkeys(w for w in warnings if w and w not in record.warnings))
    return record.model_copy(update={"warnings": (*record.warnings, *news)}) if news else record


def _start(record: Record) -> Start:
    shared = record.model_dump(include=set(Start.model_fields) - {"event", "at", "change"})
    change = f"{record.from_.release or 'nothing'} → {record.to.release}"
    return Start(**shared, at=rfc3339(datetime.now(UTC)), change=change)
