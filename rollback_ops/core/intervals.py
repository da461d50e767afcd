"""Exact bounds on a share and on a count. Pure, and without a library: ``math.lgamma`` and bisection."""

from __future__ import annotations

import math
from collections.abc import Callable

# A term that is smaller than this part of its sum changes no digit of it.
_NEGLIGIBLE = 1e-17
_PRECISION = 1e-10


def share_at_least(successes: int, total: int, confidence: float = 0.95) -> float:
    """Return the one-sided lower bound on the success rate: with 4 of 4 and 95 % confidence, 0.473.

    Source: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26 (1934). Its real confidence is never smaller than the one that is asked for.
    """
    return 1.0 - share_at_most(total - successes, total, confidence)


def share_at_most(successes: int, total: int, confidence: float = 0.95) -> float:
    """Return the one-sided upper bound on the success rate, as ``share_at_least`` does."""
    if successes >= total:
        return 1.0
    return _where(lambda share: binomial_at_most(successes, total, share), 1.0 - confidence, 0.0, 1.0)


def mean_at_most(count: int, confidence: float) -> float:
    """Return the one-sided upper bound on the mean of a Poisson count: half of χ² at ``confidence``, 2k + 2 degrees.

    Source: F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28 (1936).
    """
    high = count + 10.0 - 10.0 * math.log1p(-confidence) + 10.0 * math.sqrt(count)
    return _where(lambda mean: poisson_at_most(count, mean), 1.0 - confidence, 0.0, high)


def mean_at_least(count: int, confidence: float) -> float:
    """Return the one-sided lower bound on the mean of a Poisson count: half of χ² at 1 − ``confidence``, 2k degrees."""
    if count == 0:
        return 0.0
    return _where(lambda mean: poisson_at_most(count - 1, mean), confidence, 0.0, float(count))


def poisson_at_most(count: int, mean: float) -> float:
    """Return the probability that a Poisson count with this mean is at most ``count``."""
    if mean <= 0:
        return 1.0
    if count < mean:
        first = _exp(count * math.log(mean) - mean - math.lgamma(count + 1))
        return _sum(first, lambda i: (count - i) / mean)
    first = _exp((count + 1) * math.log(mean) - mean - math.lgamma(count + 2))
    return 1.0 - _sum(first, lambda i: mean / (count + 2 + i))


def binomial_at_most(count: int, total: int, share: float) -> float:
    """Return the probability of at most ``count`` successes in ``total`` trials, each with probability ``share``."""
    if count >= total or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    odds = share / (1 - share)
    if count < total * share:
        return _sum(_binomial(count, total, share), lambda i: (count - i) / (total - count + i + 1) / odds)
    above = _binomial(count + 1, total, share)
    return 1.0 - _sum(above, lambda i: (total - count - 1 - i) / (count + 2 + i) * odds)


def _binomial(count: int, total: int, share: float) -> float:
    ways = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
    return _exp(ways + count * math.log(share) + (total - count) * math.log1p(-share))


def _sum(first: float, ratio: Callable[[int], float]) -> float:
    """Add up a tail: terms that begin with ``first``; ``ratio(i)`` leads from term i to the next, and falls."""
    total, term, i = 0.0, first, 0
    while term > total * _NEGLIGIBLE:
        total += term
        term *= ratio(i)
        i += 1
    return total


def _exp(exponent: float) -> float:
    return math.exp(exponent) if exponent > -745 else 0.0


def _where(falling: Callable[[float], float], value: float, low: float, high: float) -> float:
    """Return where a falling function takes a value above 0, by bisection, to ten digits."""
    while high - low > _PRECISION * high:
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > value else (low, middle)
    return (low + high) / 2


def jeffreys(successes: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two-sided interval of a share: quantiles of Beta(k + ½, n − k + ½).

    Source: L. Brown, T. Cai and A. DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16
    (2001), section 3.2. It begins at 0 without a success, and ends at 1 without a failure.
    """
    a, b, tail = successes + 0.5, total - successes + 0.5, (1 - confidence) / 2
    low = _where(lambda share: 1 - beta_at_most(a, b, share), 1 - tail, 0.0, 1.0) if successes else 0.0
    high = _where(lambda share: 1 - beta_at_most(a, b, share), tail, 0.0, 1.0) if successes < total else 1.0
    return low, high


def beta_at_most(a: float, b: float, share: float) -> float:
    """Return the probability that a value with the distribution Beta(a, b) is at most ``share``."""
    if share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    if share > (a + 1) / (a + b + 2):
        return 1.0 - beta_at_most(b, a, 1 - share)
    ways = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return _exp(ways + a * math.log(share) + b * math.log1p(-share)) / (a * _fraction(a, b, share))


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function (NIST Handbook 8.17.22), from its end."""
    found = 1.0
    for number in range(200, 0, -1):
        half = number // 2
        if number % 2:
            step = -(a + half) * (a + b + half) * x / ((a + number - 1) * (a + number))
        else:
            step = half * (b - half) * x / ((a + number - 1) * (a + number))
        found = 1 + step / found
    return found
