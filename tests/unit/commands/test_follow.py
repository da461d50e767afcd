"""Which runs have hosts now, and the steps that the journals tell of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rollback_ops.commands.follow import running
from rollback_ops.core.journal import steps_of
from rollback_ops.core.model import Lease, OpenTransaction, ServiceId, StepReport, Survey
from tests.support.fakes import live_at

ABOUT = ServiceId("web", "prod")
RUN = "20261127T110000Z-0a1b2c3d"


def step(name: str, run: str = RUN, **changed: Any) -> str:
    """A line as the agent writes it (agent/sh/worker.sh)."""
    event = {"event": "step", "id": run, "step": name, "outcome": "ok", "service": "web", "environment": "prod"}
    return json.dumps(event | {"seconds": 0.25, "detail": ""} | changed, separators=(",", ":"))


def test_steps_are_those_of_the_run_and_of_the_service_in_their_order() -> None:
    lines = [step("stop", run="20261126T110000Z-00000000"), step("stop"), step("stop", service="jobs"), step("switch")]
    assert steps_of(lines, RUN, ABOUT) == (StepReport("stop", "ok", 0.25), StepReport("switch", "ok", 0.25))


@pytest.mark.parametrize(
    "damaged",
    [
        step("stop")[:-5],
        step("stop", outcome="wonderful"),
        step("stop", seconds="soon"),
        step("stop", step=7),
        step("stop", environment=None),
        "",
        "[" * 1000,
    ],
)
def test_a_damaged_line_is_no_step(damaged: str) -> None:
    assert [each.name for each in steps_of([damaged, step("start")], RUN, ABOUT)] == ["start"]


def test_each_run_has_its_hosts_who_started_it_and_where_it_goes() -> None:
    lease = Lease(f"{RUN}.1", "ana@desk", "https://ci.example.org/1", "11:00")
    begun = OpenTransaction(f"{RUN}.1", "releases/b3", "b2")
    surveys = [
        Survey("h1", live=live_at("b3"), lease=lease, unfinished=begun),
        Survey("h2", live=live_at("b3"), lease=lease),
        Survey("h3", live=live_at("b3"), unfinished=OpenTransaction("other", "releases/b3", "b1")),
    ]
    found, cut = running(ABOUT, surveys, {"h1": [step("stop")]})
    assert (found.run, found.by, found.run_url, found.since) == (RUN, "ana@desk", "https://ci.example.org/1", "11:00")
    assert [(each.host, each.target, len(each.steps)) for each in found.hosts] == [("h1", "b2", 1), ("h2", "", 0)]
    assert (cut.run, cut.by, [each.host for each in cut.hosts]) == ("other", "", ["h3"])


def test_a_host_that_no_run_has_is_in_none() -> None:
    assert running(ABOUT, [Survey("h1", live=live_at("b3"))], {}) == ()
