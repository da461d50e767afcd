"""A rollback of a group as people read it: the order, where each service is, and how to go on or back. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rollback_ops.core.summary import order_told

if TYPE_CHECKING:
    from rollback_ops.core.record import Record


def order(record: Record) -> Iterator[str]:
    """Say in which order the services are changed, and which set is the target."""
    group = record.group
    if group is None:
        return
    if not record.services:
        yield f"a part of the group {group.name} (run {group.run})"
        return
    if order := order_told(record):
        yield f"group {group.name}: {order}"
    if group.verified_set:
        yield f"target: the last set that was verified together (run {group.verified_set})"


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
