"""A chart of durations and downtimes as SVG shapes. Pure: numbers in, places out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rollback_ops.core.frozen import frozen
from rollback_ops.web.view import HistoryEntry

if TYPE_CHECKING:
    from rollback_ops.core.record import EvidenceRecord

# The rollbacks that fit beside each other.
MOST_BARS = 60
WIDTH, HEIGHT = 720, 200
_LEFT, _TOP, _FLOOR = 44, 10, 170


@frozen
class Bar:
    """The two bars of a rollback, in the units of the picture: downtime stands in front of the duration."""

    x: float
    width: float
    seconds_top: float
    downtime_top: float | None
    entry: HistoryEntry


@frozen
class ScaleLine:
    """A line of the scale, and what it is worth."""

    y: float
    label: str


@frozen
class Chart:
    """``bars`` from the oldest to the newest. Empty: nothing was measured."""

    bars: tuple[Bar, ...]
    lines: tuple[ScaleLine, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    floor: int = _FLOOR


def chart_of(entries: Sequence[HistoryEntry]) -> Chart:
    """Return the chart of the newest rollbacks and drills that took any time. ``entries`` are newest first."""
    measured = [e for e in entries if e.kind in ("rollback", "drill") and e.seconds][:MOST_BARS][::-1]
    if not measured:
        return Chart((), ())
    top = _round_up(max(max(entry.seconds or 0.0, entry.downtime or 0.0) for entry in measured))

    def place(seconds: float) -> float:
        return round(_FLOOR - seconds / top * (_FLOOR - _TOP), 1)

    slot = (WIDTH - _LEFT) / len(measured)
    wide = min(slot * 0.7, 40.0)
    bars = tuple(
        Bar(
            round(_LEFT + slot * number + (slot - wide) / 2, 1),
            round(wide, 1),
            place(entry.seconds or 0.0),
            None if entry.downtime is None else place(entry.downtime),
            entry,
        )
        for number, entry in enumerate(measured)
    )
    return Chart(bars, tuple(ScaleLine(place(top * part), f"{top * part:g} s") for part in (0.0, 0.5, 1.0)))


def _round_up(seconds: float) -> float:
    """Return the next number that is easy to read: 1, 2 or 5 times a power of ten."""
    step = 0.01
    while True:
        for times in (1, 2, 5):
            if seconds <= step * times:
                return step * times
        step *= 10


# --- evidence --------------------------------------------------------------------------------------------

_ROW, _BAR, _NAMES = 44, 14, 150
# How far the scale goes: to what is needed, and half as far again.
_BEYOND = 1.5


@frozen
class EvidenceRow:
    """The bars of one metric: how far the evidence goes that the release is worse, and that it is not."""

    y: float
    worse: float
    not_worse: float
    evidence: EvidenceRecord


@frozen
class EvidenceChart:
    """Logarithms of e-values, each as a share of the one that decides, which is at ``needed``."""

    rows: tuple[EvidenceRow, ...]
    height: int
    needed: float = round(_NAMES + (WIDTH - _NAMES) / _BEYOND, 1)
    left: int = _NAMES
    width: int = WIDTH
    bar: int = _BAR


def evidence_chart(found: Sequence[EvidenceRecord]) -> EvidenceChart:
    """Return the chart of what metrics show, one row each."""
    rows = (
        EvidenceRow(number * _ROW + 8, _reach(each.e_worse, each.needed), _reach(each.e_not_worse, each.needed), each)
        for number, each in enumerate(found)
    )
    return EvidenceChart(tuple(rows), len(found) * _ROW + 20)


def _reach(value: float, needed: float) -> float:
    """Return the length of a bar. An e-value of 1 or less is no evidence."""
    if value <= 1 or needed <= 1:
        return 0.0
    share = min(math.log(value) / math.log(needed), _BEYOND)
    return round(share / _BEYOND * (WIDTH - _NAMES), 1)
