"""Read records back from the payloads of deployments on GitHub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from rollback_ops.core.record import READABLE_VERSIONS, Record


def read_payloads(payloads: Iterable[Mapping[str, Any] | None]) -> tuple[list[Record], int]:
    """Return the records in payloads, newest first, and the number of payloads that could not be read.

    Payloads of other programs and of other versions of the record count as unreadable. Each run is returned once.
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
    if payload.get("schema_version") not in READABLE_VERSIONS:
        return None
    try:
        return Record.model_validate(payload)
    except ValidationError:
        return None
