"""Metrics that are watched on a clock of their own: hosts that count, and a Prometheus that keeps counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from rollback_ops.config import MetricCheck
from rollback_ops.core.errors import BadAnswer, HostUnreachable, RollbackOpsError
from rollback_ops.core.model import CommandResult, HostCommand, ServiceState
from rollback_ops.core.record import EvidenceRecord
from rollback_ops.engine.analysis.series import Series, increases
from rollback_ops.engine.deployed import Deployed
from rollback_ops.engine.meters import World
from rollback_ops.engine.metrics import look_at_metrics, watch_metrics

COUNTED = MetricCheck(kind="metric", source="command", run="count")
STORED = MetricCheck(
    kind="metric", source="prometheus", baseline="before", url="http://p:9090", errors="errors", total="total"
)
BY_RELEASE = MetricCheck(
    kind="metric", source="prometheus", url="http://p:9090", errors='e{r="{release}"}', total='t{r="{release}"}'
)
LATENCY = MetricCheck(kind="metric", source="prometheus", baseline="before", url="http://p:9090", latency="buckets")
LATENCY_BY_RELEASE = MetricCheck(kind="metric", source="prometheus", url="http://p:9090", latency='b{r="{release}"}')
LIVE = 100_000.0
# What a host answers at a time: its lines, another release that is live, or an error.
Answer = Callable[[float], str | ServiceState | RollbackOpsError]


@dataclass
class Clock:
    """Time that passes only in pauses. ``paused`` counts them."""

    hosts: Mapping[str, Answer] = field(default_factory=dict)
    series: Callable[[str, float], Series] = lambda _query, _now: []
    times: Callable[[str], Mapping[float, Series]] = lambda _query: {}
    now: float = LIVE
    paused: int = 0

    def ask(self, questions: Sequence[HostCommand]) -> Mapping[str, ServiceState | RollbackOpsError]:
        return {name: self._state(answer(self.now)) for name, answer in self.hosts.items()}

    @staticmethod
    def _state(said: str | ServiceState | RollbackOpsError) -> ServiceState | RollbackOpsError:
        return ServiceState((), {0: CommandResult(0, 0.1, (said,))}) if isinstance(said, str) else said

    def fetch(self, check: MetricCheck, query: str, seconds: float) -> Series:
        found = self.series(query, self.now)
        return [[(at, value) for at, value in each if self.now - seconds < at <= self.now] for each in found]

    def buckets(self, check: MetricCheck, query: str, seconds: float) -> Mapping[float, Series]:
        return {
            bound: [[(at, value) for at, value in each if self.now - seconds < at <= self.now] for each in found]
            for bound, found in self.times(query).items()
        }

    def pause(self, seconds: float) -> None:
        self.paused += 1
        self.now += seconds

    def watch(self, check: MetricCheck, lives: Mapping[str, str], **words: Any) -> EvidenceRecord:
        deployed = Deployed(lives, "b3", **{"since": LIVE, **words})
        (found,) = watch_metrics({"errors": check}, deployed, self.world)
        return found

    @property
    def world(self) -> World:
        return World(self.ask, self.fetch, self.pause, lambda: self.now, self.buckets)


def count(now: float, bad: float, began: float = 0) -> str:
    """Return the count of 50 events a second since ``began``, of which ``bad`` are bad."""
    return f"{bad * (now - began):.0f} {50 * (now - began):.0f}"


def counting(bad: float) -> Answer:
    return lambda now: count(now, bad)


TWO = {"h1": "b3", "h2": "b2"}


@pytest.mark.parametrize(("bad", "verdict"), [(2.5, "worse"), (0.25, "not_worse")])
def test_a_release_is_compared_with_the_hosts_that_still_run_the_old_one(bad: float, verdict: str) -> None:
    found = Clock({"h1": counting(bad), "h2": counting(0.25)}).watch(COUNTED, TWO)
    assert (found.verdict, found.check, found.source, found.baseline) == (verdict, "errors", "command", "control")
    assert found.seconds <= 660
    assert found.new.bad / found.new.total == pytest.approx(bad / 50, rel=0.1)
    assert found.old.total > 0


def test_a_counter_that_begins_anew_is_neither_worse_nor_lost() -> None:
    def restarting(now: float) -> str:
        return count(now, 0.25, began=now // 100 * 100)

    found = Clock({"h1": restarting, "h2": counting(0.25)}).watch(COUNTED, TWO)
    assert found.verdict == "not_worse"


def test_bad_events_that_are_counted_before_all_events_do_not_make_the_history_new() -> None:
    def late(now: float) -> str:
        bad, total = count(now, 0.25).split()
        return f"{bad} {count(LIVE + 90, 0.25).split()[1] if LIVE + 90 < now < LIVE + 120 else total}"

    found = Clock({"h1": late, "h2": counting(0.25)}).watch(COUNTED, TWO)
    assert found.verdict == "not_worse"
    assert found.new.total < 50 * 700


@pytest.mark.parametrize("live", [{}, {"h3": ""}])
def test_a_host_of_which_nobody_knows_what_is_live_counts_for_no_side(live: dict[str, str]) -> None:
    """It missed the survey, and answers now; or it has no live release."""
    hosts = {"h1": counting(0.25), "h2": counting(0.25), "h3": counting(25)}
    found = Clock(hosts).watch(COUNTED, {**TWO, **live})
    assert found.verdict == "not_worse"
    assert found.old.bad / found.old.total == pytest.approx(0.005, rel=0.1)


def test_without_a_host_to_compare_with_nothing_is_waited_for() -> None:
    clock = Clock({"h1": counting(25)})
    found = clock.watch(COUNTED, {"h1": "b3"})
    assert (found.verdict, found.ticks, clock.paused) == ("undecided", 0, 0)
    assert "no host runs another release" in found.detail


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda _: "oops", "oops"),
        (lambda _: "3 2", "3 2"),
        (lambda _: "nan nan", "nan nan"),
        (lambda _: "1 inf", "1 inf"),
        (lambda _: "1 2 3", "1 2 3"),
        (lambda _: HostUnreachable("h1: no route"), "no route"),
        (lambda _: ServiceState(live="b9"), "another release"),
        (lambda _: ServiceState(), "did not report"),
        (lambda _: ServiceState((), {0: CommandResult(1, 0.1, ("no such file",))}), "no such file"),
        (lambda _: ServiceState((), {0: CommandResult(124, 5.0)}), "within 5 s"),
    ],
)
def test_what_cannot_be_read_decides_nothing_and_is_said(answer: Answer, told: str) -> None:
    found = Clock({"h1": answer, "h2": counting(0.25)}).watch(COUNTED, TWO)
    assert (found.verdict, found.ticks) == ("undecided", 0)
    assert told in found.detail


def test_a_host_that_does_not_answer_for_a_while_costs_nothing() -> None:
    def away(now: float) -> str | HostUnreachable:
        return HostUnreachable("h2: no route") if LIVE + 90 < now < LIVE + 150 else count(now, 0.25)

    assert Clock({"h1": counting(0.25), "h2": away}).watch(COUNTED, TWO).verdict == "not_worse"


def test_without_traffic_it_is_undecided_and_says_so() -> None:
    found = Clock({"h1": lambda _: "0 0", "h2": lambda _: "0 0"}).watch(COUNTED, TWO)
    assert (found.verdict, "traffic" in found.detail) == ("undecided", True)


def test_metrics_share_alpha() -> None:
    clock = Clock({"h1": counting(0.25), "h2": counting(0.25)})
    world = World(clock.ask, clock.fetch, clock.pause, lambda: clock.now)
    found = watch_metrics({"one": COUNTED, "two": COUNTED}, Deployed(TWO, "b3", LIVE), world)
    assert [each.alpha for each in found] == [0.005, 0.005]
    assert [each.needed for each in found] == [200, 200]


# --- Prometheus ------------------------------------------------------------------------------------------


def scraped(bad: Callable[[float], float], *, without: Iterable[int] = (), anew: float = 0) -> Callable[..., Series]:
    """Return what is scraped every 5 s of a service with 50 requests a second. ``bad``: how many fail, by time.

    ``without``: scrapes that failed; ``anew``: when the counters began anew.
    """
    samples: dict[str, list[tuple[float, float]]] = {"errors": [], "total": []}
    failed = total = 0.0
    for number in range(2 * 3600 // 5):
        now = LIVE - 3600 + number * 5
        if anew and now == anew:
            failed = total = 0.0
        failed, total = failed + 5 * bad(now), total + 250
        if number not in set(without):
            samples["errors"].append((now, failed))
            samples["total"].append((now, total))
    return lambda query, _now: [samples[query]]


def steady(_: float) -> float:
    return 0.25


def worse(now: float) -> float:
    return 2.5 if now >= LIVE else 0.25


@pytest.mark.parametrize(
    ("series", "verdict"),
    [
        (scraped(worse), "worse"),
        (scraped(steady), "not_worse"),
        (scraped(steady, without=range(740, 746)), "not_worse"),
        (scraped(steady, anew=LIVE + 100), "not_worse"),
        (scraped(worse, anew=LIVE + 100), "worse"),
        (lambda _query, _now: [], "undecided"),
    ],
    ids=["worse", "healthy", "a scrape fails for 30 s", "a counter reset", "a counter reset, worse", "no series"],
)
def test_a_release_is_compared_with_the_hour_before_it(series: Callable[..., Series], verdict: str) -> None:
    found = Clock(series=series).watch(STORED, {"h1": "b3"})
    assert found.verdict == verdict
    if verdict != "undecided":
        assert found.old.total == pytest.approx(180_000, rel=0.01)


def test_the_hour_before_begins_with_the_release_before() -> None:
    def deployed_badly(now: float) -> float:
        return 5.0 if now < LIVE - 1800 else 0.25

    found = Clock(series=scraped(deployed_badly)).watch(STORED, {"h1": "b3"}, before=LIVE - 1800)
    assert found.old.bad / found.old.total == pytest.approx(0.005, rel=0.05)


def test_a_release_before_that_was_live_for_a_moment_is_too_little_to_compare_with() -> None:
    """A baseline with a deployment in it: the hour before begins with the release before."""
    found = Clock(series=scraped(steady)).watch(STORED, {"h1": "b3"}, before=LIVE - 60)
    assert (found.verdict, "too short" in found.detail) == ("undecided", True)


def test_a_query_has_the_name_of_each_release_where_they_are_compared() -> None:
    asked = []

    def by_release(query: str, now: float) -> Series:
        asked.append(query)
        return scraped(worse if '"b3"' in query else steady)("errors" if query.startswith("e") else "total", now)

    found = Clock(series=by_release).watch(BY_RELEASE, TWO)
    assert found.verdict == "worse"
    assert set(asked) == {'e{r="b3"}', 't{r="b3"}', 'e{r="b2"}', 't{r="b2"}'}


def test_a_prometheus_that_is_down_decides_nothing() -> None:
    def down(_query: str, _now: float) -> Series:
        raise BadAnswer("Prometheus does not answer (ConnectTimeout)")

    clock = Clock(series=down)
    found = clock.watch(STORED, {"h1": "b3"})
    assert (found.verdict, "does not answer" in found.detail, clock.paused > 40) == ("undecided", True, True)


def test_growth_belongs_to_the_tick_of_its_later_sample() -> None:
    samples = [[(0.0, 10.0), (14.0, 15.0), (16.0, 17.0), (31.0, 2.0)], [(-3.0, 1.0), (3.0, 2.0)]]
    assert increases(samples, since=0.0, tick=15.0) == {0: 6.0, 1: 2.0, 2: 2.0}


# --- latency ---------------------------------------------------------------------------------------------


def timed(slower: float, since: float = LIVE) -> Callable[[str], Mapping[float, Series]]:
    """Return a histogram of 50 requests a second, scraped every 5 s: 3 % take longer than 0.5 s.

    From ``since`` on, so many times as many do.
    """

    @cache
    def histogram(_query: str) -> Mapping[float, Series]:
        found: dict[float, list[tuple[float, float]]] = {bound: [] for bound in (0.1, 0.5, 1.0, math.inf)}
        counted = dict.fromkeys(found, 0.0)
        for number in range(2 * 3600 // 5):
            at = LIVE - 3600 + number * 5
            late = 0.03 * (slower if at > since else 1)
            for bound, share in ((0.1, 0.7), (0.5, 1 - late), (1.0, 1 - late / 10), (math.inf, 1.0)):
                counted[bound] += 250 * share
                found[bound].append((at, counted[bound]))
        return {bound: [samples] for bound, samples in found.items()}

    return histogram


@pytest.mark.parametrize(("slower", "verdict"), [(1.0, "not_worse"), (4.0, "worse")])
def test_slow_is_what_is_above_the_bucket_just_over_the_95th_percentile_before(slower: float, verdict: str) -> None:
    found = Clock(times=timed(slower)).watch(LATENCY, {"h1": "b3"})
    assert (found.verdict, found.slower_than) == (verdict, 0.5)
    assert found.new.bad / found.new.total == pytest.approx(0.03 * slower, rel=0.05)
    assert "slower than 0.5 s" in found.detail


def test_a_latency_is_compared_with_the_hosts_that_run_the_old_release() -> None:
    def by_release(query: str) -> Mapping[float, Series]:
        return timed(4.0 if '"b3"' in query else 1.0)(query)

    found = Clock(times=by_release).watch(LATENCY_BY_RELEASE, TWO)
    assert (found.verdict, found.slower_than) == ("worse", 0.5)
    assert found.old.bad / found.old.total == pytest.approx(0.03, rel=0.05)


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (lambda _: {}, "no request was counted"),
        (lambda query: {b: s for b, s in timed(1.0)(query).items() if b in (0.1, math.inf)}, "larger"),
    ],
    ids=["nothing before", "no bucket above the percentile"],
)
def test_without_a_bucket_to_compare_a_latency_is_undecided(times: Any, told: str) -> None:
    found = Clock(times=times).watch(LATENCY, {"h1": "b3"})
    assert (found.verdict, told in found.detail) == ("undecided", True)


# --- one look --------------------------------------------------------------------------------------------


def test_a_look_judges_what_is_kept_and_waits_for_nothing() -> None:
    clock = Clock({"h1": counting(25)}, scraped(worse), now=LIVE + 600)
    metrics = {"stored": STORED, "counted": COUNTED, "control": BY_RELEASE}
    found = look_at_metrics(metrics, Deployed({"h1": "b3"}, "b3", LIVE), clock.world)
    assert [each.verdict for each in found] == ["worse", "undecided", "undecided"]
    assert clock.paused == 0


@pytest.mark.parametrize(
    ("seconds", "verdict", "ticks"), [(5.0, "undecided", 1), (135.0, "worse", 8)], ids=["briefly", "for a while"]
)
def test_a_look_counts_on_the_hosts_for_a_bounded_time(seconds: float, verdict: str, ticks: int) -> None:
    clock = Clock({"h1": counting(25), "h2": counting(0.25)}, now=LIVE + 600)
    metrics = {"errors": COUNTED, "again": COUNTED}
    found = look_at_metrics(metrics, Deployed(TWO, "b3", LIVE), clock.world, seconds)
    assert [(each.verdict, each.ticks) for each in found] == [(verdict, ticks)] * 2
    assert found[0].new.bad / found[0].new.total == pytest.approx(0.5, rel=0.05)
    assert clock.now - LIVE - 600 <= seconds


def test_a_count_that_cannot_be_read_is_undecided_and_said() -> None:
    clock = Clock({"h1": lambda _: "nothing", "h2": counting(0.25)}, now=LIVE + 600)
    (found,) = look_at_metrics({"errors": COUNTED}, Deployed(TWO, "b3", LIVE), clock.world)
    assert (found.verdict, "h1" in found.detail) == ("undecided", True)


def test_what_is_compared_with_may_end_before_the_release_became_live() -> None:
    """After a rollback: with the hour before the release that was left, which was worse."""

    def bad_for_a_while(now: float) -> float:
        return 5.0 if LIVE - 1200 <= now < LIVE else 0.25

    found = Clock(series=scraped(bad_for_a_while)).watch(STORED, {"h1": "b3"}, compared_until=LIVE - 1200)
    assert found.verdict == "not_worse"
    assert found.old.bad / found.old.total == pytest.approx(0.005, rel=0.05)
