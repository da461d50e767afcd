"""Success rate with its exact bounds, and how long rollbacks took, by environment, trigger and month."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.core.record import HostRecord, Record
from rollback_ops.core.statistics import Spread, statistics
from tests.support.records import record


def records(succeeded: int, failed: int) -> list[Record]:
    return [record(outcome="succeeded")] * succeeded + [record(outcome="failed")] * failed


@pytest.mark.parametrize(
    ("succeeded", "failed", "alert", "sure"),
    [
        (1, 0, False, False),
        (0, 1, True, False),
        (0, 2, True, True),
        (9, 1, False, False),
        (8, 1, True, False),
        (10, 1, False, False),
        (900, 100, False, False),
        (899, 101, False, False),
        (880, 120, True, True),
    ],
)
def test_a_rate_below_ninety_percent_is_an_alert_where_it_is_sure_or_the_count_is_small(
    succeeded: int, failed: int, alert: bool, sure: bool
) -> None:
    found = statistics(records(succeeded, failed))
    assert (found.total, found.succeeded, found.alert, found.sure) == (succeeded + failed, succeeded, alert, sure)
    assert found.success_rate == pytest.approx(succeeded / (succeeded + failed))


@given(st.integers(0, 60), st.integers(0, 20))
def test_the_bounds_hold_the_rate_and_an_alert_is_below_ninety_percent(succeeded: int, failed: int) -> None:
    found = statistics(records(succeeded, failed))
    rate = 1.0 if found.success_rate is None else found.success_rate
    assert 0 <= found.at_least <= rate <= found.at_most <= 1
    assert not found.alert or 10 * succeeded < 9 * (succeeded + failed)
    assert not found.sure or found.alert


def test_four_of_four_prove_forty_seven_percent() -> None:
    assert statistics(records(4, 0)).at_least == pytest.approx(0.473, abs=0.0005)


def test_no_rollback_has_no_rate_and_is_no_alert() -> None:
    found = statistics([])
    assert (found.total, found.success_rate, found.alert) == (0, None, False)
    assert (found.duration, found.downtime, found.drills) == (None, None, None)
    assert (found.at_least, found.at_most) == (0, 1)


@pytest.mark.parametrize("outcome", ["verification_failed", "restored", "failed", "partial", "cancelled"])
def test_every_outcome_but_success_lowers_the_rate(outcome: str) -> None:
    found = statistics([record(), record(outcome=outcome)])
    assert (found.total, found.succeeded) == (2, 1)


@pytest.mark.parametrize("facts", [{"outcome": "refused"}, {"outcome": "nothing_to_do"}, {"dry_run": True}])
def test_a_run_that_changed_nothing_does_not_count(facts: dict[str, object]) -> None:
    assert statistics([record(), record(**facts)]).total == 1


def test_unknown_durations_are_left_out() -> None:
    found = statistics([record(duration_seconds=seconds) for seconds in (1.0, 0.0, 4.0)])
    assert found.duration == Spread(mean=2.5, median=1.0, p95=4.0, worst=4.0)


def test_percentiles_are_values_that_were_measured() -> None:
    found = statistics([record(duration_seconds=float(seconds)) for seconds in range(100, 0, -1)])
    assert found.duration == Spread(mean=50.5, median=50.0, p95=95.0, worst=100.0)


def test_the_downtime_is_that_of_every_host_that_was_changed() -> None:
    hosts = [
        HostRecord(host="bot1", outcome="succeeded", downtime_seconds=0.5),
        HostRecord(host="bot2", outcome="failed", downtime_seconds=3.5),
        HostRecord(host="bot3", outcome="refused"),
    ]
    assert statistics([record(hosts=hosts)]).downtime == Spread(mean=2.0, median=0.5, p95=3.5, worst=3.5)


def test_the_recovery_of_a_deployment_is_from_its_deployment_until_its_rollback_was_verified() -> None:
    left = {"release": "b3", "revision": None, "deployed_at": "2024-01-02T03:00:07.178Z"}
    older = {"release": "b2", "revision": None, "deployed_at": "2024-01-01T00:00:00Z"}
    again = record(id="again", **{"from": left, "to": older})
    undone = record(id="undone", **{"from": older, "to": left})
    failed = record(id="failed", outcome="failed", **{"from": left, "to": older})
    found = statistics([again, undone, failed, record(**{"from": {"release": "b9"}})])
    assert (found.failed_deployments, found.recovery and found.recovery.worst) == (2, 240.0)
    assert statistics([undone]).failed_deployments == 0


def test_drills_are_counted_apart() -> None:
    found = statistics([record(), record(trigger="drill", drill={"ways": []}, outcome="failed", duration_seconds=99)])
    assert (found.total, found.succeeded, list(found.by_trigger)) == (1, 1, ["manual"])
    assert found.drills
    assert (found.drills.total, found.drills.succeeded) == (1, 0)


def test_a_month_is_the_one_of_the_start_in_utc() -> None:
    found = statistics([record(started_at="2026-10-31T23:30:00-01:00"), record(started_at="2026-10-31T23:30:00Z")])
    assert {month: group.total for month, group in found.by_month.items()} == {"2026-10": 1, "2026-11": 1}


def test_each_environment_and_each_trigger_is_counted_by_itself() -> None:
    found = statistics(
        [
            record(environment="test", outcome="failed", duration_seconds=9),
            record(environment="prod"),
            record(environment="test", trigger="deploy-failed", duration_seconds=3),
        ]
    )
    assert {
        name: (g.succeeded, g.total, g.duration and g.duration.mean) for name, g in found.by_environment.items()
    } == {
        "prod": (1, 1, 1.5),
        "test": (1, 2, 6.0),
    }
    assert {name: (g.succeeded, g.total) for name, g in found.by_trigger.items()} == {
        "deploy-failed": (1, 1),
        "manual": (1, 2),
    }
    assert found.by_environment["test"].alert


some = st.lists(
    st.builds(
        lambda environment, trigger, outcome, seconds, dry: record(
            environment=environment, trigger=trigger, outcome=outcome, duration_seconds=seconds, dry_run=dry
        ),
        st.sampled_from(["test", "prod", "staging"]),
        st.sampled_from(["manual", "workflow", "deploy-failed"]),
        st.sampled_from(["succeeded", "failed", "refused", "cancelled", "partial"]),
        st.floats(0, 1000),
        st.booleans(),
    ),
    max_size=30,
)


@given(some)
def test_the_groups_add_up_to_the_whole(told: list[Record]) -> None:
    found = statistics(told)
    slowest = found.duration.worst if found.duration else 0
    for groups in (found.by_environment, found.by_trigger, found.by_month):
        assert sum(group.total for group in groups.values()) == found.total
        assert sum(group.succeeded for group in groups.values()) == found.succeeded
        assert max((group.duration.worst for group in groups.values() if group.duration), default=0) == slowest
        assert not any(group.by_environment or group.by_trigger for group in groups.values())


def test_a_run_in_progress_does_not_count() -> None:
    assert statistics([record(outcome="cancelled", hosts=[])]).total == 0
