"""Metrics in the verification after a rollback: is it as good as before the release that was left?"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from rollback_ops.config import MetricCheck
from rollback_ops.config.schema import Verify
from rollback_ops.core.errors import BadAnswer
from rollback_ops.core.record import Record
from rollback_ops.engine.analysis.series import Series
from tests.unit.engine.test_rollback import Stage

TICK = 0.05
METRIC = MetricCheck(
    kind="metric",
    source="prometheus",
    baseline="before",
    url="http://p:9090",
    errors="errors",
    total="total",
    after_rollback=True,
    tick=TICK,
    warm_up=0.0,
    window=20.0,
)
# Seconds for which the bad release was live.
LIVE_FOR = 10.0


class Kept:
    """A Prometheus with 1,000 requests a tick, half a percent of them bad; more while the bad release was live."""

    def __init__(self, failing: float = 5.0) -> None:
        self.restored_at = time.time()
        self.failing = failing
        self.queries = 0

    def __call__(self, check: MetricCheck, query: str, seconds: float) -> Series:
        self.queries += 1
        found, value = [], 0.0
        for number in range(int((time.time() - self.restored_at + 2 * LIVE_FOR) / TICK)):
            at = self.restored_at - 2 * LIVE_FOR + number * TICK
            bad = 200.0 if self.restored_at - LIVE_FOR < at <= self.restored_at else 5.0
            value += 1000.0 if query == "total" else self.failing if at > self.restored_at else bad
            found.append((at, value))
        return [found]


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    host = stage["h1"]
    left_since = time.time() - LIVE_FOR
    host.releases = tuple(replace(r, live_since=left_since if r.name == "b3" else 1.0) for r in host.releases)
    return stage


def roll_back(stage: Stage, kept: object, check: MetricCheck = METRIC, **words: object) -> Record:
    return stage.roll_back(metrics={"errors": check}, fetch=kept, **words)  # type: ignore[arg-type]


def test_a_target_that_is_as_good_as_before_is_verified_with_the_evidence(stage: Stage) -> None:
    record = roll_back(stage, Kept())
    assert (record.outcome, record.exit_code) == ("succeeded", 0)
    (evidence,) = record.evidence
    assert evidence.verdict == "not_worse"
    assert evidence.old.bad / evidence.old.total == pytest.approx(0.005, rel=0.1)
    assert [check.outcome for check in record.hosts[0].checks if check.kind == "metric"] == ["passed"]
    assert stage["h1"].mark("b2") == "good"


def test_a_target_that_is_worse_has_failed_its_verification_and_on_failure_decides(stage: Stage) -> None:
    record = roll_back(stage, Kept(failing=100.0), policy=Verify(min_healthy_time=0.0, on_failure="restore"))
    assert (record.outcome, record.exit_code) == ("restored", 3)
    assert stage["h1"].live.name == "b3"
    assert stage["h1"].mark("b2") == "bad"


def test_what_cannot_be_asked_is_unknown_and_undoes_nothing(stage: Stage) -> None:
    def down(check: MetricCheck, query: str, seconds: float) -> Series:
        raise BadAnswer("Prometheus does not answer (ConnectTimeout)")

    shorter = METRIC.model_copy(update={"window": 0.2})
    policy = Verify(min_healthy_time=0.0, on_failure="restore")
    record = roll_back(stage, down, shorter, policy=policy)
    assert (record.outcome, record.exit_code) == ("health_unknown", 2)
    assert (stage["h1"].live.name, stage["h1"].mark("b2")) == ("b2", "")


def test_where_nobody_knows_since_when_the_bad_release_was_live_there_is_nothing_to_compare_with(stage: Stage) -> None:
    stage["h1"].releases = tuple(replace(r, live_since=None) for r in stage["h1"].releases)
    kept = Kept()
    record = roll_back(stage, kept)
    assert (record.outcome, kept.queries) == ("health_unknown", 0)


def test_a_metric_that_is_not_for_rollbacks_is_not_watched_after_one(stage: Stage) -> None:
    kept = Kept()
    record = roll_back(stage, kept, METRIC.model_copy(update={"after_rollback": False}))
    assert (record.outcome, record.evidence, kept.queries) == ("succeeded", (), 0)
