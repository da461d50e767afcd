"""How likely a change fails, from its size alone, and how good such predictions were so far. Pure.

A logistic model of the logarithm of the added lines. Its slope is shrunk towards the one of many projects, because few
cases alone would mislead it. With few cases, more features predicted worse than none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rollback_ops.core.frozen import frozen

# The prior of the slope, for one standard deviation of size: its mean, and its standard deviation.
_SLOPE, _SPREAD = 0.65, 0.3
# Cases before the first prediction that is scored.
_WARM_UP = 20
# Without so many cases and failures there is no number.
LEAST_CASES, LEAST_FAILURES = 50, 5


@frozen
class Case:
    """One earlier change: how many lines it added, and whether it failed."""

    added: int
    failed: bool


@frozen
class Model:
    """P(failure) = 1 / (1 + exp(−(level + slope · z))), with z the standardized logarithm of the size."""

    mean: float
    deviation: float
    level: float
    slope: float

    def chance(self, added: int) -> float:
        return _logistic(self.level + self.slope * (math.log1p(added) - self.mean) / self.deviation)


@frozen
class ReportCard:
    """How good earlier predictions were, each made from the cases before it.

    ``skill``: 1 − Brier score / Brier score of the base rate. Above 0 is better than the base rate.
    """

    predictions: int
    skill: float


def fit(cases: Sequence[Case]) -> Model:
    """Fit the model by Newton's method to the greatest posterior density. Needs at least one case."""
    sizes = [math.log1p(case.added) for case in cases]
    mean = sum(sizes) / len(sizes)
    deviation = math.sqrt(sum((size - mean) ** 2 for size in sizes) / len(sizes)) or 1.0
    scaled = [(size - mean) / deviation for size in sizes]
    failures = sum(case.failed for case in cases)
    level, slope = math.log((failures + 0.5) / (len(cases) - failures + 0.5)), _SLOPE
    for _ in range(20):
        by_level, by_slope = 0.0, (_SLOPE - slope) / _SPREAD**2
        a, b, c = 1e-9, 0.0, 1 / _SPREAD**2
        for z, case in zip(scaled, cases, strict=True):
            chance = _logistic(level + slope * z)
            off, weight = case.failed - chance, chance * (1 - chance)
            by_level, by_slope = by_level + off, by_slope + off * z
            a, b, c = a + weight, b + weight * z, c + weight * z * z
        determinant = a * c - b * b
        if not determinant:
            break
        up, over = (c * by_level - b * by_slope) / determinant, (a * by_slope - b * by_level) / determinant
        # Without failures the level has no maximum, so it is bounded.
        level, slope = max(-8.0, min(8.0, level + max(-2.0, min(2.0, up)))), slope + max(-1.0, min(1.0, over))
        if abs(up) + abs(over) < 1e-8:
            break
    return Model(mean, deviation, level, slope)


def report_card(cases: Sequence[Case]) -> ReportCard | None:
    """Predict every case from those before it, oldest first. None: too few cases, or all ended alike."""
    ours = base = 0.0
    failures = sum(case.failed for case in cases[:_WARM_UP])
    for number in range(_WARM_UP, len(cases)):
        case = cases[number]
        rate = (failures + 0.5) / (number + 1)
        ours += (fit(cases[:number]).chance(case.added) - case.failed) ** 2
        base += (rate - case.failed) ** 2
        failures += case.failed
    return ReportCard(len(cases) - _WARM_UP, 1 - ours / base) if base else None


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
