"""The content of a message in every format, by the specification's template ("Notification Template"). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from rollback_ops.core.agreeing import agreeing
from rollback_ops.core.model import PERSONAL_TRIGGERS, Mode, Trigger
from rollback_ops.core.record import HostRecord, Record, RecordPart, ReleaseRef, Timestamp
from rollback_ops.core.revision import short
from rollback_ops.core.summary import (
    evidence_summary,
    held,
    outcome_summary,
    services_told,
    target_label,
    verification_summary,
)
from rollback_ops.core.text import joined


class StartEvent(RecordPart):
    """A rollback that is about to change its first host. ``change`` names both releases: ``b3 → b2``.

    ``leaves``: the commits that leave the hosts, in brief; empty where they are not known. ``strategy``: the
    waves, one sentence for each region; ``order``: that of the services of a group.
    """

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
    leaves: str = ""
    strategy: tuple[str, ...] = ()
    order: str = ""


Notification = StartEvent | Record


class Message(NamedTuple):
    """The texts of a message, as people and hosts wrote them. Each format escapes and shortens them."""

    title: str
    facts: tuple[tuple[str, str], ...]
    status: str
    hosts: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    run_url: str = ""


def message_of(notification: Notification) -> Message:
    return _start_message(notification) if isinstance(notification, StartEvent) else _end_message(notification)


def _start_message(start: StartEvent) -> Message:
    more = {"Leaves": start.leaves, "Strategy": joined("; ".join(start.strategy)), "Order": start.order}
    shown = ((what, told) for what, told in more.items() if told)
    facts = (*_run_facts(start, start.at), ("Change", start.change), *shown)
    title = f"🔄 Rollback started: {start.service}, {start.environment}"
    return Message(title, facts, "⏳ Hosts are being switched", run_url=start.run_url or "")


def _end_message(record: Record) -> Message:
    summary = outcome_summary(record)
    return Message(
        f"{summary.title}: {record.service}, {record.environment}",
        (*_run_facts(record, record.started_at), *_outcome_facts(record)),
        summary.status,
        tuple(map(_hosts, agreeing(record.hosts, lambda host: _host(host).removeprefix(host.label)))),
        summary.next_steps,
        record.run_url or "",
    )


def _run_facts(notified: Notification, at: str) -> Iterator[tuple[str, str]]:
    mode = "" if notified.mode == "standard" else f" ({notified.mode})"
    yield "Environment", f"{notified.environment}{mode}"
    yield "Service", notified.service
    yield "Time", f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    automatic = "" if notified.trigger in PERSONAL_TRIGGERS else f" (automatic: {notified.trigger})"
    yield "Initiated by", f"{notified.actor}{automatic}"
    yield "Reason", notified.reason


def _outcome_facts(record: Record) -> Iterator[tuple[str, str]]:
    if record.group and record.services:
        yield "Services", joined("; ".join(services_told(record)))
    else:
        yield "From", _release(record.from_)
        yield target_label(record), _release(record.to)
    yield "Duration", f"{record.duration_seconds:.1f} seconds"
    yield "Verification", " ".join(verification_summary(record))
    if record.evidence:
        yield "Metrics", joined("; ".join(map(evidence_summary, record.evidence)))
    if record.strategy:
        yield "Strategy", joined("; ".join(record.strategy.told))
    if record.waves:
        yield "Waves", _waves(record)
    for stopped in (record.strategy, record.group):
        if stopped and stopped.stopped:
            yield "Stopped", stopped.stopped
    if record.hold:
        yield "Held", f"{held(record.hold)}, until {_minute(record.hold.until)}"
    if record.warnings:
        yield "Warnings", joined("; ".join(record.warnings))


def _waves(record: Record) -> str:
    """Say how many waves began, and in which regions."""
    begun = [wave for wave in record.waves if wave.outcome != "not_begun"]
    regions = dict.fromkeys(wave.region for wave in begun if wave.region)
    where = f" in {', '.join(regions)}" if regions else ""
    return f"{len(begun)} of {len(record.waves)} began{where}"


def _minute(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _release(ref: ReleaseRef) -> str:
    name = ref.release or "none"
    return f"{name} ({short(ref.revision)})" if ref.revision else name


def _hosts(hosts: Sequence[HostRecord]) -> str:
    """Return one host, or many that ended in the same way."""
    text = _host(hosts[0])
    name = f"{hosts[0].service} on {len(hosts)} hosts" if hosts[0].service else f"{len(hosts)} hosts"
    return text if len(hosts) == 1 else f"{name}{text.removeprefix(hosts[0].label)}"


def _host(host: HostRecord) -> str:
    way = f", {host.from_.label or 'none'} → {host.to.label}" if host.to.label else ""
    down = f", down for {host.downtime_seconds:.1f} s" if host.downtime_seconds is not None else ""
    why = f": {joined(host.detail)}" if host.detail and host.outcome != "succeeded" else ""
    return f"{host.label}: {host.outcome.replace('_', ' ')}{way}{down}{why}"
