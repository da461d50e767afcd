"""Drills, as people read them and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rollback_ops.cli.output import text
from rollback_ops.cli.output.documents import statistics
from rollback_ops.cli.output.text import Line

if TYPE_CHECKING:
    from rollback_ops.commands.drill import Drills


def lines(done: Drills) -> Iterator[Line]:
    """Show the outcome of the drills, and the record of one that did not succeed."""
    found, last = done.statistics, done.result.record
    if last.exit_code:
        yield Line(f"✗ drill {len(done.records)} of {done.wanted}: {last.outcome.replace('_', ' ')}", "bad")
        yield from text.details(last)
    if found is None:
        return
    way = f"{last.from_.label} → {last.to.label} → {last.from_.label}"
    style: text.Style = "good" if found.succeeded == found.total else "bad"
    mark = "✓" if style == "good" else "✗"
    yield Line(f"{mark} {found.succeeded} of {found.total} drills succeeded: {way}", style)
    yield Line(f"  proven with 95 % confidence: at least {found.at_least:.1%} of such rollbacks succeed")
    told = {"trigger → first healthy answer": found.healthy, "downtime of the way back": found.downtime}
    for what, spread in told.items():
        if spread:
            yield Line(f"  {what}: median {spread.median:.2f} s, p95 {spread.p95:.2f} s, worst {spread.worst:.2f} s")


def document(done: Drills) -> dict[str, Any]:
    """Return the report as JSON, with the records of all drills."""
    return {
        "wanted": done.wanted,
        "exit_code": done.exit_code,
        "statistics": statistics(done.statistics) if done.statistics else None,
        "records": [record.model_dump(mode="json", by_alias=True) for record in done.records],
    }
