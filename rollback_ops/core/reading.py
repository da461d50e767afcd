"""Read records that somebody else may have written: in a journal, a payload on GitHub or a file.

All other code relies on these checks, so only this module makes records of text from outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rollback_ops.core.record import READABLE_VERSIONS, Record

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,127}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Seconds: eleven days. Sums and means of such numbers stay numbers.
_LONGEST = 1e6
_YEARS = range(2000, 2200)


def read_record(text: str | bytes) -> Record:
    """Return the record in a JSON text. Raises ``ValueError`` for a text that is no valid record."""
    return sensible(Record.model_validate_json(text, strict=True))


def composed(document: dict[str, Any]) -> Record:
    """Make a record from events, whose numbers are texts. Raises ``ValueError`` as ``read_record`` does."""
    return sensible(Record.model_validate(document))


def sensible(record: Record) -> Record:
    """Return the record. Raises ``ValueError`` for a version, name, time or number that no run can have."""
    for what, holds in _rules(record):
        if not holds:
            raise ValueError(f"the record has no valid {what}")
    return record


def _rules(record: Record) -> Iterator[tuple[str, bool]]:
    yield "version", record.schema_version in READABLE_VERSIONS
    yield "id", bool(_ID.fullmatch(record.id))
    yield "service", bool(_NAME.fullmatch(record.service))
    yield "environment", bool(_NAME.fullmatch(record.environment))
    yield "time", all(datetime.fromisoformat(at).year in _YEARS for at in (record.started_at, record.finished_at))
    yield "duration", all(0 <= seconds <= _LONGEST for seconds in _durations(record))
    yield "exit code", 0 <= record.exit_code <= 255


def _durations(record: Record) -> Iterator[float]:
    yield record.duration_seconds
    for way in record.drill.ways if record.drill else ():
        yield way.seconds_to_healthy or 0.0
        yield way.downtime_seconds or 0.0
    for host in record.hosts:
        yield host.downtime_seconds or 0.0
        yield from (step.seconds for step in host.steps)
        yield from (check.seconds for check in host.checks)
