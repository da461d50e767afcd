"""Rehearsal: counts how often ``guard`` would have rolled back at past moments without a deployment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from rollback_ops.config import MetricCheck
from rollback_ops.core.errors import BadAnswer, UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.intervals import share_at_least, share_at_most
from rollback_ops.engine.analysis.replay import BASELINE, Moment, moments, replayed
from rollback_ops.engine.analysis.series import Histogram, Series, counts, increases
from rollback_ops.engine.analysis.values import Count
from rollback_ops.engine.meters import FAST
from rollback_ops.engine.metrics import rules_of

# Reads the samples of a selector in the last so many seconds before a moment. Raises ``BadAnswer``.
FetchPast = Callable[[MetricCheck, str, float, float], Series]
FetchPastBuckets = Callable[[MetricCheck, str, float, float], Mapping[float, Series]]
# The counts of all ticks for a moment: the hour before it decides which requests are slow.
Past = Callable[[float], Mapping[int, Count]]
# By how much each part (a query, or a bucket) grew in each tick.
Growth = Mapping[float, Mapping[int, float]]

# Seconds that one query covers, and seconds before it: the growth since the last sample before belongs to it.
_CHUNK = 3600.0
_OVERLAP = 300.0
# Queries in a row without an answer, after which no more are sent.
_MOST_FAILURES = 5


@frozen
class Rehearsal:
    """The result of a rehearsal. ``skipped``: metrics without a past that could be replayed, and why.

    ``deployments``: how many were left out, with all moments around them. ``gaps``: the hours that could not be read.
    """

    seconds: float
    alpha: float
    moments: tuple[Moment, ...]
    skipped: Mapping[str, str]
    deployments: int
    gaps: tuple[str, ...] = ()

    @property
    def trials(self) -> int:
        """The moments at which there was something to compare."""
        return sum(each.counted for each in self.moments)

    @property
    def rolled_back(self) -> int:
        return sum(bool(each.worse) for each in self.moments)

    @property
    def at_most(self) -> float:
        """The exact bound, with 95 % confidence, on the share of such moments that would be rolled back."""
        return share_at_most(self.rolled_back, self.trials) if self.trials else 1.0

    @property
    def exceeds(self) -> bool:
        """Whether more were rolled back than α allows, with 95 % confidence."""
        return bool(self.trials) and share_at_least(self.rolled_back, self.trials) > self.alpha


def rehearse(
    metrics: Mapping[str, MetricCheck],
    fetch: FetchPast,
    buckets: FetchPastBuckets,
    until: float,
    seconds: float,
    deployments: Sequence[float],
    heed: Callable[[], None],
) -> Rehearsal:
    """Replay the judge on the last ``seconds`` before ``until``. ``deployments``: when something was made live.

    ``heed`` is called between queries, and may raise. Raises ``UsageError`` when no metric has a past.
    """
    skipped = {name: why for name, check in metrics.items() if (why := _without_past(check))}
    able = {name: check for name, check in metrics.items() if name not in skipped}
    if not able:
        told = "; ".join(f"{name}: {why}" for name, why in skipped.items()) or "the service has no check of kind metric"
        raise UsageError(f"nothing can be rehearsed: {told}")
    rules = {name: rules_of(check, len(metrics)) for name, check in able.items()}
    gaps: dict[str, None] = {}
    since = until - seconds
    read = {name: _past(check, fetch, buckets, _Hours(since, until, gaps, heed)) for name, check in able.items()}
    found = [
        Moment(at, {name: replayed(at, read[name](at), rules[name], check.tick) for name, check in able.items()})
        for at in moments(since, until, rules.values(), deployments)
    ]
    near = [made for made in deployments if since - BASELINE <= made <= until]
    alpha = sum(each.alpha for each in rules.values())
    return Rehearsal(seconds, alpha, tuple(found), skipped, len(near), tuple(gaps))


def _without_past(check: MetricCheck) -> str:
    if check.source != "prometheus":
        return f'source = "{check.source}" keeps no past counts'
    return 'baseline = "control" compares two releases' if check.baseline == "control" else ""


@frozen
class _Hours:
    """The time to read, hour by hour. An hour that cannot be read is a gap; several in a row end the reading."""

    since: float
    until: float
    gaps: dict[str, None]
    heed: Callable[[], None]

    def growth(self, tick: float, read: Callable[[float, float], Mapping[float, Series]]) -> Growth:
        """Return the growth of each part in each tick; ``read`` returns the series of the parts."""
        found: dict[float, dict[int, float]] = {}
        failed = 0
        for begins, ends in _chunks(self.since - BASELINE, self.until):
            self.heed()
            try:
                there = read(ends - begins + _OVERLAP, ends)
            except BadAnswer as error:
                self.gaps[error.message] = None
                failed += 1
                if failed >= _MOST_FAILURES:
                    break
                continue
            failed = 0
            within = range(round(begins / tick), round(ends / tick))
            for part, series in there.items():
                grown = increases(series, 0.0, tick)
                found.setdefault(part, {}).update({n: each for n, each in grown.items() if n in within})
        return found


def _past(check: MetricCheck, fetch: FetchPast, buckets: FetchPastBuckets, hours: _Hours) -> Past:
    if check.latency:
        growth = hours.growth(check.tick, lambda seconds, at: buckets(check, check.latency, seconds, at))
        return _slow(Histogram(growth), check.tick)
    queries = (check.errors, check.total)
    growth = hours.growth(
        check.tick, lambda seconds, at: {n: fetch(check, query, seconds, at) for n, query in enumerate(queries)}
    )
    found = counts(growth.get(0.0, {}), growth.get(1.0, {}))
    return lambda _: found


def _slow(times: Histogram, tick: float) -> Past:
    """Return the counts of slow requests. Without a bucket above the 95th percentile there is nothing to count."""
    above = cache(times.above)

    def past(at: float) -> Mapping[int, Count]:
        first = round(at / tick)
        bound = times.bound_above(FAST, range(first - round(BASELINE / tick), first))
        return {} if bound is None or bound == math.inf else above(bound)

    return past


def _chunks(since: float, until: float) -> Iterator[tuple[float, float]]:
    while since < until:
        yield since, min(since + _CHUNK, until)
        since += _CHUNK
