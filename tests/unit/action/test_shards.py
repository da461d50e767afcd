"""The workflows of shards: which stage and which region begins after which."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.support.project import PROJECT

OUTER = (PROJECT / ".github/workflows/shards.yml", PROJECT / "docs/workflows/shards.yml")


def jobs_of(name: str) -> dict[str, Any]:
    found = yaml.safe_load((PROJECT / ".github/workflows" / name).read_text())["jobs"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("job", "before"),
    [("unhealthy", {"gate"}), ("canary", {"gate"}), ("rest", {"gate", "canary", "review"})],
)
def test_a_stage_begins_only_where_what_comes_before_succeeded_or_was_not_needed(job: str, before: set[str]) -> None:
    stage = jobs_of("shards-region.yml")[job]
    condition = stage["if"].removeprefix("${{").removesuffix("}}")
    # A job that was cancelled, or took longer than its time-out, is neither.
    fine = r"""contains\(fromJSON\('\["success", "skipped"\]'\), needs\.(\w+)\.result\)"""
    asked = {found[1] for each in condition.split("&&") if (found := re.fullmatch(fine, each.strip()))}
    assert (
        asked == before == set([stage["needs"]] if isinstance(stage["needs"], str) else stage["needs"]) - {"unhealthy"}
    )
    assert "||" not in condition


@pytest.mark.parametrize("workflow", OUTER, ids=["called", "copied"])
def test_regions_go_one_after_the_other_and_the_records_are_merged_whatever_they_came_to(workflow: Any) -> None:
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    strategy = jobs["regions"]["strategy"]
    # A region that failed within its budget does not end the others: each asks by itself whether it may begin.
    assert (strategy["max-parallel"], strategy["fail-fast"]) == (1, False)
    assert jobs["merge"]["if"].startswith("always()")
