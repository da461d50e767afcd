"""The outcome and the exit code of a host and of a whole run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import combinations_with_replacement, permutations
from typing import Any, get_args

import pytest

from rollback_ops.core.errors import (
    AuthenticationFailed,
    BadAnswer,
    ConnectionLost,
    HostUnreachable,
    HostUntrusted,
    RollbackOpsError,
)
from rollback_ops.core.health import CheckResult, Finding, Verdict, Verification
from rollback_ops.core.model import Release, StepReport, Survey, SwitchOutcome, SwitchResult
from rollback_ops.core.outcome import EXIT_CODES, overall
from rollback_ops.core.plan import HostPlan, NothingToDo, Plan, Refusal, Rejected
from rollback_ops.core.record import GroupRecord, HostOutcome, Outcome, Record
from rollback_ops.core.recorder import record_of
from rollback_ops.core.run import Attempt, RunInfo, RunState
from tests.support.fakes import live_at, releases, verification

# --- all hosts together ----------------------------------------------------------------------------------

# The contract: the outcome of a run whose hosts all have this one, and its exit code.
ALONE: dict[HostOutcome, tuple[Outcome, int]] = {
    "succeeded": ("succeeded", 0),
    "nothing_to_do": ("nothing_to_do", 0),
    "refused": ("refused", 1),
    "unreachable": ("refused", 1),
    "verification_failed": ("verification_failed", 2),
    "health_unknown": ("health_unknown", 2),
    "restored": ("restored", 3),
    "failed": ("failed", 4),
    "superseded": ("superseded", 6),
    "unknown": ("failed", 4),
}


@pytest.mark.parametrize("word", ALONE)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_hosts_with_one_outcome_give_it_to_the_run(word: HostOutcome, count: int) -> None:
    outcome, code = ALONE[word]
    assert (overall([word] * count), EXIT_CODES[outcome]) == (outcome, code)


@pytest.mark.parametrize("words", list(combinations_with_replacement(ALONE, 2)))
def test_two_hosts_share_an_outcome_or_the_run_is_partial(words: tuple[HostOutcome, HostOutcome]) -> None:
    one, other = (ALONE[word][0] for word in words)
    if "nothing_to_do" in (one, other) and "refused" not in (one, other):
        expected = one if other == "nothing_to_do" else other
    elif {one, other} == {"verification_failed", "health_unknown"}:
        expected = "verification_failed"
    else:
        expected = one if one == other else "partial"
    assert {overall(spec) for spec in permutations(words)} == {expected}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("succeeded", "not_begun"), "partial"),
        (("verification_failed", "not_begun"), "partial"),
        (("unreachable", "not_begun"), "refused"),
        (("restored", "not_begun"), "restored"),
    ],
)
def test_a_wave_that_did_not_begin_makes_a_run_partial_unless_nothing_has_changed(
    words: tuple[HostOutcome, ...], expected: Outcome
) -> None:
    assert {overall(spec) for spec in permutations(words)} == {expected}


def test_every_outcome_of_a_host_is_known_to_the_table() -> None:
    assert set(get_args(HostOutcome)) == {*ALONE, "cancelled", "not_begun"}
    assert {*get_args(Outcome)} == {*EXIT_CODES, "cancelled"}
    assert all(overall([word]) in get_args(Outcome) for word in get_args(HostOutcome))


def test_a_run_succeeds_only_if_every_host_does() -> None:
    for words in combinations_with_replacement(get_args(HostOutcome), 3):
        if EXIT_CODES.get(overall(words)) == 0:
            assert set(words) <= {"succeeded", "nothing_to_do"}


def test_no_host_at_all_is_nothing_to_do() -> None:
    assert overall([]) == "nothing_to_do"


# --- one host --------------------------------------------------------------------------------------------

BEGAN = datetime(2024, 1, 2, 3, 4, 5, 678900, UTC)


def state(decision: Plan | NothingToDo | Refusal | None = None, **facts: Any) -> RunState:
    info = facts.pop("info", RunInfo("run-1", "bot", "prod", "standard", "manual", "logins fail", "alice"))
    surveys = facts.pop("surveys", {"h1": Survey("h1", releases("b1", "b2", "b3"), live_at("b3"), seconds=0.1234)})
    times: dict[str, Any] = {"started_at": BEGAN, "finished_at": BEGAN + timedelta(seconds=1.5)}
    return RunState(info, ["h1"], surveys=surveys, decision=decision, **times, **facts)


def plan(action: Any = "switch", why: str = "") -> Plan:
    return Plan("b2", "sha-b2", (HostPlan("h1", live_at("b3"), action, "b2", why),), (Rejected("b3", "it is live"),))


def attempt(ended: SwitchOutcome, healthy: bool | None = None, **facts: Any) -> Attempt:
    checks = (CheckResult("health", "http", Finding("passed" if healthy else "failed", "said"), 0.98765),)
    verified = {} if healthy is None else {"h1": Verification(healthy, 1.0, checks)}
    live = facts.pop("live", "b2")
    result = SwitchResult(ended, f"it {ended}", live, (StepReport("stop", "ok", 0.5),), downtime=0.2)
    return Attempt(plan(), switched={"h1": result}, verified=verified, **facts)


BACK: dict[str, Any] = {"goes_back": True, "live": "b3"}
ENDS: list[tuple[list[Attempt], HostOutcome, int]] = [
    ([attempt("switched", healthy=True)], "succeeded", 0),
    ([attempt("switched")], "succeeded", 0),
    ([attempt("switched", healthy=False)], "verification_failed", 2),
    ([attempt("not_started")], "failed", 4),
    ([attempt("still_starting")], "health_unknown", 2),
    ([attempt("switched", healthy=False), attempt("still_starting", **BACK)], "failed", 4),
    ([attempt("failed")], "failed", 4),
    ([attempt("put_back", live="b3")], "restored", 3),
    ([attempt("refused", live="b3")], "refused", 1),
    ([attempt("unknown", live="")], "unknown", 4),
    ([attempt("switched", healthy=False), attempt("switched", **BACK)], "restored", 3),
    ([attempt("not_started"), attempt("switched", **BACK)], "restored", 3),
    ([attempt("switched", healthy=False), attempt("not_started", **BACK)], "failed", 4),
    ([attempt("switched", healthy=False), attempt("refused", goes_back=True)], "failed", 4),
    ([attempt("switched", healthy=False), attempt("unknown", goes_back=True)], "failed", 4),
    ([attempt("switched", healthy=False), attempt("switched", healthy=True, live="b1")], "succeeded", 0),
    ([attempt("switched", healthy=False), attempt("switched", healthy=False, live="b1")], "verification_failed", 2),
]


def test_a_service_of_a_group_has_a_record_while_it_is_about_to_be_changed() -> None:
    """Another service of its step may be told of at just this moment."""
    about_to = state(plan(), attempts=[Attempt(plan())], group=GroupRecord(name="shop", run="run-1"))
    assert [host.outcome for host in record_of(about_to).hosts] == ["not_begun"]


@pytest.mark.parametrize(("attempts", "outcome", "code"), ENDS)
def test_each_course_of_a_host_has_its_outcome_and_exit_code(
    attempts: list[Attempt], outcome: HostOutcome, code: int
) -> None:
    record = record_of(state(plan(), attempts=attempts))
    (host,) = record.hosts
    assert (host.outcome, record.outcome, record.exit_code) == (outcome, ALONE[outcome][0], code)
    assert (host.from_.release, host.to.release) == ("b3", attempts[-1].switched["h1"].live or None)


@pytest.mark.parametrize(("attempts", "outcome", "code"), ENDS)
def test_a_signal_gives_the_exit_code_and_each_host_keeps_its_outcome(
    attempts: list[Attempt], outcome: HostOutcome, code: int
) -> None:
    record = record_of(state(plan(), attempts=attempts, cancelled=143))
    assert (record.outcome, record.exit_code, record.hosts[0].outcome) == ("cancelled", 143, outcome)


NOTHING_FITS = Refusal("no eligible release", "Name one.")


@pytest.mark.parametrize(
    ("facts", "outcome", "code", "detail"),
    [
        ({"decision": plan("leave", "b2 is live there already")}, "nothing_to_do", 0, "b2 is live there already"),
        ({"decision": plan("exclude", "the disk is full")}, "refused", 1, "the disk is full"),
        ({"decision": NothingToDo("b3 is no longer live")}, "nothing_to_do", 0, "b3 is no longer live"),
        ({"decision": NOTHING_FITS}, "refused", 1, NOTHING_FITS.about("h1")),
        ({"decision": Refusal("all", hosts={"h1": "mine"})}, "refused", 1, "mine"),
        ({"cancelled": 130}, "cancelled", 130, ""),
        ({"decision": plan(), "cancelled": 130}, "cancelled", 130, ""),
    ],
)
def test_a_host_that_was_not_switched_has_the_reason_as_its_detail(
    facts: dict[str, Any], outcome: HostOutcome, code: int, detail: str
) -> None:
    record = record_of(state(**facts))
    (host,) = record.hosts
    assert (host.outcome, host.detail, record.exit_code) == (outcome, detail, code)
    assert (host.from_.release, host.to.release) == ("b3", "b3")
    assert host.downtime_seconds is None


def test_an_unhealthy_host_that_was_left_alone_is_no_success() -> None:
    left = Attempt(plan("leave"), verified={"h1": verification(healthy=False)})
    record = record_of(state(plan("leave"), attempts=[left]))
    assert (record.outcome, record.exit_code) == ("verification_failed", 2)


def test_a_dry_run_is_nothing_to_do_and_names_its_target() -> None:
    info = RunInfo("run-1", "bot", "prod", "standard", "manual", "dry run", "alice", dry_run=True)
    record = record_of(state(plan(), info=info))
    assert (record.outcome, record.exit_code, record.dry_run) == ("nothing_to_do", 0, True)
    assert (record.to.release, record.to.revision) == ("b2", "sha-b2")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (HostUnreachable("h1: down"), "unreachable"),
        (HostUntrusted("h1: down"), "unreachable"),
        (AuthenticationFailed("h1: down"), "unreachable"),
        (ConnectionLost("h1: down"), "unreachable"),
        (BadAnswer("h1: down"), "refused"),
    ],
)
@pytest.mark.parametrize("decision", [Refusal("no host can be reached"), plan(), NothingToDo("no")])
def test_a_host_without_a_survey_was_not_changed(
    error: RollbackOpsError, outcome: HostOutcome, decision: Plan | NothingToDo | Refusal
) -> None:
    record = record_of(state(decision, surveys={}, lost={"h1": error}))
    (host,) = record.hosts
    assert (host.outcome, host.detail, record.outcome, record.exit_code) == (outcome, "down", "refused", 1)
    assert (host.from_.release, host.to.release) == (None, None)


# --- the record ------------------------------------------------------------------------------------------


def test_the_record_has_the_facts_of_the_run_and_its_results() -> None:
    info = RunInfo("run-1", "bot", "prod", "targeted", "workflow", "why", "alice", "https://example.org/1")
    record = record_of(state(plan(), info=info, attempts=[attempt("switched", healthy=True)], warnings=["beware"]))
    assert record.model_dump(by_alias=True, exclude={"hosts"}) == {
        "schema_version": 2,
        "id": "run-1",
        "service": "bot",
        "environment": "prod",
        "mode": "targeted",
        "dry_run": False,
        "trigger": "workflow",
        "reason": "why",
        "actor": "alice",
        "run_url": "https://example.org/1",
        "started_at": "2024-01-02T03:04:05.678Z",
        "finished_at": "2024-01-02T03:04:07.178Z",
        "duration_seconds": 1.5,
        "outcome": "succeeded",
        "exit_code": 0,
        "from": {"release": "b3", "revision": "sha-b3", "deployed_at": None},
        "to": {"release": "b2", "revision": "sha-b2", "deployed_at": None},
        "rejected": ({"release": "b3", "why": "it is live"},),
        "deployment": {"id": None, "url": None},
        "superseded_by": None,
        "hold": None,
        "plan": None,
        "approved": None,
        "strategy": None,
        "waves": (),
        "group": None,
        "services": (),
        "shard": None,
        "shards": (),
        "evidence": (),
        "scheduled": None,
        "drill": None,
        "warnings": ("beware",),
    }


def test_the_record_has_the_steps_and_checks_of_each_host_in_order() -> None:
    attempts = [attempt("switched", healthy=False), attempt("switched", healthy=True)]
    (host,) = record_of(state(plan(), attempts=attempts)).hosts
    assert [(s.name, s.seconds, s.outcome) for s in host.steps] == [
        ("find", 0.123, "ok"),
        ("stop", 0.5, "ok"),
        ("verify", 1.0, "failed"),
        ("stop", 0.5, "ok"),
        ("verify", 1.0, "ok"),
    ]
    assert [(c.name, c.kind, c.outcome, c.seconds) for c in host.checks] == [("health", "http", "passed", 0.988)]
    assert host.downtime_seconds == 0.4


def test_checks_of_a_skipped_verification_are_skipped() -> None:
    (host,) = record_of(state(plan(), attempts=[attempt("switched")], skipped=(("health", "http"),))).hosts
    assert [(s.name, s.outcome) for s in host.steps][-1] == ("verify", "skipped")
    assert [(c.name, c.outcome) for c in host.checks] == [("health", "skipped")]


def test_the_detail_of_a_release_that_does_not_start_ends_with_its_last_log_lines() -> None:
    ended = SwitchResult("not_started", "b2 does not start", "b2", log_tail=("1", "2", "3", "4"))
    record = record_of(state(plan(), attempts=[Attempt(plan(), switched={"h1": ended})]))
    assert record.hosts[0].detail.split(" | ") == ["b2 does not start", "2", "3", "4"]


def test_the_detail_of_a_failed_verification_begins_with_the_checks_that_failed() -> None:
    said: dict[str, Verdict] = {"fine": "passed", "lost": "unknown", "down": "failed"}
    checks = tuple(CheckResult(name, "http", Finding(word, f"{name} is {word}"), 0.0) for name, word in said.items())
    run = Attempt(
        plan(),
        switched={"h1": SwitchResult("switched", "", "b2")},
        verified={"h1": Verification(False, 1.0, checks)},
    )
    (host,) = record_of(state(plan(), attempts=[run], logs={"h1": ("1", "2")})).hosts
    assert host.detail.split(" | ") == ["down: down is failed", "lost: lost is unknown", "1", "2"]


def test_times_are_recorded_in_utc() -> None:
    elsewhere = BEGAN.astimezone(timezone(timedelta(hours=5, minutes=30)))
    record: Record = record_of(RunState(state().info, [], started_at=elsewhere, finished_at=elsewhere))
    assert record.started_at == "2024-01-02T03:04:05.678Z"


def test_the_rollback_starts_from_the_release_that_most_hosts_ran() -> None:
    lives = {"h1": "b2", "h2": "b3", "h3": "b3"}
    surveys = {name: Survey(name, releases("b2", "b3"), live_at(live)) for name, live in lives.items()}
    record = record_of(RunState(state().info, list(lives), surveys=surveys, decision=NothingToDo("")))
    assert (record.from_.release, record.from_.revision) == ("b3", "sha-b3")


def test_a_release_was_deployed_when_the_first_host_had_it_or_at_no_time_that_can_be_told() -> None:
    times = {"h1": {"b2": 1_700_000_060.0, "b3": 9e11}, "h2": {"b2": 1_700_000_000.0, "b3": 0.0}}
    found = {h: tuple(Release(name, created=at) for name, at in each.items()) for h, each in times.items()}
    surveys = {name: Survey(name, each, live_at("b3")) for name, each in found.items()}
    both = replace(plan(), hosts=tuple(HostPlan(name, live_at("b3"), "switch", "b2") for name in times))
    record = record_of(RunState(replace(state().info, dry_run=True), list(times), surveys=surveys, decision=both))
    assert record.to.deployed_at == "2023-11-14T22:13:20.000Z"
    assert [host.from_.deployed_at for host in record.hosts] == [None, None]
