"""The judge on a few hundred simulated deployments. `make simulate` takes ten thousand, for docs/evidence.md."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from rollback_ops.core.intervals import share_at_least
from rollback_ops.engine.analysis.judge import judge
from rollback_ops.engine.analysis.values import Rules
from tests.simulate.worlds import World, windows

Baseline = Literal["control", "before"]
MANY = 300
ALPHA = 0.01


def ends(world: World, baseline: Baseline, many: int = MANY) -> list[float]:
    """Return when each of them was rolled back, in seconds after the warm-up."""
    rules = Rules(baseline=baseline, alpha=ALPHA)
    found = [judge(window.ticks, rules, window.before) for window in windows(world, many, seed=7)]
    return [each.ended_at - rules.warm_up for each in found if each.verdict == "worse"]


TROUBLED = World(5, burst=3, drift=0.3, warming=5, missing=0.3)
WORLDS = (
    World(5),
    World(50),
    World(50, burst=10),
    World(50, drift=0.3),
    World(50, warming=5),
    World(50, missing=0.3),
    TROUBLED,
)
# The others are in `make long`.
CORE = ((World(50), "control"), (TROUBLED, "before"))


@pytest.mark.parametrize(
    ("world", "baseline"),
    [
        pytest.param(
            world, baseline, id=f"{world}-{baseline}", marks=() if (world, baseline) in CORE else pytest.mark.long
        )
        for world in WORLDS
        for baseline in ("control", "before")
    ],
)
def test_healthy_releases_are_rolled_back_no_more_often_than_alpha(world: World, baseline: Baseline) -> None:
    assert share_at_least(len(ends(world, baseline)), MANY, 0.999) <= ALPHA


@pytest.mark.parametrize(
    ("world", "baseline", "share", "seconds"),
    [
        (World(5, times=10), "control", 0.95, 120),
        pytest.param(World(50, times=3), "control", 0.95, 120, marks=pytest.mark.long),
        pytest.param(World(50, times=5), "control", 0.95, 30, marks=pytest.mark.long),
        (World(50, times=10), "control", 0.95, 15),
        (World(5, times=5), "before", 0.7, 306),
        pytest.param(World(50, times=3), "before", 0.85, 234, marks=pytest.mark.long),
        pytest.param(World(50, times=10), "before", 0.95, 15, marks=pytest.mark.long),
    ],
    ids=repr,
)
def test_bad_releases_are_rolled_back_in_time(world: World, baseline: Baseline, share: float, seconds: float) -> None:
    """At least this ``share`` of them in ten minutes, and half of these within ``seconds``."""
    found = ends(world, baseline, 100)
    assert len(found) >= share * 100
    assert np.median(found) <= seconds


def test_with_one_request_a_second_three_times_the_errors_are_not_seen_and_not_called_good() -> None:
    verdicts = [judge(window.ticks, Rules(), window.before).verdict for window in windows(World(1, times=3), 100, 7)]
    assert verdicts.count("undecided") >= 90
    assert verdicts.count("not_worse") <= 3


def test_without_the_hour_before_bursts_roll_nothing_back_either() -> None:
    found = [judge(window.ticks, Rules(alpha=ALPHA)) for window in windows(World(50, burst=10), 100, 7)]
    assert share_at_least(sum(each.verdict == "worse" for each in found), 100, 0.999) <= ALPHA
