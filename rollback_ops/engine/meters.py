"""Reads one metric while it is watched: the counts of hosts, or those that Prometheus keeps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rollback_ops.checks.metric import counted, question_of
from rollback_ops.config import MetricCheck
from rollback_ops.core.errors import BadAnswer, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import HostCommand, ServiceState
from rollback_ops.engine.analysis.judge import Judge, judge
from rollback_ops.engine.analysis.series import Histogram, Series, counts, increases
from rollback_ops.engine.analysis.values import Count, MetricJudgement, Rules, Tick
from rollback_ops.engine.deployed import Deployed

_HOUR = 3600.0
Ask = Callable[[Sequence[HostCommand]], Mapping[str, ServiceState | RollbackOpsError]]
# Reads the samples of a selector of the last so many seconds. Raises ``BadAnswer``.
Fetch = Callable[[MetricCheck, str, float], Series]
# Reads those of a histogram, by the upper bounds of its buckets. Raises ``BadAnswer``.
FetchBuckets = Callable[[MetricCheck, str, float], Mapping[float, Series]]
# The share of the old release's requests that are fast enough.
FAST = 0.95


@frozen
class World:
    """The sources of metrics, and the clock (seconds since the epoch)."""

    ask: Ask
    fetch: Fetch
    pause: Callable[[float], None]
    now: Callable[[], float] = time.time
    buckets: FetchBuckets | None = None


def unknown(check: MetricCheck, query: str, seconds: float) -> Series:
    """Stand in when no reader of stored metrics exists. Raises ``BadAnswer``."""
    raise BadAnswer(f"nothing reads {check.source}")


class Meter(Protocol):
    """A metric that is watched. ``trouble``: why the last reading failed; empty when it succeeded."""

    trouble: str
    ends_at: float
    slower_than: float | None

    @property
    def judgement(self) -> MetricJudgement: ...

    def look(self, now: float) -> None: ...


@dataclass
class _Watched:
    """The base of both kinds of meters. ``began``: when the watch began, in seconds since the epoch."""

    check: MetricCheck
    rules: Rules
    deployed: Deployed
    world: World
    began: float
    trouble: str = ""
    slower_than: float | None = None


@dataclass
class Counted(_Watched):
    """Counts that the hosts themselves have (``log``, ``journal``, ``command``)."""

    last: dict[str, Count] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._judge = Judge(self.rules)
        # No warm-up is needed when it was over before the watch began.
        age = max(0.0, self.began - self.deployed.since) if self.deployed.since else 0.0
        self._started_at = self.began - min(age, self.rules.warm_up)
        # One reading more: the first one only stores where the counts begin.
        self.ends_at = self._started_at + self.rules.warm_up + self.rules.window + self.check.tick

    @property
    def judgement(self) -> MetricJudgement:
        return self._judge.judgement

    def look(self, now: float) -> None:
        self.trouble, new, old = "", Count(), Count()
        question = question_of(self.check)
        for host, answered in self.world.ask([question] if question else []).items():
            # For a host that missed the survey, or has no live release, the side on which it counts is unknown.
            if not self.deployed.lives.get(host):
                continue
            try:
                grown = self._grown(host, answered)
            except RollbackOpsError as error:
                self.trouble = f"{host}: {error.without(host)}"
                continue
            if self.deployed.lives[host] == self.deployed.newest:
                new += grown
            else:
                old += grown
        self._judge.add(Tick(now - self._started_at, new, old))

    def _grown(self, host: str, answered: ServiceState | RollbackOpsError) -> Count:
        """Return what was counted since the last reading. A count that fell was reset to 0.

        Raises the host's error, and ``BadAnswer`` when another release was made live.
        """
        if isinstance(answered, RollbackOpsError):
            raise answered
        if answered.live not in (None, self.deployed.names.get(host, self.deployed.lives[host])):
            raise BadAnswer("another release was made live meanwhile")
        now = Count(*counted(answered.answers.get(0), self.check.timeout))
        before, self.last[host] = self.last.get(host, now), now
        bad, total = now.bad - before.bad, now.total - before.total
        # The two numbers are not read at the same instant: bad ones may be there before all are.
        return now if bad < 0 or total < 0 else Count(min(bad, total), total)


@dataclass
class Stored(_Watched):
    """Counts that Prometheus keeps, with those of the hour before."""

    def __post_init__(self) -> None:
        self._since = self.deployed.since or self.began
        # A tick more, until the last sample has been scraped.
        self.ends_at = max(self.began, self._since + self.rules.warm_up + self.rules.window) + self.check.tick
        self.judgement = judge((), self.rules)

    def look(self, now: float) -> None:
        self.trouble = ""
        try:
            new, old = self._sides(now)
        except BadAnswer as error:
            self.trouble = error.message
            return
        if not any(new.values()):
            self.trouble = f"the query {'latency' if self.check.latency else 'total'} returns no samples"
        before = [_sum(old, number) for number in sorted({n for each in old for n in each}) if number in self._hour]
        # The present tick has not ended yet.
        whole = [n for n in sorted(new) if n >= 0 and (n + 1) * self.check.tick <= now - self._since]
        ticks = [Tick((n + 1) * self.check.tick, new[n], _sum(old, n) if self._by_control else Count()) for n in whole]
        self.judgement = judge(ticks, self.rules, before)

    @property
    def _by_control(self) -> bool:
        return self.rules.baseline == "control"

    @property
    def _hour(self) -> range:
        """The ticks of the hour before: with the old release alone, where that is what is compared with."""
        ends = min(self._since, self.deployed.baseline_ends or self._since)
        begins = ends - _HOUR if self._by_control else max(ends - _HOUR, min(self.deployed.before, ends))
        tick = self.check.tick
        return range(math.ceil((begins - self._since) / tick), math.ceil((ends - self._since) / tick))

    def _sides(self, now: float) -> tuple[dict[int, Count], list[dict[int, Count]]]:
        """Return the counts of the new release, and of each old one; without a control, the same ones."""
        older = self.deployed.older if self._by_control else []
        if not self.check.latency:
            new = self._counts(self.deployed.newest, now)
            return new, [self._counts(release, now) for release in older] if self._by_control else [new]
        new_times = self._histogram(self.deployed.newest, now)
        old_times = [self._histogram(release, now) for release in older] if self._by_control else [new_times]
        self.slower_than = _slow(old_times, self._hour)
        return new_times.above(self.slower_than), [each.above(self.slower_than) for each in old_times]

    def _seconds(self, now: float) -> float:
        return now - min(self._since, self.deployed.baseline_ends or self._since) + _HOUR

    def _histogram(self, release: str, now: float) -> Histogram:
        if self.world.buckets is None:
            raise BadAnswer("nothing reads histograms")
        query = self.check.latency.replace("{release}", release)
        return Histogram.of(self.world.buckets(self.check, query, self._seconds(now)), self._since, self.check.tick)

    def _counts(self, release: str, now: float) -> dict[int, Count]:
        read = (
            self.world.fetch(self.check, query.replace("{release}", release), self._seconds(now))
            for query in (self.check.errors, self.check.total)
        )
        bad, total = (increases(series, self._since, self.check.tick) for series in read)
        return counts(bad, total)


def _slow(histograms: Sequence[Histogram], ticks: range) -> float:
    """Return the seconds from which on a request is slow: the bucket just above the 95th percentile of the old ones.

    Raises ``BadAnswer`` where there is none.
    """
    bounds = [bound for each in histograms if (bound := each.bound_above(FAST, ticks)) is not None]
    if not bounds:
        raise BadAnswer("no request was counted in the hour before, so nothing says what is slow")
    if max(bounds) == math.inf:
        raise BadAnswer("the histogram has no bucket above the 95th percentile of the hour before: add larger ones")
    return max(bounds)


def _sum(sides: Sequence[Mapping[int, Count]], number: int) -> Count:
    return sum((side.get(number, Count()) for side in sides), Count())
