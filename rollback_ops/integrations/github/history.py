"""The payloads of deployments on GitHub: each holds the core of a record, which lasts as long as the deployment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from rollback_ops.core.record import SCHEMA_VERSION, Record


def read_payloads(payloads: Iterable[Mapping[str, Any] | None]) -> tuple[list[Record], int]:
    """The records in payloads, newest first, and how many of them could not be read.

    Those of other programs, and of other versions of the record, are among the latter. A run counts once.
    """
    records: dict[str, Record] = {}
    unreadable = 0
    for payload in payloads:
        if record := _record(payload or {}):
            records.setdefault(record.id, record)
        else:
            unreadable += 1
    return sorted(records.values(), key=lambda record: record.started_at, reverse=True), unreadable


def _record(payload: Mapping[str, Any]) -> Record | None:
    if payload.get("schema_version") != SCHEMA_VERSION:
        return None
    try:
        return Record.model_validate(payload)
    except ValidationError:
        return None
