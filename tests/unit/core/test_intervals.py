"""Exact bounds, compared with scipy's quantiles of the beta and χ² distributions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special  # a tenth of the time that scipy.stats takes to import

from rollback_ops.core.intervals import (
    binomial_at_most,
    mean_at_least,
    mean_at_most,
    poisson_at_most,
    share_at_least,
    share_at_most,
)

counts = st.tuples(st.integers(0, 5000), st.integers(1, 5000)).map(lambda two: (min(two), max(two)))
confidences = st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.99995])


@given(counts, confidences)
def test_the_bounds_of_a_share_are_those_of_the_beta_distribution(count: tuple[int, int], confidence: float) -> None:
    k, n = count
    low = special.betaincinv(k, n - k + 1, 1 - confidence) if k else 0
    high = special.betaincinv(k + 1, n - k, confidence) if k < n else 1
    assert share_at_least(k, n, confidence) == pytest.approx(low, rel=1e-6, abs=1e-9)
    assert share_at_most(k, n, confidence) == pytest.approx(high, rel=1e-6, abs=1e-9)


@given(st.integers(0, 100_000), confidences)
def test_the_bounds_of_a_mean_are_those_of_the_chi_squared_distribution(count: int, confidence: float) -> None:
    low = special.gammaincinv(count, 1 - confidence) if count else 0
    assert mean_at_most(count, confidence) == pytest.approx(special.gammaincinv(count + 1, confidence), rel=1e-8)
    assert mean_at_least(count, confidence) == pytest.approx(low, rel=1e-8)


@given(counts, st.floats(0, 1))
def test_the_probability_of_at_most_so_many_is_that_of_the_binomial_distribution(
    count: tuple[int, int], share: float
) -> None:
    assert binomial_at_most(*count, share) == pytest.approx(special.bdtr(*count, share), rel=1e-8, abs=1e-12)


@given(st.integers(0, 5000), st.floats(0, 10_000))
def test_the_probability_of_at_most_so_many_is_that_of_the_poisson_distribution(count: int, mean: float) -> None:
    assert poisson_at_most(count, mean) == pytest.approx(special.pdtr(count, mean), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(("total", "least"), [(4, 0.473), (20, 0.861), (59, 0.950), (299, 0.990)])
def test_what_so_many_successes_without_a_failure_prove(total: int, least: float) -> None:
    assert share_at_least(total, total) == pytest.approx(least, abs=0.0005)
    assert share_at_least(total, total) == pytest.approx(math.pow(0.05, 1 / total))
