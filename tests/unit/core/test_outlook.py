"""Estimates for the next deployment from earlier ones."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from rollback_ops.core.deployments import PastDeployment, with_failures
from rollback_ops.core.intervals import jeffreys
from rollback_ops.core.outlook import look_ahead
from rollback_ops.core.prediction import Case, fit, report_card
from tests.support.records import record

# Monday, 2026-11-23, 12:00 UTC.
MONDAY = 1_795_435_200.0
HOUR = 3600.0


@given(st.integers(0, 400), st.integers(1, 400))
def test_the_interval_is_that_of_the_beta_distribution(one: int, other: int) -> None:
    k, n = min(one, other), max(one, other)
    low, high = jeffreys(k, n)
    assert low == pytest.approx(special.betaincinv(k + 0.5, n - k + 0.5, 0.025) if k else 0, rel=1e-6, abs=1e-9)
    assert high == pytest.approx(special.betaincinv(k + 0.5, n - k + 0.5, 0.975) if k < n else 1, rel=1e-6)


def left(at: str, revision: str | None, **words: Any) -> Any:
    return record(started_at=at, **{"from": {"release": "b3", "revision": revision, "deployed_at": None}}, **words)


@pytest.mark.parametrize(
    ("records", "failed"),
    [
        ([left("2026-11-23T13:30:00Z", "bbbbbbb")], [False, True, False]),
        ([left("2026-11-23T13:30:00Z", "bbb" * 13)], [False, True, False]),
        ([left("2026-11-23T13:30:00Z", "bbb")], [False, False, False]),
        ([left("2026-11-23T13:30:00Z", None)], [False, True, False]),
        ([left("2026-11-23T15:00:00Z", "aaaaaaa")], [True, False, False]),
        ([left("2026-11-23T11:00:00Z", "bbbbbbb")], [False, False, False]),
        ([left("2026-11-23T13:30:00Z", "ddddddd")], [False, False, False]),
        ([left("2026-11-23T13:30:00Z", "bbbbbbb", trigger="drill")], [False, False, False]),
        ([left("2026-11-23T13:30:00Z", "bbbbbbb", dry_run=True)], [False, False, False]),
        ([left("2026-11-23T13:30:00Z", "bbbbbbb")] * 2, [False, True, False]),
    ],
)
def test_a_deployment_has_failed_when_a_rollback_left_it(records: list[Any], failed: list[bool]) -> None:
    made = [PastDeployment(sha * 13, MONDAY + n * HOUR) for n, sha in enumerate(("aaa", "bbb", "ccc"))]
    found = with_failures(reversed(made), records)
    assert [each.revision for each in found] == [each.revision for each in made]
    assert [each.failed for each in found] == failed
    assert [each.gap for each in found] == [None, HOUR, HOUR]


def past(count: int, failures: int, **words: Any) -> list[PastDeployment]:
    return [PastDeployment(str(n), MONDAY, n < failures, gap=9 * HOUR, **words) for n in range(count)]


def test_without_history_nothing_is_said() -> None:
    found = look_ahead([], PastDeployment("new", MONDAY))
    assert (found.base, found.classes, found.chance, found.why_none[:18]) == (None, (), None, "not enough history")


def test_a_history_of_one_has_a_base_rate_whose_interval_says_how_little_that_is() -> None:
    found = look_ahead(past(1, 0), PastDeployment("new", MONDAY))
    assert found.base
    assert (found.base.failed, found.base.total, found.base.interval[1] > 0.8) == (0, 1, True)
    assert (found.classes, found.chance) == ((), None)


def test_a_class_with_fewer_than_ten_cases_is_hidden() -> None:
    planned = PastDeployment("new", MONDAY, added=50, gap=9 * HOUR)
    nine = look_ahead(past(9, 3, added=50), planned)
    assert nine.classes == ()
    ten = look_ahead([*past(10, 3, added=50), *past(30, 0, added=5)], planned)
    (size, *_) = [each for each in ten.classes if "lines" in each.name]
    assert (size.failed, size.total) == (3, 10)
    assert look_ahead(past(20, 3, added=50), None).classes == ()


def grown(count: int, slope: float, seed: int = 1) -> list[PastDeployment]:
    """Return deployments of random sizes that fail by the logistic model."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        z = draw.gauss(0, 1)
        failed = bool(draw.random() < 1 / (1 + np.exp(1.5 - slope * z)))
        found.append(PastDeployment(str(number), MONDAY, failed, added=round(np.exp(4 + 1.5 * z))))
    return found


def test_a_number_comes_with_enough_history_and_a_report_card_and_grows_with_the_size() -> None:
    history = grown(200, 1.5)
    small, large = (look_ahead(history, PastDeployment("new", MONDAY, added=size)) for size in (3, 3000))
    assert small.chance is not None
    assert large.chance is not None
    assert small.chance < large.chance
    assert small.card
    assert (small.card.skill > 0, small.card.predictions) == (True, 180)


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (grown(49, 1.5), "not enough history"),
        (past(60, 4, added=50), "not enough history"),
        (past(60, 20), "not enough history"),
        ([replace(each, added=1000 if each.failed else 10) for each in grown(60, 0)][::-1], "size"),
        (grown(80, 0, seed=5), "no better"),
    ],
    ids=["too few", "too few failures", "no sizes", "the size is unknown", "no skill"],
)
def test_without_enough_history_or_skill_there_is_no_number(history: list[PastDeployment], why: str) -> None:
    found = look_ahead(history, PastDeployment("new", MONDAY, added=None if why == "size" else 10))
    assert found.chance is None
    assert why in found.why_none
    assert found.base


@pytest.mark.parametrize("seed", range(3))
def test_the_model_has_the_greatest_posterior_density(seed: int) -> None:
    cases = [Case(each.added or 0, each.failed) for each in grown(120, 0.8, seed)]
    model = fit(cases)
    z = (np.log1p([case.added for case in cases]) - model.mean) / model.deviation
    failed = np.array([case.failed for case in cases])

    def loss(level: float, slope: float) -> float:
        scores = level + slope * z
        fits = np.where(failed, np.logaddexp(0, -scores), np.logaddexp(0, scores)).sum()
        return float(fits + (slope - 0.65) ** 2 / (2 * 0.3**2))

    # It is convex, so that the least of all is where it is less than all around.
    around = [(math.cos(angle) / 1000, math.sin(angle) / 1000) for angle in np.linspace(0, 2 * math.pi, 60)]
    least = loss(model.level, model.slope)
    assert all(loss(model.level + x, model.slope + y) > least for x, y in around)


@pytest.mark.parametrize("cases", [[Case(5, False)], [Case(5, True)], [Case(0, False), Case(10**9, True)]])
def test_few_and_extreme_cases_make_a_chance_all_the_same(cases: list[Case]) -> None:
    assert 0 < fit(cases).chance(10) < 1
    assert report_card(cases) is None
