"""Judges whether the new release is worse than the old one. Judging after every tick does not raise the error rate.

All evidence is an e-value E: its mean is at most 1 while the new release is not worse, so the probability that it ever
reaches 1/α is at most α, however often it is computed (J. Ville, "Étude critique de la notion de collectif", 1939).
Bad events count as Poisson; a binomial count varies less, and makes E smaller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from rollback_ops.core.intervals import mean_at_least, mean_at_most
from rollback_ops.engine.analysis.values import Count, Dispersion, MetricJudgement, Rules, Tick, Verdict

# The logarithms of the evidence in one tick at each of RATIOS: that it is worse, and that it is not.
Evidence = tuple[list[float], list[float]]

# How many times worse a release may be. The true ratio is unknown, so the evidence is the mean over these.
RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
# Not worse: as strong evidence against a rate of bad events that is at least this many times higher.
CLEARLY_WORSE = 3.0
# The ticks that are needed to estimate how much bad events come in bursts.
ENOUGH_TICKS = 8


class Judge:
    """Judges tick by tick. The first decision stands: later ticks change nothing."""

    def __init__(self, rules: Rules, before: Iterable[Count] = ()) -> None:
        """Begin without evidence. ``before``: the ticks of the old release before the new one.

        With ``baseline = "before"`` the new release is compared with them. With a control they only show how much bad
        events come in bursts; where they are too few, the ticks of the control show it.
        """
        self._rules, self._before, self._old, self._new = rules, Dispersion.of(before), Dispersion(), Dispersion()
        self._evidence = _against_control(rules) if self._by_control else _against_before(rules, self._before)
        self._ended_at = 0.0
        self._worse, self._not_worse = [0.0] * len(RATIOS), [0.0] * len(RATIOS)
        self.judgement = self._judged()

    def add(self, tick: Tick) -> MetricJudgement:
        """Add a tick. One that is not known, or without events on either side, is no evidence."""
        there = tick.new.total and (tick.old.total or not self._by_control)
        if there and self._rules.counts(tick.at) and self.judgement.verdict == "undecided":
            self._old.add(tick.old)
            self._new.add(tick.new)
            self._ended_at = tick.at
            worse, not_worse = self._evidence(tick)
            self._worse = [a + b for a, b in zip(self._worse, worse, strict=True)]
            self._not_worse = [a + b for a, b in zip(self._not_worse, not_worse, strict=True)]
            self.judgement = self._judged()
        return self.judgement

    @property
    def _by_control(self) -> bool:
        return self._rules.baseline == "control"

    def _judged(self) -> MetricJudgement:
        e_worse, e_not_worse = (_mean(logs, self._bursts) for logs in (self._worse, self._not_worse))
        verdict: Verdict = "undecided"
        needed, new = self._rules.needed, self._new.all
        if self._baseline.ticks >= ENOUGH_TICKS:
            if e_worse >= needed and new.bad > self._rules.floor * new.total:
                verdict = "worse"
            elif e_not_worse >= needed:
                verdict = "not_worse"
        old = self._old.all if self._by_control else self._before.all
        bursts, ticks = self._bursts, self._new.ticks
        return MetricJudgement(verdict, e_worse, e_not_worse, needed, new, old, bursts, ticks, self._ended_at)

    @property
    def _baseline(self) -> Dispersion:
        """The ticks that show how much the bad events of the old release come in bursts."""
        return self._old if self._by_control and self._before.ticks < ENOUGH_TICKS else self._before

    @property
    def _bursts(self) -> float:
        """The divisor of the counts. It can only weaken evidence, so an estimate during the watch is safe."""
        return max(self._baseline.factor, self._new.factor)


def judge(ticks: Iterable[Tick], rules: Rules, before: Iterable[Count] = ()) -> MetricJudgement:
    """Judge the ticks in their order, until one decides."""
    judging = Judge(rules, before)
    for tick in ticks:
        if judging.add(tick).verdict != "undecided":
            break
    return judging.judgement


def _against_control(rules: Rules) -> Callable[[Tick], Evidence]:
    """Compare with hosts that have the same traffic at the same time; the traffic itself may change.

    Of all bad events the new release has a share θ. Source: M. Lindon and A. Malek, "Anytime-valid inference for
    multinomial count data", arXiv 2011.03567. Not worse is the same question with the sides exchanged.
    """

    def evidence(tick: Tick) -> Evidence:
        return _shares(tick.new, tick.old, rules.tolerance), _shares(tick.old, tick.new, 1 / CLEARLY_WORSE)

    return evidence


def _shares(one: Count, other: Count, tolerance: float) -> list[float]:
    """Return ln (θ_ρ/θ₀)^x₁ ((1−θ_ρ)/(1−θ₀))^x₀, with θ_ρ = ρ r n₁ / (ρ r n₁ + n₀), for every ratio ρ."""
    allowed = tolerance * one.total
    pairs = ((ratio, math.log((allowed + other.total) / (ratio * allowed + other.total))) for ratio in RATIOS)
    return [one.bad * (math.log(ratio) + shrunk) + other.bad * shrunk for ratio, shrunk in pairs]


def _against_before(rules: Rules, before: Dispersion) -> Callable[[Tick], Evidence]:
    """Compare with exact bounds on the rate before: ln ρ^x e^(−(ρ−1) B n), with B = r max(U, floor).

    k bad of N give U = χ²₁₋α/₂(2k+2) / 2N (Garwood, in ``core.intervals``), with k and N divided by the bursts. A rate
    of B for certain makes the mean of ρ^x e^(−(ρ−1) B n) exactly 1 (a Poisson count's generating function).
    """
    bad, total = before.all.bad / before.factor, before.all.total / before.factor
    confidence = 1 - rules.alpha / 2
    most = mean_at_most(math.ceil(bad), confidence) / total if total else 1.0
    least = mean_at_least(math.floor(bad), confidence) / total if total else 0.0
    allowed, clearly = rules.tolerance * max(most, rules.floor), CLEARLY_WORSE * max(least, rules.floor)

    def evidence(tick: Tick) -> Evidence:
        bad, total = tick.new.bad, tick.new.total
        worse = [bad * math.log(ratio) - (ratio - 1) * allowed * total for ratio in RATIOS]
        return worse, [(1 - 1 / ratio) * clearly * total - bad * math.log(ratio) for ratio in RATIOS]

    return evidence


def _mean(logs: list[float], bursts: float) -> float:
    """Return the mean evidence over the ratios. Bursts divide the counts, and so the logarithms."""
    return sum(math.exp(min(each / bursts, 700.0)) for each in logs) / len(logs)
