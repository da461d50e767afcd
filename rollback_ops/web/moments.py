"""Times as pages show them: in UTC, to the second. A page may be read long after it was made, so no ages."""

from __future__ import annotations

from datetime import UTC, datetime


def seconds_of(timestamp: str) -> float:
    """Return an RFC 3339 time in seconds since the epoch."""
    return datetime.fromisoformat(timestamp).timestamp()


def shown(at: float) -> str:
    """Return ``2026-11-27 11:12:33 UTC``; empty where it is no time."""
    moment = _moment(at)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def machine(at: float) -> str:
    """Return the time as the attribute ``datetime`` of HTML wants it; empty where it is no time."""
    moment = _moment(at)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else ""


def _moment(at: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return None
