"""What a message says, in whatever format it is sent: the specification's template ("Notification Template"). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from rollback_ops.core.model import PERSONAL_TRIGGERS, Mode, Trigger
from rollback_ops.core.record import HostRecord, Record, RecordPart, ReleaseRef, Timestamp
from rollback_ops.core.summary import ending_of, verification_of
from rollback_ops.core.text import joined


class StartNotice(RecordPart):
    """What is known when the first host is about to be changed. ``change`` is what goes and what comes: b3 → b2."""

    event: Literal["start"] = "start"
    id: str
    service: str
    environment: str
    mode: Mode
    trigger: Trigger
    reason: str
    actor: str
    run_url: str | None = None
    at: Timestamp
    change: str


Notice = StartNotice | Record


class Message(NamedTuple):
    """The texts are as people and hosts wrote them: a format makes them harmless, and short enough."""

    title: str
    facts: tuple[tuple[str, str], ...]
    status: str
    hosts: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    run_url: str = ""


def message_of(news: Notice) -> Message:
    return _beginning(news) if isinstance(news, StartNotice) else _ending(news)


def _beginning(start: StartNotice) -> Message:
    facts = (*_heading(start, start.at), ("Change", start.change))
    title = f"🔄 Rollback started: {start.service}, {start.environment}"
    return Message(title, facts, "⏳ Hosts are being switched", run_url=start.run_url or "")


def _ending(record: Record) -> Message:
    ending = ending_of(record)
    return Message(
        f"{ending.title}: {record.service}, {record.environment}",
        (*_heading(record, record.started_at), *_outcome_facts(record)),
        ending.status,
        tuple(_host(host) for host in record.hosts),
        ending.next_steps,
        record.run_url or "",
    )


def _heading(news: Notice, at: str) -> Iterator[tuple[str, str]]:
    yield "Environment", news.environment if news.mode == "standard" else f"{news.environment} ({news.mode})"
    yield "Service", news.service
    yield "Time", f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    automatic = "" if news.trigger in PERSONAL_TRIGGERS else f" (automatic: {news.trigger})"
    yield "Initiated by", f"{news.actor}{automatic}"
    yield "Reason", news.reason


def _outcome_facts(record: Record) -> Iterator[tuple[str, str]]:
    yield "From", _release(record.from_)
    yield "To", _release(record.to)
    yield "Duration", f"{record.duration_seconds:.1f} seconds"
    yield "Verification", " ".join(verification_of(record))
    if record.warnings:
        yield "Warnings", joined("; ".join(record.warnings))


def _release(ref: ReleaseRef) -> str:
    name = ref.release or "none"
    return f"{name} ({ref.revision[:12]})" if ref.revision else name


def _host(host: HostRecord) -> str:
    way = f", {host.from_.release or 'none'} → {host.to.release}" if host.to.release else ""
    down = f", down for {host.downtime_seconds:.1f} s" if host.downtime_seconds is not None else ""
    why = f": {joined(host.detail)}" if host.detail and host.outcome != "succeeded" else ""
    return f"{host.host}: {host.outcome.replace('_', ' ')}{way}{down}{why}"
