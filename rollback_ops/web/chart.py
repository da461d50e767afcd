"""A chart of durations and downtimes as SVG shapes. Pure: numbers in, places out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollback_ops.web.view import Entry

# The rollbacks that fit beside each other.
MOST_BARS = 60
WIDTH, HEIGHT = 720, 200
_LEFT, _TOP, _FLOOR = 44, 10, 170


@dataclass(frozen=True, slots=True)
class Bar:
    """The two bars of a rollback, in the units of the picture: downtime stands in front of the duration."""

    x: float
    width: float
    seconds_top: float
    downtime_top: float | None
    entry: Entry


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the scale, and what it is worth."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """``bars`` from the oldest to the newest. Empty: nothing was measured."""

    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    floor: int = _FLOOR


def chart_of(entries: Sequence[Entry]) -> Chart:
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
    return Chart(bars, tuple(Line(place(top * part), f"{top * part:g} s") for part in (0.0, 0.5, 1.0)))


def _round_up(seconds: float) -> float:
    """Return the next number that is easy to read: 1, 2 or 5 times a power of ten."""
    step = 0.01
    while True:
        for times in (1, 2, 5):
            if seconds <= step * times:
                return step * times
        step *= 10
