"""Simulated windows of a deployment: an hour before it, and ten minutes of two sides after it, in ticks of 15 s.

The first minute after the deployment is the warm-up, which the judge leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rollback_ops.engine.analysis.values import Count, Tick

TICK = 15.0
WARM_UP = 4
LOOKS = 40
HOUR = 240
BASE = 0.005

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """A service and its traffic.

    ``per_second``: requests on each side.

    ``times``: how many times the rate of bad requests is that of the old release. ``burst``: how many bad requests come
    together, on average. ``drift``: σ of the logarithm of how the rate of both sides differs from the hour before.
    ``warming``: how many times higher the rate of the new release is during the warm-up. ``missing``: the share of
    ticks that are not known. ``late``: seconds after the warm-up in which the new release is like the old one.
    """

    per_second: float
    times: float = 1.0
    burst: float = 1.0
    drift: float = 0.0
    warming: float = 1.0
    missing: float = 0.0
    late: float = 0.0
    base: float = BASE


@dataclass(frozen=True)
class Window:
    ticks: Sequence[Tick]
    before: Sequence[Count]


def windows(world: World, many: int, seed: int) -> list[Window]:
    """Return simulated windows. The same seed makes the same ones."""
    draw = np.random.default_rng(seed)
    shape = (many, WARM_UP + LOOKS)
    rates = np.full(shape, world.base) * np.exp(draw.normal(0, world.drift, (many, 1)))
    worse = rates * world.times
    worse[:, :WARM_UP] *= world.warming
    good = WARM_UP + round(world.late / TICK) if world.late else 0
    worse[:, :good] = rates[:, :good]
    old, new = _counts(draw, world, rates), _counts(draw, world, worse)
    before = _counts(draw, world, np.full((many, HOUR), world.base))
    return [
        Window([Tick((i + 1) * TICK, *sides) for i, sides in enumerate(zip(new[k], old[k], strict=True))], before[k])
        for k in range(many)
    ]


def _counts(draw: np.random.Generator, world: World, rates: Numbers) -> list[list[Count]]:
    """Draw totals and bad ones. Bad ones come in bursts whose sizes are geometric; a tick that is missing has none."""
    totals = draw.poisson(world.per_second * TICK, rates.shape)
    begun = draw.poisson(totals * np.minimum(rates, 1.0) / world.burst)
    # The sum of n geometric sizes: n, and a negative binomial number of others.
    bad = begun + np.where(begun > 0, draw.negative_binomial(np.maximum(begun, 1), 1 / world.burst), 0)
    known = draw.random(rates.shape) >= world.missing
    totals, bad = totals * known, np.minimum(bad, totals) * known
    return [[Count(float(b), float(n)) for b, n in zip(*row, strict=True)] for row in zip(bad, totals, strict=True)]
