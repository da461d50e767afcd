"""Turns the raw samples of counters into counts, tick by tick. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from rollback_ops.core.frozen import frozen
from rollback_ops.engine.analysis.values import Count

# The samples of each series: its times, in seconds since the epoch, and the values of its counter.
Series = Sequence[Sequence[tuple[float, float]]]


def increase(before: float, now: float) -> float:
    """Return by how much a counter grew. One that fell was reset to 0 (as in Prometheus)."""
    return now - before if now >= before else now


def increases(series: Series, since: float, tick: float) -> dict[int, float]:
    """Return by how much all counters grew in each tick; tick 0 begins at ``since``, earlier ones are negative.

    The growth between two samples belongs to the tick of the later one. ``increase()`` of Prometheus guesses the parts
    outside (prometheus#3746).
    """
    found: dict[int, float] = {}
    for samples in series:
        for (_, before), (at, now) in pairwise(sorted(samples)):
            number = math.floor((at - since) / tick)
            found[number] = found.get(number, 0.0) + increase(before, now)
    return found


def counts(bad: Mapping[int, float], total: Mapping[int, float]) -> dict[int, Count]:
    """Return the count of each tick that ``total`` knows. Where ``bad`` lacks the tick, none is bad. At most
    all events are bad: two series are not scraped at the same instant.
    """
    return {number: Count(min(bad.get(number, 0.0), all_), all_) for number, all_ in total.items()}


@frozen
class Histogram:
    """The growth of a histogram's buckets in each tick. A bucket counts all values up to its bound; ∞ counts all."""

    growth: Mapping[float, Mapping[int, float]]

    @classmethod
    def of(cls, buckets: Mapping[float, Series], since: float, tick: float) -> Histogram:
        return cls({bound: increases(series, since, tick) for bound, series in buckets.items()})

    def bound_above(self, share: float, ticks: range) -> float | None:
        """Return the bound of the first bucket that has this share of all. None: nothing was counted in these ticks."""
        grown = {bound: sum(growth.get(n, 0.0) for n in ticks) for bound, growth in self.growth.items()}
        total = grown.get(math.inf, 0.0)
        return next((bound for bound in sorted(grown) if grown[bound] >= share * total), None) if total else None

    def above(self, bound: float) -> dict[int, Count]:
        """Return the count of each tick, of which those above the bound are bad."""
        total, within = self.growth.get(math.inf, {}), self.growth.get(bound, {})
        return counts({number: max(0.0, all_ - within.get(number, 0.0)) for number, all_ in total.items()}, total)
