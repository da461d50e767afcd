"""What the hosts are to remember of a rollback."""

from __future__ import annotations

import re

import pytest

from rollback_ops.core.health import Verification
from rollback_ops.core.model import Mark, Survey, SwitchOutcome, SwitchResult
from rollback_ops.core.plan import HostPlan, Plan
from rollback_ops.core.run import Attempt, RunInfo, RunState, new_run
from tests.support.fakes import live_at, releases

HEADING = RunInfo("run-1", "bot", "prod", "standard", "manual", "logins fail", "alice")


def state(live: str = "b3") -> RunState:
    surveys = {"h1": Survey("h1", releases("b1", "b2", "b3"), live_at(live))}
    return RunState(HEADING, ["h1", "h2"], surveys=surveys)


def attempt(target: str, ended: SwitchOutcome, healthy: bool | None = None, *, goes_back: bool = False) -> Attempt:
    plan = Plan(target, "", (HostPlan("h1", live_at("b3"), "switch", target),))
    verified = {} if healthy is None else {"h1": Verification(healthy, 1.0)}
    return Attempt(plan, goes_back, {"h1": SwitchResult(ended, live=target)}, verified)


@pytest.mark.parametrize(
    ("ended", "healthy", "marks"),
    [
        ("switched", True, {"b3": "bad", "b2": "good"}),
        ("switched", False, {"b3": "bad", "b2": "bad"}),
        ("switched", None, {"b3": "bad"}),
        ("not_started", None, {"b3": "bad", "b2": "bad"}),
        ("put_back", None, {}),
        ("failed", None, {}),
        ("refused", None, {}),
        ("unknown", None, {}),
    ],
)
def test_what_was_left_is_bad_and_what_was_verified_is_good(
    ended: SwitchOutcome, healthy: bool | None, marks: dict[str, Mark]
) -> None:
    told = state()
    told.attempts.append(attempt("b2", ended, healthy))
    assert told.marks("h1") == marks
    assert told.marks("h2") == {}


def test_a_release_that_was_restored_to_itself_is_marked_by_its_verification_only() -> None:
    told = state(live="b2")
    told.attempts.append(attempt("b2", "switched", healthy=True))
    assert told.marks("h1") == {"b2": "good"}


def test_each_target_that_was_not_well_is_bad_and_the_one_that_was_is_good() -> None:
    told = state()
    told.attempts += [attempt("b2", "switched", healthy=False), attempt("b1", "switched", healthy=True)]
    assert told.marks("h1") == {"b3": "bad", "b2": "bad", "b1": "good"}


def test_a_release_that_was_gone_back_to_is_not_marked() -> None:
    told = state()
    told.attempts += [attempt("b2", "switched", healthy=False), attempt("b3", "switched", goes_back=True)]
    assert told.marks("h1") == {"b2": "bad"}


@pytest.mark.parametrize(
    ("ended", "touched"),
    [("switched", True), ("not_started", True), ("put_back", True), ("failed", True), ("refused", False)],
)
def test_a_host_that_refused_was_not_touched(ended: SwitchOutcome, touched: bool) -> None:
    told = state()
    told.attempts.append(attempt("b2", ended))
    assert told.touched == (["h1"] if touched else [])


def test_runs_have_names_of_their_own_that_any_file_system_and_shell_takes() -> None:
    runs = {new_run() for _ in range(100)}
    assert len(runs) == 100
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", run) for run in runs)
