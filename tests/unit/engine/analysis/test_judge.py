"""The judge, tick by tick: what decides, what is no evidence, and what it makes of anything."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import special

from rollback_ops.engine.analysis.judge import RATIOS, judge
from rollback_ops.engine.analysis.values import Count, Dispersion, Rules, Tick

Baseline = Literal["control", "before"]
HOUR = [Count(bad, 750) for bad in (3, 4, 4, 3, 5, 4, 3, 4)] * 30
BASELINES: tuple[Baseline, ...] = ("control", "before")


def ticks(new: tuple[float, float], old: tuple[float, float] = (4, 750), many: int = 40, start: int = 5) -> list[Tick]:
    return [Tick(15.0 * i, Count(*new), Count(*old)) for i in range(start, start + many)]


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize(("bad", "verdict"), [(40, "worse"), (20, "worse"), (4, "not_worse"), (0, "not_worse")])
def test_ten_minutes_decide_what_can_be_told_apart(baseline: Baseline, bad: float, verdict: str) -> None:
    found = judge(ticks((bad, 750)), Rules(baseline=baseline), HOUR)
    assert found.verdict == verdict
    assert found.ticks < 40


@pytest.mark.parametrize(
    ("baseline", "new", "old"),
    [("control", (0.4, 75), (0.4, 75)), ("before", (9, 750), (4, 750))],
)
def test_little_traffic_or_a_small_difference_decides_nothing(
    baseline: Baseline, new: tuple[float, float], old: tuple[float, float]
) -> None:
    found = judge(ticks(new, old), Rules(baseline=baseline), HOUR)
    assert (found.verdict, found.ticks) == ("undecided", 40)


def test_the_control_shows_the_bursts_where_there_is_no_hour_before() -> None:
    found = judge(ticks((40, 750)), Rules())
    assert (found.verdict, found.ticks) == ("worse", 8)


@pytest.mark.parametrize("before", [[], HOUR[:7], [Count(0, 0)] * 240])
def test_without_a_baseline_nothing_is_decided(before: list[Count]) -> None:
    assert judge(ticks((700, 750)), Rules(baseline="before"), before).verdict == "undecided"


@pytest.mark.parametrize(
    "silent",
    [
        ticks((0, 0)),
        ticks((700, 750), many=4, start=1),
        ticks((700, 750), start=45),
        [],
    ],
    ids=["no traffic", "in the warm-up", "after the window", "nothing"],
)
@pytest.mark.parametrize("baseline", BASELINES)
def test_what_is_no_evidence_decides_nothing(baseline: Baseline, silent: list[Tick]) -> None:
    found = judge(silent, Rules(baseline=baseline), HOUR)
    assert (found.verdict, found.ticks, found.e_worse, found.e_not_worse) == ("undecided", 0, 1, 1)


def test_a_control_without_traffic_is_no_control() -> None:
    assert judge(ticks((700, 750), old=(0, 0)), Rules(), HOUR).verdict == "undecided"


@pytest.mark.parametrize("baseline", BASELINES)
def test_a_rate_below_the_floor_is_never_worse(baseline: Baseline) -> None:
    clean = [Count(0, 100_000)] * 240
    found = judge(ticks((90, 100_000), old=(0, 100_000)), Rules(baseline=baseline), clean)
    assert found.verdict != "worse"
    assert judge(ticks((900, 100_000), old=(0, 100_000)), Rules(baseline=baseline), clean).verdict == "worse"


def test_bursts_weaken_the_evidence() -> None:
    bursts = [Count(0, 750), Count(0, 750), Count(0, 750), Count(16, 750)] * 60
    steady, bursty = (judge(ticks((12, 750), many=5), Rules(), before) for before in (HOUR, bursts))
    assert (steady.bursts, steady.verdict) == (1, "worse")
    assert bursty.bursts == pytest.approx(12, rel=0.05)
    assert bursty.verdict == "undecided"


def test_the_bursts_of_the_new_release_weaken_the_evidence_too() -> None:
    steady, bursty = ticks((8, 750), many=4), ticks((0, 750), many=3) + ticks((32, 750), many=1, start=8)
    assert judge(steady, Rules(), HOUR).bursts == 1
    assert judge(bursty, Rules(), HOUR).e_worse < judge(steady, Rules(), HOUR).e_worse


def test_a_smaller_alpha_needs_more_evidence() -> None:
    at = [judge(ticks((12, 750)), Rules(alpha=alpha), HOUR).ticks for alpha in (0.2, 0.01, 0.0001)]
    assert at == sorted(at)
    assert at[0] < at[-1]


@pytest.mark.parametrize(("bad", "total"), [(2, 1), (-1, 5), (math.nan, 5), (1, math.nan), (1, math.inf)])
def test_counts_that_cannot_be_are_refused(bad: float, total: float) -> None:
    with pytest.raises(ValueError, match="not possible"):
        Count(bad, total)


def test_the_evidence_against_a_control_is_the_ratio_of_two_binomial_probabilities() -> None:
    """The binomial probability of the split of the bad events, at each ratio, over that at the tolerance."""
    pairs = [((9, 900), (3, 800)), ((8, 900), (2, 400))]
    found = judge([Tick(75.0 + i, Count(*new), Count(*old)) for i, (new, old) in enumerate(pairs)], Rules(), HOUR)

    def likelihood(ratio: float) -> float:
        splits = [(x1, x1 + x0, ratio * n1 / (ratio * n1 + n0)) for (x1, n1), (x0, n0) in pairs]
        return math.prod(math.comb(x, k) * share**k * (1 - share) ** (x - k) for k, x, share in splits)

    assert found.bursts == 1
    assert found.e_worse == pytest.approx(sum(likelihood(1.2 * r) for r in RATIOS) / 6 / likelihood(1.2))
    assert found.e_not_worse == pytest.approx(sum(likelihood(3 / r) for r in RATIOS) / 6 / likelihood(3))


def test_the_evidence_against_the_time_before_is_the_ratio_of_two_poisson_probabilities() -> None:
    found = judge(ticks((9, 700), many=2), Rules(baseline="before"), HOUR)
    bad, total = sum(count.bad for count in HOUR), sum(count.total for count in HOUR)
    high = 2 * special.gammaincinv(bad + 1, 0.995) / total
    low = 3 * special.gammaincinv(bad, 0.005) / total

    def likelihood(rate: float) -> float:
        return float(special.pdtr(9, rate * 700) - special.pdtr(8, rate * 700)) ** 2

    assert found.e_worse == pytest.approx(sum(likelihood(r * high) for r in RATIOS) / 6 / likelihood(high), rel=1e-6)
    assert found.e_not_worse == pytest.approx(sum(likelihood(low / r) for r in RATIOS) / 6 / likelihood(low), rel=1e-6)


counted = st.tuples(st.integers(0, 300), st.integers(0, 3000)).map(lambda two: Count(min(two), max(two)))
anything = st.lists(st.builds(Tick, st.floats(0, 900), counted, counted), max_size=60)
rules = st.builds(Rules, st.sampled_from(BASELINES), st.sampled_from([0.0001, 0.01, 0.2]))


@given(anything, rules, st.lists(counted, max_size=60))
def test_a_decision_stands_whatever_comes_later(told: list[Tick], rules: Rules, before: list[Count]) -> None:
    whole = judge(told, rules, before)
    for many in range(len(told)):
        part = judge(told[:many], rules, before)
        assert part == whole or part.verdict == "undecided"


@given(anything, rules, st.lists(counted, max_size=60))
def test_the_verdict_is_what_the_numbers_say(told: list[Tick], rules: Rules, before: list[Count]) -> None:
    found = judge(told, rules, before)
    assert math.isfinite(found.e_worse)
    assert math.isfinite(found.e_not_worse)
    assert found.bursts >= 1
    if found.verdict == "worse":
        assert found.e_worse >= found.needed
        assert found.new.bad > rules.floor * found.new.total
    elif found.verdict == "not_worse":
        assert found.e_not_worse >= found.needed


@given(st.lists(counted, min_size=2, max_size=60))
def test_the_bursts_are_the_chi_squared_of_equal_rates(counts: list[Count]) -> None:
    there = [count for count in counts if count.total]
    whole = sum(there, Count())
    assume(len(there) > 1 and whole.bad)
    expected = [count.total * whole.bad / whole.total for count in there]
    chi_squared = sum((count.bad - e) ** 2 / e for count, e in zip(there, expected, strict=True))
    assert Dispersion.of(counts).factor == pytest.approx(max(1, chi_squared / (len(there) - 1)), rel=1e-6)


@given(st.lists(counted, min_size=8, max_size=60), st.integers(1, 40))
def test_exchanged_sides_never_both_come_out_worse(before: list[Count], times: int) -> None:
    one, other = ticks((times, 750)), ticks((4, 750), old=(times, 750))
    verdicts = [judge(each, Rules(), before).verdict for each in (one, other)]
    assert verdicts.count("worse") <= 1


def test_a_tick_out_of_the_window_is_left_out_wherever_it_stands() -> None:
    late = [replace(tick, at=5000.0) for tick in ticks((700, 750))]
    assert judge([*late, *ticks((4, 750))], Rules(), HOUR) == judge(ticks((4, 750)), Rules(), HOUR)
