"""Rehearsals and outlooks as people read them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rollback_ops.cli.output.text import Line, Style
from rollback_ops.core.revision import short
from rollback_ops.core.text import age

if TYPE_CHECKING:
    from rollback_ops.commands.outlook import LookedAhead
    from rollback_ops.commands.rehearse import Rehearsed
    from rollback_ops.core.deployments import Rate
    from rollback_ops.core.outlook import Outlook

_MOST = 10
_SIGNS: dict[bool | None, tuple[str, Style]] = {True: ("✓", "good"), False: ("✗", "bad"), None: ("?", "warning")}


def rehearsal(found: Rehearsed) -> Iterator[Line]:
    """Show how many healthy moments would have been rolled back, with the exact bound, and which."""
    done = found.rehearsal
    if not done.trials:
        yield Line("✗ there was nothing to compare in the past", "bad")
    else:
        told = f"{done.rolled_back} of {done.trials} would have been rolled back (95 %: ≤ {done.at_most:.1%})"
        yield Line(f"{'!' if done.exceeds else '✓'} {told.replace('%)', ' %)')}", "warning" if done.exceeds else "good")
    if done.exceeds:
        yield Line(f"  more than α ({done.alpha:g}) allows: these counts vary more than the judge assumes", "warning")
    wrong = [moment for moment in done.moments if moment.worse]
    for moment in wrong[:_MOST]:
        at = datetime.fromtimestamp(moment.at, UTC)
        yield Line(f"  {at:%Y-%m-%d %H:%M} UTC: {', '.join(moment.worse)}")
    if len(wrong) > _MOST:
        yield Line(f"  and {len(wrong) - _MOST} more")
    empty = len(done.moments) - done.trials
    if empty:
        yield Line(f"  {empty} moments have nothing to compare, and do not count", "faint")
    yield Line(f"  deployments in the last {age(done.seconds)}, whose time was left out: {done.deployments}", "faint")
    yield from (Line(f"  ! not rehearsed: {name}: {why}", "warning") for name, why in done.skipped.items())
    yield from (Line(f"  ! not all of the past could be read: {why}", "warning") for why in done.gaps)
    yield from (Line(f"  ! {host}: its deployments are not known", "warning") for host in found.lost)


def outlook(found: LookedAhead) -> Iterator[Line]:
    """Show the readiness first, then what the history says."""
    yield Line(f"{found.environment}{f', revision {short(found.revision)}' if found.revision else ''}", "strong")
    for each in found.readiness:
        sign, style = _SIGNS[each.holds]
        yield Line(f"  {sign} {each.name}: {each.detail}", style)
    yield from _history(found.outlook, found.source)
    yield from (Line(f"  ! {why}", "warning") for why in found.missing)
    yield Line("  This forbids nothing; `rollback-ops gate` does.", "faint")


def _history(found: Outlook, source: str) -> Iterator[Line]:
    if found.base:
        yield Line(f"  of {source}: {_rate(found.base)}")
    yield from (Line(f"    {each.name}: {_rate(each)}") for each in found.classes)
    if found.chance is not None:
        yield Line(f"  this change, by its size: {found.chance:.0%} would fail".replace("%", " %"))
    if found.card:
        told = f"skill {found.card.skill:+.2f} against the base rate in {found.card.predictions} earlier predictions"
        yield Line(f"    report card: {told}")
    if found.why_none:
        yield Line(f"  no number for this change: {found.why_none}", "faint")


def _rate(rate: Rate) -> str:
    low, high = rate.interval
    shown = f"{rate.failed} of {rate.total} failed (95 %: {low:.1%} to {high:.1%})"
    return shown.replace("%)", " %)").replace("% to", " % to")
