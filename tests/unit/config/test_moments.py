"""Times that people give for a scheduled rollback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rollback_ops.config.moments import window
from rollback_ops.core.errors import UsageError

NOW = datetime(2026, 12, 23, 9, 0, tzinfo=UTC)


def refused(at: str, not_after: str = "") -> str:
    with pytest.raises(UsageError) as error:
        window(at, not_after, NOW)
    return str(error.value)


@pytest.mark.parametrize("at", ["2026-12-24T03:00Z", "2026-12-24T03:00:00+00:00", "2026-12-24T04:00+01:00"])
def test_a_time_with_a_zone_is_taken_in_utc_and_is_valid_for_an_hour(at: str) -> None:
    begins, ends = window(at, "", NOW)
    assert begins == datetime(2026, 12, 24, 3, tzinfo=UTC)
    assert (begins.tzinfo, ends - begins) == (UTC, timedelta(hours=1))


def test_somebody_may_say_how_long_it_is_valid() -> None:
    assert window("2026-12-24T03:00Z", "2026-12-24T03:20Z", NOW)[1] == datetime(2026, 12, 24, 3, 20, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused_with_what_it_is_here_in_utc() -> None:
    here = datetime(2026, 12, 24, 3, 0).astimezone()
    told = refused("2026-12-24T03:00")
    assert here.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ") in told
    assert (here.tzname() or "") in told


@pytest.mark.parametrize(
    ("at", "not_after"),
    [
        ("", ""),
        ("tomorrow", ""),
        ("2026-13-01T00:00Z", ""),
        ("2026-12-24", ""),
        ("2026-12-23T08:59Z", ""),
        ("2026-12-23T09:00Z", ""),
        ("2026-12-23T09:14Z", ""),
        ("2027-12-24T03:00Z", ""),
        ("9999-12-31T23:59-12:00", ""),
        ("2026-12-24T03:00Z", "2026-12-24T02:59Z"),
        ("2026-12-24T03:00Z", "2026-12-24T03:00Z"),
        ("2026-12-24T03:00Z", "03:30"),
        ("2026-12-24T03:00Z", "2027-12-24T03:30Z"),
    ],
    ids=str,
)
def test_a_time_that_cannot_be_meant_is_refused(at: str, not_after: str) -> None:
    assert refused(at, not_after)


def test_a_time_that_is_nearer_than_the_workflow_comes_points_to_rollback() -> None:
    assert "rollback-ops rollback" in refused("2026-12-23T09:10Z")
