"""What a message says, in whatever format it is sent: the specification's template ("Notification Template"). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from rollback_ops.model import Mode, Trigger
from rollback_ops.record import HostRecord, Moment, Noun, Outcome, Record, ReleaseRef

_PERSONAL: tuple[Trigger, ...] = ("manual", "workflow")


class Start(Noun):
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
    at: Moment
    change: str


News = Start | Record


class Message(NamedTuple):
    """The texts are as people and hosts wrote them: a format makes them harmless, and short enough."""

    title: str
    facts: tuple[tuple[str, str], ...]
    status: str
    hosts: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    run_url: str = ""


class _Ending(NamedTuple):
    title: str
    status: str
    next_steps: tuple[str, ...]


_LOOK = "Look at the hosts and the record of the run"
_FIND = "Find out why, and fix it in development"
_ENDINGS: dict[Outcome, _Ending] = {
    "succeeded": _Ending(
        "🔄 Rollback executed",
        "✅ Service restored and operational",
        ("Investigate root cause", "Fix issue in development", "Test thoroughly", "Redeploy when ready"),
    ),
    "nothing_to_do": _Ending("🔄 Nothing to roll back", "✅ Nothing was changed", ()),
    "verification_failed": _Ending(
        "🚨 Rolled back, and the verification failed",
        "❌ The restored release is live, and it is not well",
        (_LOOK, "Try an older release (--to), or deploy a fix"),
    ),
    "restored": _Ending(
        "🚨 Rollback failed, and was taken back",
        "❌ What was live before is live again",
        (_LOOK, "Remove what stood in the way, and roll back again"),
    ),
    "failed": _Ending("🚨 Rollback failed", "❌ A person is needed now", (_LOOK, "Bring the service back by hand")),
    "refused": _Ending(
        "🚨 Rollback refused",
        "❌ Nothing was changed: what was live before is still live",
        ("Read why it was refused", "Remove what stood in the way, and roll back again"),
    ),
    "partial": _Ending(
        "🚨 Rollback ended differently on its hosts",
        "❌ The hosts do not all run the same release",
        (_LOOK, "Roll back again: hosts that are done are left alone"),
    ),
    "cancelled": _Ending(
        "🚨 Rollback stopped by a signal",
        "❌ Each host finished what it had begun",
        (_LOOK, "Roll back again if it is still needed"),
    ),
}


def message_of(news: News) -> Message:
    return _beginning(news) if isinstance(news, Start) else _ending(news)


def _beginning(start: Start) -> Message:
    facts = (*_heading(start, start.at), ("Change", start.change))
    title = f"🔄 Rollback started: {start.service}, {start.environment}"
    return Message(title, facts, "⏳ Hosts are being switched", run_url=start.run_url or "")


def _ending(record: Record) -> Message:
    ending = _ENDINGS[record.outcome]
    status, next_steps = ending.status, ending.next_steps
    if record.outcome == "succeeded" and _verification(record)[0] != "✅":
        status = "⚠️ Service started, and nobody has verified it yet"
        next_steps = (f"Run rollback-ops verify {record.environment} now", *next_steps)
    return Message(
        f"{ending.title}: {record.service}, {record.environment}",
        (*_heading(record, record.started_at), *_outcome_facts(record)),
        status,
        tuple(_host(host) for host in record.hosts),
        next_steps,
        record.run_url or "",
    )


def _heading(news: News, at: str) -> Iterator[tuple[str, str]]:
    yield "Environment", news.environment if news.mode == "standard" else f"{news.environment} ({news.mode})"
    yield "Service", news.service
    yield "Time", f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    yield "Initiated by", news.actor if news.trigger in _PERSONAL else f"{news.actor} (automatic: {news.trigger})"
    yield "Reason", news.reason


def _outcome_facts(record: Record) -> Iterator[tuple[str, str]]:
    yield "From", _release(record.from_)
    yield "To", _release(record.to)
    yield "Duration", f"{record.duration_seconds:.1f} seconds"
    yield "Verification", " ".join(_verification(record))
    if record.warnings:
        yield "Warnings", "; ".join(record.warnings)


def _release(ref: ReleaseRef) -> str:
    name = ref.release or "none"
    return f"{name} ({ref.revision[:12]})" if ref.revision else name


def _verification(record: Record) -> tuple[str, str]:
    """A sign and words."""
    checks = [(host.host, check) for host in record.hosts for check in host.checks]
    failed = [f"{check.name} on {host}" for host, check in checks if check.outcome in ("failed", "unknown")]
    if failed:
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        return "❌", f"Failed: {failed[0]}{more}"
    passed = sum(check.outcome == "passed" for _, check in checks)
    if record.outcome == "verification_failed":
        return "❌", "Failed"
    if passed:
        return "✅", f"Passed ({passed} check{'s' * (passed > 1)})"
    return "⚠️", "Skipped" if checks else "Not done"


def _host(host: HostRecord) -> str:
    way = f", {host.from_.release or 'none'} → {host.to.release}" if host.to.release else ""
    down = f", down for {host.downtime_seconds:.1f} s" if host.downtime_seconds is not None else ""
    why = f": {host.detail}" if host.detail and host.outcome != "succeeded" else ""
    return f"{host.host}: {host.outcome.replace('_', ' ')}{way}{down}{why}"
