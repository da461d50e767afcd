"""The marks that a rollback leaves on its hosts, and the names of runs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from rollback_ops.core.model import Note, Release, Survey, SwitchOutcome, SwitchResult, Unit
from rollback_ops.core.notes import notes_of
from rollback_ops.core.plan import HostPlan, Plan
from rollback_ops.core.run import Attempt, RunInfo, RunState, new_run
from tests.support.fakes import live_at, releases, verification

HEADING = RunInfo("run-1", "bot", "prod", "standard", "manual", "logins fail", "alice")


def state(live: str = "b3") -> RunState:
    surveys = {"h1": Survey("h1", releases("b1", "b2", "b3"), live_at(live))}
    return RunState(HEADING, ["h1", "h2"], surveys=surveys)


def attempt(target: str, ended: SwitchOutcome, healthy: bool | None = None, *, goes_back: bool = False) -> Attempt:
    plan = Plan(target, "", (HostPlan("h1", live_at("b3"), "switch", target),))
    verified = {} if healthy is None else {"h1": verification(healthy=healthy)}
    return Attempt(plan, goes_back, {"h1": SwitchResult(ended, live=target)}, verified)


def noted(run: RunState) -> dict[str, Note]:
    return {release: note for release, (note, _) in notes_of(run, "h1").items()}


@pytest.mark.parametrize(
    ("ended", "healthy", "marks"),
    [
        ("switched", True, {"b3": "left", "b2": "good"}),
        ("switched", False, {"b3": "left", "b2": "bad"}),
        ("switched", None, {"b3": "left"}),
        ("not_started", None, {"b3": "left", "b2": "bad"}),
        ("still_starting", None, {"b3": "left"}),
        ("put_back", None, {}),
        ("failed", None, {}),
        ("refused", None, {}),
        ("unknown", None, {}),
    ],
)
def test_the_release_that_was_left_is_noted_and_the_verified_one_is_good(
    ended: SwitchOutcome, healthy: bool | None, marks: dict[str, Note]
) -> None:
    run = state()
    run.attempts.append(attempt("b2", ended, healthy))
    assert noted(run) == marks
    assert notes_of(run, "h2") == {}


@pytest.mark.parametrize(
    ("facts", "heading", "forward", "note"),
    [
        ({}, {}, False, "left"),
        ({"mark": "bad"}, {}, False, "left"),
        ({"mark": "good"}, {}, False, "left"),
        ({}, {}, True, None),
        ({"mark": "good"}, {"bad": True}, False, "bad"),
        ({}, {"bad": True}, True, "bad"),
        ({"mark": "good"}, {"guarded": True}, False, "bad"),
        ({"mark": "good"}, {"trigger": "deploy-failed"}, False, "bad"),
    ],
)
def test_leaving_a_release_is_a_verdict_only_with_evidence(
    facts: dict[str, Any], heading: dict[str, Any], forward: bool, note: Note | None
) -> None:
    found = (*releases("b1", "b2"), Release("b3", **facts))
    run = RunState(replace(HEADING, **heading), ["h1"], surveys={"h1": Survey("h1", found, live_at("b3"))})
    plan = Plan("b2", "", (HostPlan("h1", live_at("b3"), "switch", "b2", forward=forward),))
    run.attempts.append(Attempt(plan, switched={"h1": SwitchResult("switched", live="b2")}))
    assert notes_of(run, "h1") == ({"b3": (note, "logins fail")} if note else {})


@pytest.mark.parametrize(
    ("unit", "note"),
    [
        (Unit("bot", "failed"), "bad"),
        (Unit("bot", "stopped"), "bad"),
        (Unit("bot", "starting", restarts=3), "bad"),
        (Unit("bot", "starting"), "left"),
        (Unit("bot", "running", restarts=3), "left"),
        (Unit("bot", "unknown"), "left"),
    ],
)
def test_a_release_that_did_not_run_when_it_was_left_is_bad(unit: Unit, note: Note) -> None:
    survey = Survey("h1", releases("b1", "b2", "b3", b3="good"), live_at("b3"), (unit,))
    run = RunState(HEADING, ["h1"], surveys={"h1": survey})
    run.attempts.append(attempt("b2", "switched"))
    assert noted(run) == {"b3": note}


def test_a_release_that_was_restored_to_itself_is_marked_by_its_verification_only() -> None:
    run = state(live="b2")
    run.attempts.append(attempt("b2", "switched", healthy=True))
    assert noted(run) == {"b2": "good"}


def test_each_unhealthy_target_is_bad_and_the_healthy_one_is_good() -> None:
    run = state()
    run.attempts += [attempt("b2", "switched", healthy=False), attempt("b1", "switched", healthy=True)]
    assert noted(run) == {"b3": "left", "b2": "bad", "b1": "good"}


def test_a_release_that_a_host_returned_to_is_not_marked() -> None:
    run = state()
    run.attempts += [attempt("b2", "switched", healthy=False), attempt("b3", "switched", goes_back=True)]
    assert noted(run) == {"b2": "bad"}


@pytest.mark.parametrize(
    ("ended", "touched"),
    [
        ("switched", True),
        ("not_started", True),
        ("still_starting", True),
        ("put_back", True),
        ("failed", True),
        ("refused", False),
    ],
)
def test_only_a_host_that_refused_was_not_touched(ended: SwitchOutcome, touched: bool) -> None:
    run = state()
    run.attempts.append(attempt("b2", ended))
    assert run.touched == (["h1"] if touched else [])


def test_each_run_has_its_own_name_that_is_safe_in_files_and_shells() -> None:
    runs = {new_run() for _ in range(100)}
    assert len(runs) == 100
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", run) for run in runs)


def test_a_failed_check_of_what_was_left_makes_it_bad_and_is_in_the_reason() -> None:
    run = state()
    run.failed_before = {"h1": ("health: status is 503",), "h2": ("health: it hangs",)}
    run.attempts.append(attempt("b2", "switched", True))
    assert notes_of(run, "h1")["b3"] == ("bad", "logins fail (health: status is 503)")
