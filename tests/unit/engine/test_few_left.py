"""``check`` and ``guard`` warn before the last release is gone that a rollback could go to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollback_ops.core.model import Lease, Release, Survey
from rollback_ops.core.plan import Selection
from rollback_ops.engine.readiness import few_left
from tests.support.fakes import live_at, releases

FOUR = Survey("h1", releases("b1", "b2", "b3", "b4"), live_at("b4"))
LEFT = Release("b2", left_by="run-1")


@pytest.mark.parametrize(
    ("survey", "named"),
    [
        (FOUR, None),
        (replace(FOUR, releases=(*releases("b1", "b4"), LEFT)), None),
        (replace(FOUR, releases=releases("b1", "b4")), "b1"),
        (replace(FOUR, releases=(LEFT, *releases("b1", "b4", b1="bad"))), "b2"),
        (replace(FOUR, releases=releases("b1", "b4", b1="bad")), "none"),
        (replace(FOUR, releases=releases("b4", "b5", "b6")), "none"),
        (replace(FOUR, releases=releases("b4")), None),
        (replace(FOUR, releases=releases("b1", "b4"), lease=Lease("another", "ana")), None),
    ],
)
def test_fewer_than_two_eligible_releases_are_a_warning(survey: Survey, named: str | None) -> None:
    told = list(few_left([survey], Selection(backup="b1")))
    assert len(told) == (named is not None)
    assert named is None or named in told[0]
