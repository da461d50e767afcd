"""Watch metrics until they decide whether the live release is worse than the one before, or their windows are over."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from rollback_ops.checks.metric import counted, question_of
from rollback_ops.config import MetricCheck
from rollback_ops.core.errors import BadAnswer, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import CheckResult, Finding, Verdict, Verification
from rollback_ops.core.model import HostCommand, ServiceState, Survey
from rollback_ops.core.order import Order, Ranking, live_at
from rollback_ops.core.record import CountRecord, EvidenceRecord
from rollback_ops.core.versions import Versions
from rollback_ops.engine.analysis.judge import ENOUGH_TICKS, Judge, judge
from rollback_ops.engine.analysis.series import Histogram, Series, counts, increases
from rollback_ops.engine.analysis.values import Count, Judgement, Rules, Tick

_HOUR = 3600.0
_NO_CONTROL = "no host runs another release to compare with; a canary wave leaves some"

Ask = Callable[[Sequence[HostCommand]], Mapping[str, ServiceState | RollbackOpsError]]
# Reads the samples of a selector of the last so many seconds. Raises ``BadAnswer``.
Fetch = Callable[[MetricCheck, str, float], Series]
# Reads those of a histogram, by the upper bounds of its buckets. Raises ``BadAnswer``.
FetchBuckets = Callable[[MetricCheck, str, float], Mapping[float, Series]]
# The share of the old release's requests that are fast enough.
FAST = 0.95


@frozen
class Deployed:
    """What is live where. ``since`` is when the newest release became live, ``before`` when the one before it did.

    ``compared_until``: when the hour ends that it is compared with, where that is not ``since``.
    ``lives`` maps hosts to labels of releases (``core.versions``), ``names`` to names, where these differ. Times in
    seconds since the epoch; 0 is unknown.
    """

    lives: Mapping[str, str]
    newest: str
    since: float = 0.0
    before: float = 0.0
    names: Mapping[str, str] = field(default_factory=dict)
    compared_until: float | None = None

    @property
    def baseline_ends(self) -> float:
        return self.since if self.compared_until is None else self.compared_until

    @property
    def older(self) -> list[str]:
        """The other releases that are live: the controls."""
        return sorted({live for live in self.lives.values() if live and live != self.newest})


@frozen
class World:
    """How metrics are read, and how time passes (seconds since the epoch)."""

    ask: Ask
    fetch: Fetch
    pause: Callable[[float], None]
    now: Callable[[], float] = time.time
    buckets: FetchBuckets | None = None


def deployed_on(surveys: Iterable[Survey], order: Order | None, since: float | None = None) -> Deployed:
    """Return what is live on these hosts, and since when. Of different releases, the newest is the one in question.

    ``since`` is when it was deployed, where a person says so.
    """
    found = list(surveys)
    versions = Versions(found)
    there = versions.labelled()
    lives = {survey.host: survey.live.name for survey in there}
    ranking = Ranking(there, order, None if versions.are_names else versions.name)
    newest = ranking.latest(set(lives.values()) - {""})
    times: dict[str, float] = {}
    for survey in there:
        for release in survey.releases:
            times[release.name] = max(times.get(release.name, 0.0), live_at(release))
    name = newest[0] if newest else ""
    since = times.get(name, 0.0) if since is None else since
    before = max((at for release, at in times.items() if release != name and at < since), default=0.0)
    return Deployed(lives, name, since, before, {survey.host: survey.live.name for survey in found})


def unknown(check: MetricCheck, query: str, seconds: float) -> Series:
    """Stand in when no reader of stored metrics exists."""
    raise BadAnswer(f"nothing reads {check.source}")


class _Meter(Protocol):
    """A metric that is watched. ``trouble``: why the last reading failed; empty when it succeeded."""

    trouble: str
    ends_at: float
    slower_than: float | None

    @property
    def judgement(self) -> Judgement: ...

    def look(self, now: float) -> None: ...


def longest(metrics: Mapping[str, MetricCheck]) -> float:
    """Return how many seconds metrics are watched at most."""
    return max((m.warm_up + m.window + 2 * m.tick for m in metrics.values()), default=0.0)


def rules_of(check: MetricCheck, metrics: int) -> Rules:
    """Return the rules of one of several metrics: they share α."""
    return Rules(check.baseline, check.alpha / metrics, check.floor, check.warm_up, check.window)


def watch_metrics(metrics: Mapping[str, MetricCheck], deployed: Deployed, world: World) -> tuple[EvidenceRecord, ...]:
    """Watch all metrics, until each has decided or one is worse. They share α: each has its part of it."""
    began = world.now()
    rules = {name: rules_of(check, len(metrics)) for name, check in metrics.items()}
    meters: dict[str, _Meter] = {
        name: _Stored(check, rules[name], deployed, world, began)
        if check.source == "prometheus"
        else _Counted(check, rules[name], deployed, world, began)
        for name, check in metrics.items()
    }
    if not deployed.older:
        _without_control(meters, metrics)
    while pending := [n for n, m in meters.items() if m.judgement.verdict == "undecided" and world.now() < m.ends_at]:
        for name in pending:
            meters[name].look(world.now())
        if any(meter.judgement.verdict == "worse" for meter in meters.values()):
            break
        if any(meters[name].judgement.verdict == "undecided" for name in pending):
            world.pause(min(metrics[name].tick for name in pending))
    return tuple(_evidence(n, metrics[n], rules[n], meter, world.now() - began) for n, meter in meters.items())


def look_at_metrics(metrics: Mapping[str, MetricCheck], deployed: Deployed, world: World) -> tuple[EvidenceRecord, ...]:
    """Judge what Prometheus has kept since the release became live, without waiting. Hosts count only while watched."""
    now = world.now()
    found = []
    for name, check in metrics.items():
        rules = rules_of(check, len(metrics))
        if check.source == "prometheus":
            meter: _Meter = _Stored(check, rules, deployed, world, now)
            if deployed.older or check.baseline == "before":
                meter.look(now)
            else:
                meter.trouble = _NO_CONTROL
        else:
            meter = _Counted(check, rules, deployed, world, now, "guard and verify count on the hosts while they watch")
        found.append(_evidence(name, check, rules, meter, 0.0))
    return tuple(found)


def with_evidence(found: Verification, evidence: Sequence[EvidenceRecord]) -> Verification:
    """Return the verification of a host with the newest release, with what its metrics show as checks."""
    verdicts: dict[str, Verdict] = {"worse": "failed", "not_worse": "passed", "undecided": "unknown"}
    shown = tuple(
        CheckResult(e.check, "metric", Finding(verdicts[e.verdict], e.detail, trigger="metric-degraded"), e.seconds)
        for e in evidence
    )
    healthy = found.healthy and all(each.finding.verdict == "passed" for each in shown)
    return replace(found, healthy=healthy, checks=(*found.checks, *shown))


def _without_control(meters: Mapping[str, _Meter], metrics: Mapping[str, MetricCheck]) -> None:
    for name, meter in meters.items():
        if metrics[name].baseline == "control":
            meter.ends_at = 0.0
            meter.trouble = _NO_CONTROL


@dataclass
class _Counted:
    """Counts that the hosts themselves have (``log``, ``journal``, ``command``)."""

    check: MetricCheck
    rules: Rules
    deployed: Deployed
    world: World
    began: float
    trouble: str = ""
    last: dict[str, Count] = field(default_factory=dict)
    slower_than: float | None = None

    def __post_init__(self) -> None:
        self._judge = Judge(self.rules)
        # No warm-up is needed when it was over before the watch began.
        age = max(0.0, self.began - self.deployed.since) if self.deployed.since else 0.0
        self._started_at = self.began - min(age, self.rules.warm_up)
        # One reading more: the first one only stores where the counts begin.
        self.ends_at = self._started_at + self.rules.warm_up + self.rules.window + self.check.tick

    @property
    def judgement(self) -> Judgement:
        return self._judge.judgement

    def look(self, now: float) -> None:
        self.trouble, new, old = "", Count(), Count()
        question = question_of(self.check)
        for host, answered in self.world.ask([question] if question else []).items():
            # Of a host that missed the survey, or has no live release, nobody knows which side it counts for.
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
        """Return what was counted since the last reading. A count that fell was reset to 0."""
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
class _Stored:
    """Counts that Prometheus keeps, with those of the hour before."""

    check: MetricCheck
    rules: Rules
    deployed: Deployed
    world: World
    began: float
    trouble: str = ""
    slower_than: float | None = None

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
    """Return the seconds from which on a request is slow: the bucket just above the 95th percentile of the old ones."""
    bounds = [bound for each in histograms if (bound := each.bound_above(FAST, ticks)) is not None]
    if not bounds:
        raise BadAnswer("no request was counted in the hour before, so nothing says what is slow")
    if max(bounds) == math.inf:
        raise BadAnswer("the histogram has no bucket above the 95th percentile of the hour before: add larger ones")
    return max(bounds)


def _sum(sides: Sequence[Mapping[int, Count]], number: int) -> Count:
    return sum((side.get(number, Count()) for side in sides), Count())


def _evidence(name: str, check: MetricCheck, rules: Rules, meter: _Meter, seconds: float) -> EvidenceRecord:
    found = meter.judgement
    return EvidenceRecord(
        check=name,
        source=check.source,
        baseline=check.baseline,
        verdict=found.verdict,
        detail=_words(found, rules, meter.trouble, meter.slower_than),
        alpha=rules.alpha,
        needed=found.needed,
        e_worse=float(f"{found.e_worse:.4g}"),
        e_not_worse=float(f"{found.e_not_worse:.4g}"),
        new=CountRecord(bad=found.new.bad, total=found.new.total),
        old=CountRecord(bad=found.old.bad, total=found.old.total),
        bursts=round(found.bursts, 3),
        ticks=found.ticks,
        seconds=round(seconds, 3),
        slower_than=meter.slower_than,
    )


def _words(found: Judgement, rules: Rules, trouble: str, slower_than: float | None) -> str:
    """Say what was compared and, when undecided, what a decision needs."""
    bad = "bad" if slower_than is None else f"slower than {slower_than:g} s"
    compared = f"{_share(found.new, bad)} now, {_share(found.old, bad)} of the old release"
    if found.verdict != "undecided":
        return compared
    if trouble:
        return f"undecided: {trouble}"
    if not found.new.total:
        return "undecided: nothing was counted; it takes traffic"
    worse = found.e_worse >= found.needed and (found.new.rate or 0.0) > rules.floor
    if worse or found.e_not_worse >= found.needed:
        ticks = f"it takes {ENOUGH_TICKS} ticks to show how much bad events vary"
        return f"undecided: {compared}; the old release was counted for too short a time: {ticks}"
    strength = f"evidence {found.e_worse:.3g} that it is worse, {found.e_not_worse:.3g} that it is not"
    return f"undecided: {compared}; {strength}; it takes {found.needed:g}: more traffic or a longer window"


def _share(count: Count, bad: str) -> str:
    return f"{count.bad:g} of {count.total:g} {bad} ({count.rate:.2%})" if count.rate is not None else "nothing counted"
