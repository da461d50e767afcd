"""The screen "Record": the whole record of one run. Pure."""

from __future__ import annotations

from rollback_ops.core.agreeing import agreeing
from rollback_ops.core.record import HostRecord, Record
from rollback_ops.core.summary import outcome_summary, step_durations, verification_summary
from rollback_ops.web.history import tone_of
from rollback_ops.web.view import RecordView, Tone

# The tone of the signs of a verification (``core.summary``).
_TONES: dict[str, Tone] = {"✅": "good", "❌": "bad"}


def record_of(record: Record) -> RecordView:
    """Return the screen of a record. Many hosts that ended alike are one group."""
    summary, (sign, verification) = outcome_summary(record), verification_summary(record)
    return RecordView(
        record,
        tone_of(record),
        _words(summary.title),
        _words(summary.status),
        summary.next_steps,
        verification,
        _TONES.get(sign, "warning"),
        tuple(step_durations(record)),
        tuple(tuple(group) for group in agreeing(record.hosts, _alike)),
    )


def _words(text: str) -> str:
    """Return a text of a message without the sign before it: a page has signs of its own, which every font has."""
    return text.partition(" ")[2]


def _alike(host: HostRecord) -> tuple[object, ...]:
    checks = tuple((check.name, check.outcome, check.detail) for check in host.checks)
    steps = tuple((step.name, step.outcome, step.detail) for step in host.steps)
    ends = (host.from_.label, host.to.label)
    return host.region, host.outcome, host.detail.replace(host.host, ""), ends, steps, checks
