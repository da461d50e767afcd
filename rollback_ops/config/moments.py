"""Times that people give: with a zone, within bounds. Raises ``UsageError`` for others."""

from __future__ import annotations

from datetime import UTC, datetime

from rollback_ops.core.errors import UsageError
from rollback_ops.core.schedule import CADENCE, LONGEST_AHEAD, VALID_FOR
from rollback_ops.core.text import quoted

_FORM = "Write it like 2026-12-24T03:00Z, or with another zone: 2026-12-24T03:00+01:00."


def window(at: str, not_after: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the time at which a rollback is to begin, and the last time at which it may, in UTC.

    ``at`` is at least the cadence of ``schedule run`` away, and at most 60 days. Raises ``UsageError``.
    """
    if not at:
        raise UsageError("a time is needed, and none was given", f"Give it with --at. {_FORM}")
    begins = _moment("--at", at)
    ahead = (begins - now).total_seconds()
    if ahead <= 0:
        raise UsageError(f"--at is in the past: {_shown(begins)}, and it is {_shown(now)} now", "Give a later time.")
    if ahead < CADENCE:
        raise UsageError(
            f"--at is too near: {_shown(begins)}, in {ahead / 60:.0f} minutes; "
            f"`schedule run` comes every {CADENCE / 60:.0f} minutes",
            "Roll back now with `rollback-ops rollback`, or give a later time.",
        )
    if ahead > LONGEST_AHEAD:
        raise UsageError(
            f"--at is too far away: {_shown(begins)}; at most {LONGEST_AHEAD / 86400:.0f} days are kept", _FORM
        )
    ends = (
        _moment("--not-after", not_after) if not_after else datetime.fromtimestamp(begins.timestamp() + VALID_FOR, UTC)
    )
    if ends <= begins:
        raise UsageError(
            f"--not-after ({_shown(ends)}) is not later than --at ({_shown(begins)})",
            "Give the last time at which it may still begin.",
        )
    if (ends - begins).total_seconds() > LONGEST_AHEAD:
        raise UsageError(f"--not-after is too far away: {_shown(ends)}", f"At most 60 days after --at. {_FORM}")
    return begins, ends


def _moment(source: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{source} = {quoted(text)} is not a time", _FORM) from None
    if moment.tzinfo is None:
        here = moment.astimezone()
        zone = here.tzname() or "local time"
        raise UsageError(
            f"{source} = {quoted(text)} has no time zone",
            f"As the local time of this machine ({zone}) it is {_shown(here)}: write it like that.",
        )
    try:
        return moment.astimezone(UTC)
    except (OverflowError, ValueError):
        raise UsageError(f"{source} = {quoted(text)} is not a time that can be kept", _FORM) from None


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
