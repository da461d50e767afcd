"""The journal on a host: records, and the events of transactions whose record was never written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from rollback_ops.core.record import Record, ReleaseRef


def read_journal(lines: Iterable[str]) -> tuple[list[Record], int]:
    """The records in a journal, newest first, and how many of its lines could not be read.

    A run of which only events are left (the machine that ran it was lost before it wrote the record) is
    told from those: its outcome is ``cancelled``. The same run read from several hosts counts once.
    """
    records: dict[str, Record] = {}
    events: dict[str, dict[str, dict[str, Any]]] = {}
    unreadable = 0
    for line in filter(str.strip, lines):
        match _entry(line):
            case Record() as record:
                records[record.id] = record
            case {"event": str(event), "id": str(run), **words}:
                events.setdefault(event, {})[run] = {str(key): value for key, value in words.items()} | {"id": run}
            case _:
                unreadable += 1
    for run, intent in events.get("intent", {}).items():
        if run in records:
            continue
        if told := _from_events(intent, events.get("end", {}).get(run, {})):
            records[run] = told
        else:
            unreadable += 1
    return sorted(records.values(), key=lambda record: record.started_at, reverse=True), unreadable


def _entry(line: str) -> Record | dict[str, Any] | None:
    try:
        # Unlike the standard library's, it takes no text that could not be written again (lone surrogates).
        entry = from_json(line)
        if isinstance(entry, dict) and "schema_version" in entry:
            return Record.model_validate(entry)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _from_events(intent: dict[str, Any], end: dict[str, Any]) -> Record | None:
    how = f"the host ended it as: {end.get('outcome')}" if end else "the host did not come to its end"
    try:
        return Record(
            **{key: intent[key] for key in ("id", "service", "environment", "mode", "trigger", "reason", "actor")},
            run_url=intent.get("run_url"),
            started_at=intent["at"],
            finished_at=end.get("at", intent["at"]),
            duration_seconds=0.0,
            outcome="cancelled",
            exit_code=1,
            from_=ReleaseRef(release=intent.get("from")),
            to=ReleaseRef(release=intent.get("to")),
            warnings=(f"nobody wrote the record of this run; {how}",),
        )
    except (KeyError, ValidationError):
        return None
