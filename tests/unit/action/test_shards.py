"""The workflows of shards: which stage begins after which."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.support.project import PROJECT

WORKFLOWS = (PROJECT / ".github/workflows/shards.yml", PROJECT / "docs/workflows/shards.yml")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=["called", "copied"])
def test_the_others_begin_only_after_a_canary_and_a_review_that_succeeded_or_were_not_needed(workflow: Path) -> None:
    rest = yaml.safe_load(workflow.read_text())["jobs"]["rest"]
    condition = rest["if"].removeprefix("${{").removesuffix("}}")
    # A job that was cancelled, or took longer than its time-out, is neither.
    fine = r"""contains\(fromJSON\('\["success", "skipped"\]'\), needs\.(\w+)\.result\)"""
    asked = {found[1] for each in condition.split("&&") if (found := re.fullmatch(fine, each.strip()))}
    assert asked == set(rest["needs"]) - {"plan", "unhealthy"} >= {"canary"}
    assert "||" not in condition
