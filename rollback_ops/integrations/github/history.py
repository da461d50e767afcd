"""Read records back from the payloads of deployments on GitHub."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rollback_ops.core.reading import read_record
from rollback_ops.core.record import Record


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
    try:
        return read_record(json.dumps(payload))
    except ValueError:
        return None
