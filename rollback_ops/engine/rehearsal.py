"""Rehearsal: would ``guard`` have rolled back at moments of the past at which nothing was deployed?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rollback_ops.config import MetricCheck
from rollback_ops.core.errors import BadAnswer, UsageError
from rollback_ops.core.intervals import share_at_least, share_at_most
from rollback_ops.engine.analysis.replay import BASELINE, Moment, moments, replayed
from rollback_ops.engine.analysis.series import Series, counts, increases
from rollback_ops.engine.analysis.values import Count
from rollback_ops.engine.metrics import rules_of

# Reads the samples of a selector in the last so many seconds before a moment. Raises ``BadAnswer``.
FetchPast = Callable[[MetricCheck, str, float, float], Series]

# Seconds that one query covers, and seconds before it: the growth since the last sample before belongs to it.
_CHUNK = 3600.0
_OVERLAP = 300.0
# Queries in a row without an answer, after which no more are sent.
_MOST_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a rehearsal came to. ``skipped``: metrics without a past that could be replayed, and why.

    ``deployments``: how many were left out, with all moments around them. ``gaps``: what could not be read.
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
    read = {name: _read(check, fetch, since, until, gaps, heed) for name, check in able.items()}
    found = [
        Moment(at, {name: replayed(at, read[name], rules[name], check.tick) for name, check in able.items()})
        for at in moments(since, until, rules.values(), deployments)
    ]
    near = [made for made in deployments if since - BASELINE <= made <= until]
    alpha = sum(each.alpha for each in rules.values())
    return Rehearsal(seconds, alpha, tuple(found), skipped, len(near), tuple(gaps))


def _without_past(check: MetricCheck) -> str:
    if check.source != "prometheus":
        return f'source = "{check.source}" keeps no past counts'
    return 'baseline = "control" compares two releases' if check.baseline == "control" else ""


def _read(
    check: MetricCheck, fetch: FetchPast, since: float, until: float, gaps: dict[str, None], heed: Callable[[], None]
) -> Mapping[int, Count]:
    """Return the counts of all ticks, hour by hour. An hour that cannot be read is a gap; several end the reading."""
    found: dict[int, Count] = {}
    failed = 0
    for begins, ends in _chunks(since - BASELINE, until):
        heed()
        try:
            read = [fetch(check, query, ends - begins + _OVERLAP, ends) for query in (check.errors, check.total)]
        except BadAnswer as error:
            gaps[error.message] = None
            failed += 1
            if failed >= _MOST_FAILURES:
                break
            continue
        failed = 0
        bad, total = (increases(series, 0.0, check.tick) for series in read)
        within = range(round(begins / check.tick), round(ends / check.tick))
        found |= {number: each for number, each in counts(bad, total).items() if number in within}
    return found


def _chunks(since: float, until: float) -> Iterator[tuple[float, float]]:
    while since < until:
        yield since, min(since + _CHUNK, until)
        since += _CHUNK
