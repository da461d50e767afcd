"""Success rate, mean and slowest duration of rollbacks, by environment and by trigger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.core.record import Record
from rollback_ops.core.statistics import statistics
from tests.support.records import record


def records(succeeded: int, failed: int) -> list[Record]:
    return [record(outcome="succeeded")] * succeeded + [record(outcome="failed")] * failed


@pytest.mark.parametrize(
    ("succeeded", "failed", "alert"),
    [
        (1, 0, False),
        (0, 1, True),
        (9, 1, False),
        (90, 10, False),
        (900, 100, False),
        (899, 101, True),
        (8, 1, True),
        (10, 1, False),
    ],
)
def test_fewer_than_ninety_in_a_hundred_is_an_alert_and_ninety_is_not(succeeded: int, failed: int, alert: bool) -> None:
    found = statistics(records(succeeded, failed))
    assert (found.total, found.succeeded, found.alert) == (succeeded + failed, succeeded, alert)
    assert found.success_rate == pytest.approx(succeeded / (succeeded + failed))


@given(st.integers(0, 60), st.integers(0, 20))
def test_the_alert_is_exact(succeeded: int, failed: int) -> None:
    assert statistics(records(succeeded, failed)).alert == (10 * succeeded < 9 * (succeeded + failed))


def test_no_rollback_has_no_rate_and_is_no_alert() -> None:
    found = statistics([])
    assert (found.total, found.success_rate, found.alert) == (0, None, False)
    assert (found.mean_seconds, found.slowest_seconds) == (0, 0)


@pytest.mark.parametrize("outcome", ["verification_failed", "restored", "failed", "partial", "cancelled"])
def test_every_outcome_but_success_lowers_the_rate(outcome: str) -> None:
    found = statistics([record(), record(outcome=outcome)])
    assert (found.total, found.succeeded) == (2, 1)


@pytest.mark.parametrize("facts", [{"outcome": "refused"}, {"outcome": "nothing_to_do"}, {"dry_run": True}])
def test_a_run_that_changed_nothing_does_not_count(facts: dict[str, object]) -> None:
    assert statistics([record(), record(**facts)]).total == 1


def test_unknown_durations_are_left_out() -> None:
    found = statistics([record(duration_seconds=seconds) for seconds in (1.0, 0.0, 4.0)])
    assert (found.mean_seconds, found.slowest_seconds) == (2.5, 4.0)


def test_each_environment_and_each_trigger_is_counted_by_itself() -> None:
    found = statistics(
        [
            record(environment="test", outcome="failed", duration_seconds=9),
            record(environment="prod"),
            record(environment="test", trigger="deploy-failed", duration_seconds=3),
        ]
    )
    assert {name: (g.succeeded, g.total, g.mean_seconds) for name, g in found.by_environment.items()} == {
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
    for groups in (found.by_environment, found.by_trigger):
        assert sum(group.total for group in groups.values()) == found.total
        assert sum(group.succeeded for group in groups.values()) == found.succeeded
        assert max((group.slowest_seconds for group in groups.values()), default=0) == found.slowest_seconds
        assert not any(group.by_environment or group.by_trigger for group in groups.values())


def test_a_run_in_progress_does_not_count() -> None:
    assert statistics([record(outcome="cancelled", hosts=[])]).total == 0
