"""The values of the judge: counts of bad events among all events tick by tick, the rules, and the judgement."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rollback_ops.core.frozen import frozen

Verdict = Literal["worse", "not_worse", "undecided"]


@frozen
class Count:
    """``bad`` events among ``total``. Raises ``ValueError`` for impossible counts."""

    bad: float = 0.0
    total: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.total) and 0 <= self.bad <= self.total):
            raise ValueError(f"{self.bad:g} bad of {self.total:g} in total is not possible")

    def __add__(self, other: Count) -> Count:
        return Count(self.bad + other.bad, self.total + other.total)

    @property
    def rate(self) -> float | None:
        return self.bad / self.total if self.total else None


@frozen
class Tick:
    """The counts since the last tick; it ends ``at`` seconds after the new release became live.

    ``old``: the hosts that still run the old release, where there are any.
    """

    at: float
    new: Count
    old: Count = Count()


@dataclass(slots=True)
class Dispersion:
    """How many times more counts vary than Poisson ones: Pearson's χ² by its degrees of freedom, and at least 1.

    With equal totals this is variance by mean. Source: P. McCullagh and J. Nelder, "Generalized Linear Models", 4.5.
    """

    ticks: int = 0
    all: Count = Count()  # noqa: RUF009 - frozen
    # Σ bad² / total, from which χ² follows without the counts.
    _squares: float = 0.0

    @classmethod
    def of(cls, counts: Iterable[Count]) -> Dispersion:
        found = cls()
        for count in counts:
            found.add(count)
        return found

    def add(self, count: Count) -> None:
        if count.total:
            self.ticks += 1
            self.all += count
            self._squares += count.bad**2 / count.total

    @property
    def factor(self) -> float:
        if self.ticks < 2 or not self.all.bad:
            return 1.0
        chi_squared = self._squares * self.all.total / self.all.bad - self.all.bad
        return max(1.0, chi_squared / (self.ticks - 1))


@frozen
class Rules:
    """``alpha``: the greatest probability of calling a release worse that is not.

    ``floor``: no rate of bad events up to this one is worse. ``tolerance``, for each baseline: a rate up to so
    many times the old one is not worse, since two hosts, and two hours, differ by themselves.

    ``warm_up``: seconds after the new release became live that do not count; ``window``: seconds after these that do.
    """

    baseline: Literal["control", "before"] = "control"
    alpha: float = 0.01
    floor: float = 0.001
    warm_up: float = 60.0
    window: float = 600.0

    def counts(self, at: float) -> bool:
        """Return whether a tick that ends ``at`` seconds after the new release became live is evidence."""
        return self.warm_up < at <= self.warm_up + self.window

    @property
    def tolerance(self) -> float:
        return 1.2 if self.baseline == "control" else 2.0

    @property
    def needed(self) -> float:
        """The evidence that decides. ``before`` spends half of α on the bound of its baseline."""
        return (1 if self.baseline == "control" else 2) / self.alpha


@frozen
class MetricJudgement:
    """``e_worse`` and ``e_not_worse``: the evidence for either; a verdict takes ``needed``.

    ``new`` and ``old``: the compared counts, of so many ``ticks``; ``bursts``: the divisor of the counts;
    ``ended_at``: the end of the last tick that counted, in seconds after the new release became live.
    """

    verdict: Verdict
    e_worse: float
    e_not_worse: float
    needed: float
    new: Count
    old: Count
    bursts: float
    ticks: int
    ended_at: float
