"""A rollback of a group as people read it: the order, where each service is, and how to go on or back. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollback_ops.core.record import GroupServiceRecord, Record


def order(record: Record) -> Iterator[str]:
    """Say in which order the services are changed, and which set is the target."""
    group = record.group
    if group is None:
        return
    if not record.services:
        yield f"a part of the group {group.name} (run {group.run})"
        return
    if group.steps:
        yield f"group {group.name}: {', then '.join(' and '.join(step) for step in group.steps)}"
    if group.verified_set:
        yield f"target: the last set that was verified together (run {group.verified_set})"


def services(record: Record) -> Iterator[str]:
    """Show where each service is."""
    if record.group and record.services:
        yield from (f"{each.service}: {_way(each, would=record.dry_run)}" for each in record.group.services)


def ending(record: Record) -> Iterator[str]:
    """Say why no other service was changed, and which commands leave the mixed state."""
    group = record.group
    if group is None:
        return
    if group.stopped:
        yield f"stopped: {group.stopped}"
    if group.then:
        yield f'to go on: {group.then} --reason "…"'
    if group.back:
        yield f'to go back: {group.back} --reason "…"'


def _way(service: GroupServiceRecord, *, would: bool) -> str:
    origin, target = service.from_.label or "nothing", service.to.label
    way = f"{origin} → {target}" if target not in ("", origin) else origin
    # In a dry run, nothing to do means that nothing is in the way.
    silent = would and service.outcome == "nothing_to_do"
    return way if silent else f"{service.outcome.replace('_', ' ')}, {way}"
