"""Holds, and the result of a gate, as people read them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rollback_ops.cli.output.text import Line
from rollback_ops.core.hold import about, expired, standing
from rollback_ops.core.model import Hold
from rollback_ops.core.revision import short
from rollback_ops.core.text import age

if TYPE_CHECKING:
    from rollback_ops.commands.arm import Arming, Confirmation
    from rollback_ops.commands.gate import Gate
    from rollback_ops.commands.hold import Held


def listed(holds: Iterable[Hold], now: float) -> Iterator[Line]:
    """Show the holds, and those that expired lately."""
    known = list(holds)
    for hold in standing(known, now):
        yield Line(f"  ! held: {about(hold)}: {hold.reason}{_who(hold, now)}", "warning")
    for hold in expired(known, now):
        yield Line(f"  expired hold: {about(hold)}: {hold.reason}{_who(hold, now)}", "faint")


def shown(held: Held) -> Iterator[Line]:
    """Show the result of ``hold``."""
    if held.done == "lifted":
        lifted = [hold for hold in held.holds if hold.lifted_by]
        yield Line("✓ nothing is held any more" if lifted else "✓ nothing was held", "good")
    elif held.done == "set":
        yield Line(f"✓ deployments to {held.environment} are held until {moment(held.holds[0].until)}", "good")
    elif not standing(held.holds, held.now):
        yield Line(f"✓ nothing is held in {held.environment}", "good")
    yield from listed(held.holds, held.now)


def gate(found: Gate) -> Iterator[Line]:
    """Show the result of ``gate``."""
    wanted = found.candidate
    what = " ".join(filter(None, (wanted.release, wanted.revision and f"({short(wanted.revision)})")))
    if not found.objections:
        yield Line(f"✓ {what} may be deployed to {found.environment}", "good")
    for each in found.objections:
        by = f"by {each.by}" if each.by else f"by run {each.run}" if each.run else ""
        since = f"since {moment(each.since)}" if each.since else ""
        until = f"until {moment(each.until)}" if each.until else ""
        told = " ".join(filter(None, (by, since, until)))
        yield Line(f"✗ {what} should not be deployed to {found.environment}: {each.why}", "bad")
        yield Line(f"  {told}" if told else "")
        yield Line(f"  to lift it: {each.remedy}")
    yield from (
        Line(f"  ! not asked: {host}: {error.without(host).splitlines()[0]}", "warning")
        for host, error in found.lost.items()
    )


def armed(done: Arming) -> Iterator[Line]:
    """Show the result of ``arm``."""
    for host, each in done.armed.items():
        yield Line(f"✓ {host}  goes back to {each.target} at {each.until}, unless it is confirmed", "good")
    for host in done.bare:
        yield Line(f"! {host}  nothing is live, so there is nothing to go back to: it is not armed", "warning")
    if done.lost:
        yield Line("✗ not every host could be armed: the others are disarmed again", "bad")


def confirmed(done: Confirmation) -> Iterator[Line]:
    """Show the result of ``confirm``."""
    for host in done.confirmed:
        yield Line(f"✓ {host}  stays as it is", "good")


def moment(at: float) -> str:
    """Show a time, given in seconds since the epoch, to the minute."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _who(hold: Hold, now: float) -> str:
    by = f"by {hold.by} " if hold.by else ""
    left = f"in {age(hold.until - now)}" if hold.until > now else f"{age(now - hold.until)} ago"
    if not hold.readable:
        return ""
    return f"  ({by}since {moment(hold.since)}, until {moment(hold.until)}, {left})"
