"""The decisions of other tools' rules on the same windows. Each returns the seconds until it rolls back, or None.

They see the same counts, summed up to minutes, and the warm-up is left out, as with the judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rollback_ops.engine.analysis.values import Count
from tests.simulate.worlds import TICK, WARM_UP, Window

_MINUTE = 4


def argo(window: Window, least: float, failure_limit: int) -> float | None:
    """Argo Rollouts: a measurement a minute with ``successCondition: result >= least``, and ``failureLimit``.

    By its documentation the analysis fails when more measurements failed than ``failureLimit`` (default 0). A
    measurement without data is an error, not a failure.
    """
    failed = 0
    for minute, new in enumerate(_minutes([tick.new for tick in window.ticks]), 1):
        failed += new.total > 0 and 1 - new.bad / new.total < least
        if failed > failure_limit:
            return minute * _MINUTE * TICK
    return None


def flagger(window: Window, least: float = 0.99, threshold: int = 5) -> float | None:
    """Flagger: ``request-success-rate``, ``min: 99``, ``interval: 1m``; back when ``threshold`` checks have failed.

    A check without data fails (flagger#1035). Its documentation has thresholds of 5 and 10.
    """
    failed = 0
    for minute, new in enumerate(_minutes([tick.new for tick in window.ticks]), 1):
        failed += not new.total or 1 - new.bad / new.total < least
        if failed >= threshold:
            return minute * _MINUTE * TICK
    return None


@dataclass(frozen=True)
class Kayenta:
    """Kayenta's judge: Mann-Whitney's confidence interval of the shift of the error rate, a point a minute.

    "High" when its lower end is above a quarter of the Hodges-Lehmann estimate (NetflixACAJudge: tolerance 0.25,
    confidence 0.98). It decides at the end of the window.
    """

    tolerance: float = 0.25
    z: float = 2.3263

    def __call__(self, window: Window) -> float | None:
        new = _rates(_minutes([tick.new for tick in window.ticks]))
        old = _rates(_minutes([tick.old for tick in window.ticks]))
        m, n = len(new), len(old)
        if not m or not n or sorted(new) == sorted(old):
            return None
        shifts = np.sort(np.subtract.outer(new, old), axis=None)
        least = max(1, round(m * n / 2 - self.z * (m * n * (m + n + 1) / 12) ** 0.5))
        high = shifts[least - 1] > self.tolerance * abs(np.median(shifts))
        return len(window.ticks[WARM_UP:]) * TICK if high else None


def _rates(minutes: Sequence[Count]) -> list[float]:
    return [minute.bad / minute.total for minute in minutes if minute.total]


def _minutes(counts: Sequence[Count]) -> list[Count]:
    kept = counts[WARM_UP:]
    return [sum(kept[i : i + _MINUTE], Count()) for i in range(0, len(kept), _MINUTE)]
