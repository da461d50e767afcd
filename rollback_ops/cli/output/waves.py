"""A rollback in waves as people read it: the strategy, the outcome of each wave, and how to go on. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rollback_ops.core.rollout import named

if TYPE_CHECKING:
    from rollback_ops.core.record import Record, WaveRecord

# Waves that are shown of many: the first ones, and those that did not succeed.
_MOST = 12


def strategy(record: Record) -> Iterator[str]:
    """Say how the hosts are changed, and which regions are left out."""
    if found := record.strategy:
        yield from (f"strategy: {told}" for told in found.told)
        if found.excluded:
            yield f"left out: region {', '.join(found.excluded)}"


def waves(record: Record) -> Iterator[str]:
    """Show the outcome of each wave; of very many, only the first ones and those that did not succeed."""
    every = record.waves
    shown = [w for n, w in enumerate(every) if n < _MOST or w.outcome not in ("succeeded", "not_begun")]
    yield from map(_wave, shown)
    if len(every) > len(shown):
        yield f"and {len(every) - len(shown)} more waves"


def ending(record: Record) -> Iterator[str]:
    """Say why no new wave began, and which command goes on."""
    if (found := record.strategy) and found.stopped:
        yield f"stopped: {found.stopped}"
    if (found := record.strategy) and found.then:
        yield f'to go on: {found.then} --reason "…"'


def _wave(wave: WaveRecord) -> str:
    role = {"unhealthy": ", unhealthy before", "canary": ", canary"}.get(wave.role, "")
    region = f", region {wave.region}" if wave.region else ""
    return f"wave {wave.number}{role}{region}: {named(wave.hosts)}: {wave.outcome.replace('_', ' ')}"
