"""Advice as people read it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rollback_ops.cli.output import text
from rollback_ops.cli.output.text import Line, Style
from rollback_ops.core.advice import CALLS_FOR_ROLLBACK, ONLY_PEOPLE_KNOW
from rollback_ops.core.plan import Plan
from rollback_ops.core.text import one_line

if TYPE_CHECKING:
    from rollback_ops.commands.advise import Advised
    from rollback_ops.core.advice import Rule

_HEADLINES: dict[str, tuple[str, Style]] = {
    "emergency": ("✗ roll back now, as an emergency", "bad"),
    "automatic": ("✗ roll back: guard would do so by itself", "bad"),
    "recommended": ("! a rollback is recommended", "warning"),
    "fix_forward": ("✓ do not roll back: fix it with the next deployment", "good"),
    "nothing": ("✓ nothing calls for a rollback", "good"),
    "unknown": ("? unknown: not all rules could be checked", "warning"),
}
_SIGNS = {True: "●", False: "○", None: "?"}
_MOST = 5


def lines(found: Advised) -> Iterator[Line]:
    """Show the advice, then the rules in the order in which they were looked at, then what was seen."""
    headline, style = _HEADLINES[found.advice.decision]
    yield Line(f"{headline}  ({found.service}, {found.environment}: {found.live or 'nothing'} is live)", style)
    for caution in found.advice.cautions:
        yield Line(f"  ! {caution}", "warning")
    if found.command:
        yield Line(f"  {found.command}", "strong")
    elif found.advice.decision in CALLS_FOR_ROLLBACK and not isinstance(found.decision, Plan):
        yield Line(f"  ! no rollback can be done: {found.decision.why}", "warning")
    for rule in found.advice.rules:
        yield from _rule(rule)
    yield Line("  only a person can know:", "faint")
    yield from (Line(f"    {each}", "faint") for each in ONLY_PEOPLE_KNOW)
    yield from _seen(found)
    yield from _suggested(found)


def _rule(rule: Rule) -> Iterator[Line]:
    yield Line(f"  {_SIGNS[rule.holds]} {rule.row.replace('_', ' ')}: {rule.says}", "" if rule.holds else "faint")
    if rule.holds is not False:
        yield from (Line(f"      {each}") for each in rule.because[:_MOST])


def _seen(found: Advised) -> Iterator[Line]:
    if isinstance(found.decision, Plan):
        yield from text.decision(found.decision)
    commits = found.commits
    if not commits.why:
        yield Line(f"  commits that a rollback would take away: {commits.count}")
        yield from (Line(f"    {each.sha}  {each.author}  {each.title}") for each in commits.first[:_MOST])
    if found.logs:
        yield Line("  the last log lines, by template:")
        yield from (Line(f"    {each.count} ×  {each.text}", "faint") for each in found.logs[:_MOST])


def _suggested(found: Advised) -> Iterator[Line]:
    """Show the text of a language model, and say that it is one. No program acts on it."""
    if found.no_suggestion:
        yield Line(f"  no suggestion of the language model: {found.no_suggestion}", "faint")
    if found.suggestion:
        yield Line("  suggestion of a language model, which decides nothing and may be wrong:", "faint")
        yield Line(f"    {one_line(found.suggestion.summary, spaces=True)}", "faint")
        for cause in found.suggestion.causes:
            yield Line(f"    - {one_line(cause.text, spaces=True)} ({', '.join(cause.facts)})", "faint")
