"""Scheduled rollbacks, as people read them and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rollback_ops.cli.output import text
from rollback_ops.cli.output.holds import moment
from rollback_ops.cli.output.text import Line, Style
from rollback_ops.core.schedule import NoteKind, ScheduleEntry

if TYPE_CHECKING:
    from rollback_ops.commands.schedule_run import Carried, Ran


_STYLES: dict[NoteKind, Style] = {"stale": "bad", "expired": "bad", "failed": "bad", "waiting": "warning"}


def planned(entry: ScheduleEntry) -> Iterator[Line]:
    """Show an entry that was added or cancelled."""
    asked = entry.asked
    if entry.state == "cancelled":
        yield Line(f"✓ cancelled: {_what(entry)}", "good")
        return
    yield Line(f"✓ {_what(entry)}", "good")
    yield Line(f"  id {asked.id}, begins at {_minute(asked.at)}, not after {_minute(asked.not_after)}")
    yield Line("  `schedule run` carries it out, if all of this still holds then")


def listed(entries: Iterable[ScheduleEntry]) -> Iterator[Line]:
    """Show all entries."""
    known = list(entries)
    for each in known:
        asked, last = each.asked, each.last
        state = {"added": "planned"}.get(each.state, each.state)
        yield Line(f"{asked.id}  {_minute(asked.at)}  {state}  {_what(each)}", _STYLES.get(each.state, ""))
        yield Line(f"  by {asked.by}: {asked.reason}{f'  ({last.why})' if last.why else ''}", "faint")
    if not known:
        yield Line("No rollback is scheduled.")


def carried_out(ran: Ran) -> Iterator[Line]:
    """Show what became of the entries that were due."""
    for each in ran.carried:
        if each.skipped:
            yield Line(f"  {_what(each.entry)}: {each.why}", "faint")
        elif each.what in ("done", "failed") and each.result:
            yield Line(f"{each.what}: {_what(each.entry)}", "strong")
            yield from text.result(each.result.record)
            yield from text.first_aid(each.result.record, each.result.first_aid, local=each.result.local)
        else:
            yield Line(
                f"✗ {each.what}: {_what(each.entry)}: {each.why}", "warning" if each.what == "waiting" else "bad"
            )
            yield Line("  Nothing was changed." if each.what not in ("failed", "claimed") else "")
    if not ran.carried:
        yield Line(f"✓ nothing is due; {ran.left} planned for later", "good")


def entry(found: ScheduleEntry) -> dict[str, Any]:
    """Return an entry as JSON."""
    last = found.last
    return {
        **found.asked.model_dump(mode="json"),
        "state": found.state,
        "why": last.why,
        "notes": [note.model_dump(mode="json") for note in found.notes],
    }


def document(ran: Ran) -> dict[str, Any]:
    """Return what ``schedule run`` did as JSON."""
    return {"carried_out": [_carried(each) for each in ran.carried], "left": ran.left, "exit_code": ran.exit_code}


def _carried(each: Carried) -> dict[str, Any]:
    record = each.result.record.model_dump(mode="json", by_alias=True) if each.result else None
    about = {"what": each.what, "why": each.why, "skipped": each.skipped}
    return {"id": each.entry.asked.id, **about, "record": record}


def _what(entry: ScheduleEntry) -> str:
    asked = entry.asked
    hosts = f" on {', '.join(asked.hosts)}" if asked.hosts else ""
    return f"{asked.service}, {asked.environment}{hosts}: leaves {asked.live}, returns to {asked.to}"


def _minute(at: str) -> str:
    return moment(datetime.fromisoformat(at).timestamp())
