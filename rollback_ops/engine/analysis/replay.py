"""Replays the judge on past moments without a deployment: each rollback would have been wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rollback_ops.core.frozen import frozen
from rollback_ops.engine.analysis.judge import judge
from rollback_ops.engine.analysis.values import Count, MetricJudgement, Rules, Tick

# Seconds of the baseline before a moment.
BASELINE = 3600.0


@frozen
class Moment:
    """A moment (seconds since the epoch) that is treated as a deployment. ``judged``: by metric."""

    at: float
    judged: Mapping[str, MetricJudgement]

    @property
    def worse(self) -> tuple[str, ...]:
        """The metrics that would have rolled the release back."""
        return tuple(name for name, found in self.judged.items() if found.verdict == "worse")

    @property
    def counted(self) -> bool:
        """Whether any metric had something to compare. A moment without is no trial."""
        return any(found.ticks for found in self.judged.values())


def moments(since: float, until: float, rules: Iterable[Rules], deployments: Sequence[float]) -> list[float]:
    """Return moments whose windows do not overlap, and that have no deployment in their baseline or window.

    ``since`` and ``until`` limit the windows. All times are in seconds since the epoch.
    """
    known = list(rules)
    length = max((each.warm_up + each.window for each in known), default=0.0)
    apart = max((each.window for each in known), default=0.0)
    if not apart:
        return []
    every = [since + number * apart for number in range(int((until - since - length) // apart) + 1)]
    return [at for at in every if not any(at - BASELINE <= made <= at + length for made in deployments)]


def replayed(at: float, counts: Mapping[int, Count], rules: Rules, tick: float) -> MetricJudgement:
    """Judge one moment. ``counts`` are those of ticks, of which number 0 begins at the epoch."""
    first = round(at / tick)
    before = [counts[n] for n in range(first - round(BASELINE / tick), first) if n in counts]
    last = first + int((rules.warm_up + rules.window) // tick)
    ticks = [Tick((n - first + 1) * tick, counts[n]) for n in range(first, last) if n in counts]
    return judge(ticks, rules, before)
