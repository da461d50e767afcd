"""The screen "History": rollbacks and deployments on one time line. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Literal

from rollback_ops.core.order import live_at
from rollback_ops.web import moments
from rollback_ops.web.view import Filter, HistoryEntry, HistoryView, Tone

if TYPE_CHECKING:
    from rollback_ops.commands.dashboard import ObservedService, Snapshot
    from rollback_ops.core.record import Record

# Entries that a page shows; older ones are counted.
MOST_ENTRIES = 1500
_GOOD = ("succeeded", "nothing_to_do")
_DOUBTFUL = ("health_unknown", "superseded", "cancelled", "partial")


def history_of(snapshot: Snapshot, chosen: Filter | None = None) -> HistoryView:
    """Return the screen, newest first. ``chosen``: which entries; None: all."""
    entries = [_entry(record) for record in snapshot.history.records]
    entries += [entry for found in snapshot.observed for entry in _deployments(found)]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    wanted = [entry for entry in entries if (chosen or Filter()).takes(entry)]
    choices = {
        each.name: sorted({value for entry in entries if (value := getattr(entry, each.name))})
        for each in fields(Filter)
    }
    left_out = max(0, len(wanted) - MOST_ENTRIES)
    return HistoryView(tuple(wanted[:MOST_ENTRIES]), choices, chosen or Filter(), left_out)


def tone_of(record: Record) -> Tone:
    """Return the tone of a record by its outcome."""
    if record.outcome in _GOOD:
        return "good"
    return "warning" if record.outcome in _DOUBTFUL else "bad"


def downtime_of(record: Record) -> float | None:
    """Return the longest downtime of a host, in seconds; None where none was measured."""
    return max((host.downtime_seconds for host in record.hosts if host.downtime_seconds is not None), default=None)


def _entry(record: Record) -> HistoryEntry:
    kind: Literal["rollback", "drill", "dry run"] = "drill" if record.trigger == "drill" else "rollback"
    return HistoryEntry(
        at=moments.seconds_of(record.started_at),
        kind="dry run" if record.dry_run else kind,
        environment=record.environment,
        service=record.service,
        origin=record.from_.label,
        target=record.to.label,
        outcome=record.outcome,
        tone=tone_of(record),
        trigger=record.trigger,
        seconds=record.duration_seconds,
        downtime=downtime_of(record),
        by=record.actor,
        reason=record.reason,
        record=record.id,
        run_url=record.run_url or "",
    )


def _deployments(found: ObservedService) -> Iterator[HistoryEntry]:
    """Yield when each release became live first, as far as the hosts know. They do not know who deployed it."""
    first: dict[str, float] = {}
    for survey in found.surveys.values():
        for release in survey.releases:
            at = live_at(release)
            if at and (release.was_live or release.name == survey.live.name):
                first[release.name] = min(at, first.get(release.name, at))
    for name, at in first.items():
        about = found.about
        yield HistoryEntry(at, "deployment", about.environment, about.service, "", name, "deployed", "plain")
