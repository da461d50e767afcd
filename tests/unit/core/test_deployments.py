"""The change fail rate: which deployments a rollback left, of all that are known."""

from __future__ import annotations

from typing import Any

import pytest
from scipy import special

from rollback_ops.core.deployments import PastDeployment, Rate, change_failures, of_one_history, releases_on
from rollback_ops.core.model import Release, ServiceId
from rollback_ops.core.record import Record
from rollback_ops.core.statistics import statistics
from tests.support.records import record
from tests.support.snapshots import survey

# 2024-01-02, 03:00 UTC: before the rollbacks of ``record``.
DEPLOYED = 1_704_164_400.0
WEB = ServiceId("web", "prod")


def left(release: str | None, **words: Any) -> Record:
    ends = {"from": {"release": release, "revision": words.pop("revision", None)}}
    return record(**{"environment": "prod", "service": "web", **ends, **words})


def deployed(*names: str, hours: float = 1) -> list[PastDeployment]:
    return [PastDeployment("", DEPLOYED - hours * 3600 * n, release=name) for n, name in enumerate(names, 1)]


@pytest.mark.parametrize(
    ("records", "failed"),
    [
        ([], 0),
        ([left("b3")], 1),
        ([left("b3"), left("b3")], 1),
        ([left("b3"), left("b1")], 2),
        ([left("b9")], 0),
        ([left(None)], 1),
        ([left("b3", environment="test")], 0),
        ([left("b3", dry_run=True)], 0),
        ([left("b3", trigger="drill", drill={"ways": []})], 0),
    ],
)
def test_a_deployment_that_a_rollback_left_has_failed(records: list[Record], failed: int) -> None:
    found = statistics(records, {WEB: deployed("b3", "b2", "b1")}).change_failures
    assert found
    assert (found.failed, found.total) == (failed, 3)


def test_deployments_on_github_name_no_service() -> None:
    past = {ServiceId("", "prod"): of_one_history([("aaa", "2024-01-01T00:00:00Z"), ("bbb", "2024-01-02T00:00:00Z")])}
    found = change_failures(past, [left("b3", revision="bbb"), left("b3", revision="bbb", service="jobs")])
    assert found
    assert (found.failed, found.total) == (1, 2)


def test_several_deployments_of_one_commit_in_a_row_are_one_and_a_time_that_is_none_is_left_out() -> None:
    days = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]
    made = [(sha, f"{day}T00:00:00Z") for sha, day in zip("aaba", days, strict=True)]
    assert [each.revision for each in of_one_history([*made, ("c", "soon")])] == ["a", "b", "a"]


def test_without_a_deployment_there_is_no_rate() -> None:
    assert statistics([left("b3")]).change_failures is None
    assert statistics([left("b3")], {WEB: []}).change_failures is None


@pytest.mark.parametrize(("failed", "total"), [(0, 1), (1, 1), (2, 14), (14, 14)])
def test_the_exact_interval_is_that_of_clopper_and_pearson(failed: int, total: int) -> None:
    low = special.betaincinv(failed, total - failed + 1, 0.025) if failed else 0
    high = special.betaincinv(failed + 1, total - failed, 0.975) if failed < total else 1
    assert Rate("all", failed, total).exact == pytest.approx((low, high), abs=1e-6)


def test_a_release_that_several_hosts_have_is_one_deployment() -> None:
    there = (Release("b1", created=1.0), Release("b2", created=2.0, live_since=2.0), Release("b3", created=3.0))
    found = releases_on([survey(host, live="b3", releases=there) for host in ("bot1", "bot2")])
    assert [(each.release, each.at) for each in found] == [("b2", 2.0), ("b3", 3.0)]
