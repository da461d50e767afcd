"""Rehearsals on a Prometheus that is made up: a service with 50 requests a second."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pytest

from rollback_ops.config import MetricCheck
from rollback_ops.core.errors import BadAnswer, UsageError
from rollback_ops.engine.analysis.series import Series
from rollback_ops.engine.rehearsal import FetchPast, Rehearsal, rehearse

NOW = 1_000_000.0 * 15
HOUR, DAY = 3600.0, 86_400.0
METRIC = MetricCheck(
    kind="metric", source="prometheus", baseline="before", url="http://p:9090", errors="errors", total="total"
)


def keeping(bad: Callable[[float], float], begins: float = 0.0) -> FetchPast:
    """Return a Prometheus with a sample every 15 s. ``bad``: how many requests have failed until then."""

    def fetch(check: MetricCheck, query: str, seconds: float, at: float) -> Series:
        times = [15.0 * n for n in range(int((at - seconds) // 15) + 1, int(at // 15) + 1) if 15.0 * n >= begins]
        return [[(t, bad(t) if query == "errors" else 50 * t) for t in times]]

    return fetch


def timed(check: MetricCheck, query: str, seconds: float, at: float) -> Mapping[float, Series]:
    """Return a histogram in which 3 % take longer than half a second."""
    shares = {0.1: 0.7, 0.5: 0.97, 1.0: 0.999, math.inf: 1.0}
    all_of_them = keeping(lambda t: 50 * t)(check, "errors", seconds, at)[0]
    return {bound: [[(t, value * share) for t, value in all_of_them]] for bound, share in shares.items()}


def steady(at: float) -> float:
    return 0.25 * at


def rehearsed(fetch: FetchPast, seconds: float = DAY, made: Sequence[float] = (), **metrics: MetricCheck) -> Rehearsal:
    return rehearse(metrics or {"errors": METRIC}, fetch, timed, NOW, seconds, made, lambda: None)


def test_a_day_of_a_steady_service_is_so_many_moments_and_no_rollback() -> None:
    found = rehearsed(keeping(steady))
    assert (found.rolled_back, found.trials) == (0, 143)
    assert found.at_most == pytest.approx(0.0207, abs=0.0001)
    assert not found.exceeds
    assert all(moment.judged["errors"].old.total > 100_000 for moment in found.moments)


def test_a_moment_at_which_errors_rose_would_have_been_rolled_back() -> None:
    rose = NOW - DAY / 2
    found = rehearsed(keeping(lambda at: 0.25 * at + 5 * max(0.0, min(at - rose, 1200.0))))
    wrong = [moment.at for moment in found.moments if moment.worse]
    assert wrong
    assert all(rose - 700 <= at <= rose + 1200 for at in wrong)


def test_the_time_around_a_deployment_is_left_out() -> None:
    made = NOW - DAY / 2
    found = rehearsed(keeping(lambda at: 0.25 * at + 5 * max(0.0, at - made)), made=[made])
    assert found.deployments == 1
    assert found.rolled_back == 0
    assert not any(moment.at - HOUR <= made <= moment.at + 660 for moment in found.moments)


def test_moments_of_which_nothing_is_kept_do_not_count() -> None:
    found = rehearsed(keeping(steady, begins=NOW - DAY / 4))
    assert 0 < found.trials < 40 < len(found.moments)
    assert rehearsed(lambda *_: []).trials == 0


def test_what_cannot_be_read_is_a_gap_and_said_once() -> None:
    def failing(check: MetricCheck, query: str, seconds: float, at: float) -> Series:
        if NOW - 6 * HOUR < at <= NOW - 3 * HOUR:
            raise BadAnswer("Prometheus answers with status 503")
        return keeping(steady)(check, query, seconds, at)

    found = rehearsed(failing)
    assert found.gaps == ("Prometheus answers with status 503",)
    assert (found.rolled_back, 100 < found.trials < 143) == (0, True)


@pytest.mark.parametrize(
    "check",
    [
        MetricCheck(kind="metric", source="command", run="count"),
        METRIC.model_copy(update={"baseline": "control", "errors": "{release}", "total": "{release}"}),
    ],
    ids=["hosts count", "control"],
)
def test_a_metric_without_a_past_is_refused_and_beside_another_one_it_is_said(check: MetricCheck) -> None:
    with pytest.raises(UsageError, match="rehearsed"):
        rehearsed(keeping(steady), other=check)
    found = rehearsed(keeping(steady), seconds=6 * HOUR, other=check, errors=METRIC)
    assert list(found.skipped) == ["other"]
    assert (found.trials > 0, found.alpha) == (True, 0.005)
    with pytest.raises(UsageError, match="no check of kind metric"):
        rehearse({}, keeping(steady), timed, NOW, DAY, (), lambda: None)


def test_a_latency_is_rehearsed_with_the_bucket_of_each_hour() -> None:
    slow = MetricCheck(kind="metric", source="prometheus", baseline="before", url="http://p:9090", latency="b")
    found = rehearsed(keeping(steady), slow=slow)
    assert (found.rolled_back, found.trials) == (0, 143)
    assert {round(each.judged["slow"].old.rate or 0, 2) for each in found.moments} == {0.03}


def test_a_prometheus_that_is_down_is_not_asked_for_every_hour_of_a_month() -> None:
    asked = []

    def down(check: MetricCheck, query: str, seconds: float, at: float) -> Series:
        asked.append(at)
        raise BadAnswer("Prometheus does not answer (ConnectTimeout)")

    assert rehearsed(down, seconds=30 * DAY).trials == 0
    assert len(asked) < 10
