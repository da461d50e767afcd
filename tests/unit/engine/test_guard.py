"""Guard on fake hosts: when it rolls back, on which evidence, and when it changes nothing."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from rollback_ops import checks
from rollback_ops.config import Check, CommandCheck, MetricCheck, Service, Verify
from rollback_ops.core.errors import ConnectionLost, HostUnreachable
from rollback_ops.core.health import CheckResult, Finding, Thresholds, Verification
from rollback_ops.core.identity import ReleaseIdentity
from rollback_ops.core.model import Armed, AutomaticTrigger, Trigger, Unit
from rollback_ops.core.plan import Selection
from rollback_ops.core.record import HostOutcome, HostRecord, Record, ReleaseRef
from rollback_ops.core.run import RunInfo
from rollback_ops.engine.analysis.series import Series
from rollback_ops.engine.diagnosis import diagnose, objection
from rollback_ops.engine.guard import guard
from rollback_ops.engine.spec import RollbackSpec
from tests.support.fake_fleet import FakeFleet
from tests.support.fakes import FakeHost, live_at, raising, releases


def asking(**words: Any) -> dict[str, Check]:
    """Return a check that a fake host can be made to fail for one release."""
    return {"health": CommandCheck(kind="command", run="health of {release}", **words)}


UNHEALTHY = {"health of b3": 1}
# A failure of this kind is final, so that no test waits for the deadline.
AT_ONCE = asking(phase="before", trigger="verification-failed")
POLICY = Verify(healthy_deadline=20, min_healthy_time=0)
NOW = datetime(2024, 5, 6, 12, tzinfo=UTC)


class Stage(FakeFleet[FakeHost]):
    """Fake hosts, and a guard for them."""

    def __init__(self, names: tuple[str, ...] = ("h1",)) -> None:
        super().__init__(FakeHost, names)
        self.decision = ""

    def guard(
        self,
        asked: Mapping[str, Check] = AT_ONCE,
        *,
        policy: Verify = POLICY,
        max_per_day: int = 3,
        dry_run: bool = False,
        metrics: Mapping[str, MetricCheck] | None = None,
        fetch: Callable[[MetricCheck, str, float], Series] | None = None,
    ) -> Record:
        info = RunInfo("run-1", "bot", "prod", "standard", "manual", "is it healthy?", "alice", dry_run=dry_run)
        thresholds = checks.thresholds(asked, policy)
        spec = RollbackSpec(info, Selection(), lambda release: checks.build(asked, release), policy, thresholds)
        spec = replace(spec, metrics=metrics or {}, fetch=fetch)
        record, self.decision = guard(spec, self.fleet(), self.fleet, max_per_day, self.listener)
        return record

    @property
    def lives(self) -> list[str]:
        return [host.live.name for host in self.hosts.values()]


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def two() -> Stage:
    return Stage(("h1", "h2"))


def restarting(host: FakeHost, release: str) -> Callable[[], None]:
    """Return an action that restarts the service while this release is live: a final failure, without a wait."""

    def act() -> None:
        if host.live.name == release:
            host.units = (Unit("bot", "running", pid=len(host.events)),)

    return act


def on_the_second(act: Callable[[], None]) -> Callable[[], None]:
    """Return an action that does nothing the first time."""
    times: list[None] = []

    def acting() -> None:
        times.append(None)
        if len(times) > 1:
            act()

    return acting


# --- healthy ---------------------------------------------------------------------------------------------


def test_a_healthy_release_is_marked_good_and_left_alone(stage: Stage) -> None:
    record = stage.guard()
    assert (record.outcome, record.exit_code, record.trigger) == ("nothing_to_do", 0, "manual")
    assert (record.from_.release, record.hosts[0].to.release) == ("b3", "b3")
    assert [check.outcome for check in record.hosts[0].checks] == ["passed", "passed"]
    assert (stage.lives, stage["h1"].mark("b3")) == (["b3"], "good")
    assert stage["h1"].did("switch") == []
    assert stage["h1"].lines == [""], "the journal has no record of a rollback"


def test_a_good_mark_that_cannot_be_written_is_a_warning(stage: Stage) -> None:
    stage["h1"].before = {"record": raising(HostUnreachable("no answer within 5 s"))}
    record = stage.guard()
    (warning,) = record.warnings
    assert record.exit_code == 0
    assert warning.startswith("h1: ")
    assert "no answer within 5 s" in warning


# --- armed -----------------------------------------------------------------------------------------------

ARMED = Armed("arm-1", "b2", "2099-01-01T00:00:00Z", "ana")


def test_an_armed_host_with_a_healthy_release_is_confirmed(two: Stage) -> None:
    two["h2"].armed = ARMED
    record = two.guard()
    assert (record.exit_code, two.decision) == (0, "healthy")
    assert (two["h1"].did("confirm"), two["h2"].did("confirm")) == ([], [""])


def disarmed(host: FakeHost) -> None:
    host.armed = None


def gone_back(host: FakeHost) -> None:
    host.armed, host.live = None, live_at("b2")


def unreachable(host: FakeHost) -> None:
    raise HostUnreachable("h2: no route")


@pytest.mark.parametrize("happens", [disarmed, unreachable])
def test_a_host_that_could_not_be_confirmed_decides_nothing(two: Stage, happens: Callable[[FakeHost], None]) -> None:
    two["h2"].armed, two["h2"].before = ARMED, {"confirm": lambda: happens(two["h2"])}
    record = two.guard()
    assert (record.outcome, record.exit_code, two.decision) == ("refused", 1, "unknown")
    assert [host.mark("b3") for host in two.hosts.values()] == ["good", ""]
    assert any(warning.startswith("h2: ") for warning in record.warnings)


def test_a_host_that_went_back_before_it_could_be_confirmed_is_superseded(two: Stage) -> None:
    two["h2"].armed, two["h2"].before = ARMED, {"confirm": lambda: gone_back(two["h2"])}
    record = two.guard()
    assert (record.outcome, record.exit_code, two.decision) == ("superseded", 6, "unknown")
    assert [host.mark("b3") for host in two.hosts.values()] == ["good", ""]


@pytest.mark.parametrize(
    ("until", "told"), [("2099-01-01T00:00:00Z", False), ("2024-01-01T00:00:00Z", True), ("soon", False)]
)
def test_a_host_that_may_go_back_before_the_metrics_decide_is_said_before_they_are_watched(
    since_eleven_minutes: Stage, until: str, told: bool
) -> None:
    stage = since_eleven_minutes
    stage["h1"].armed = replace(ARMED, until=until)
    record = stage.guard(metrics={"errors": METRIC}, fetch=stored(4))
    assert ("armed" in stage.listener.phases, any(until in warning for warning in record.warnings)) == (told, told)


# --- unhealthy -------------------------------------------------------------------------------------------


def test_an_unhealthy_release_is_rolled_back_with_the_evidence_and_exit_code_2(stage: Stage) -> None:
    stage["h1"].answers = UNHEALTHY
    record = stage.guard()
    assert (record.outcome, record.exit_code, record.trigger) == ("succeeded", 2, "verification-failed")
    assert (record.from_.release, record.to.release, stage.lives) == ("b3", "b2", ["b2"])
    assert all(part in record.reason for part in ("b3", "h1", "health", "exit status 1: what it said"))
    assert (stage["h1"].mark("b3"), stage["h1"].mark("b2")) == ("bad", "good")
    assert [check.outcome for check in record.hosts[0].checks] == ["passed"], (
        "the checks of the release that is live now"
    )


def test_the_journal_has_the_same_record_and_the_order_the_same_trigger(stage: Stage) -> None:
    stage["h1"].answers = UNHEALTHY
    record = stage.guard()
    assert json.loads(stage["h1"].lines[-1]) == record.model_dump(mode="json", by_alias=True)
    intent = json.loads(stage["h1"].orders[0].intent)
    assert (intent["trigger"], intent["reason"]) == (record.trigger, record.reason)


@pytest.mark.parametrize(
    ("units", "evidence"),
    [
        ((Unit("bot", "failed", detail="exit-code"),), ["failed", "exit-code"]),
        ((Unit("web", "running", pid=7), Unit("bot", "stopped")), ["stopped"]),
    ],
)
def test_a_stopped_service_is_a_process_crash(stage: Stage, units: tuple[Unit, ...], evidence: list[str]) -> None:
    stage["h1"].units = units
    record = stage.guard()
    assert (record.trigger, record.exit_code, stage.lives) == ("process-crash", 4, ["b2"]), "b2 does not run either"
    assert all(part in record.reason for part in ("b3", "h1", "process", "bot", *evidence))
    assert "web" not in record.reason


@pytest.mark.parametrize("trigger", ["database-unreachable", "log-error", "health-timeout"])
def test_a_check_may_set_its_own_trigger(stage: Stage, trigger: AutomaticTrigger) -> None:
    stage["h1"].answers = UNHEALTHY
    record = stage.guard(asking(phase="before", trigger=trigger))
    assert (record.trigger, record.exit_code) == (trigger, 2)
    assert all(part in record.reason for part in ("b3", "h1", "health"))


def test_an_invalid_configuration_is_rolled_back_although_the_service_still_runs(stage: Stage) -> None:
    stage["h1"].answers = UNHEALTHY
    record = stage.guard(asking(phase="before"))
    assert (record.trigger, record.outcome, stage.lives) == ("config-invalid", "succeeded", ["b2"])


def test_one_unhealthy_host_rolls_all_hosts_back(two: Stage) -> None:
    two["h2"].answers = UNHEALTHY
    record = two.guard()
    assert (record.outcome, record.exit_code, two.lives) == ("succeeded", 2, ["b2", "b2"])
    assert all(part in record.reason for part in ("h2", "health", "exit status 1: what it said"))
    assert "h1" not in record.reason


def test_only_the_hosts_that_run_the_release_are_rolled_back(two: Stage) -> None:
    two["h1"].live = live_at("b1")
    two["h2"].answers = UNHEALTHY
    record = two.guard()
    assert [host.outcome for host in record.hosts] == ["nothing_to_do", "succeeded"]
    assert two.lives == ["b1", "b2"]
    assert two["h1"].did("switch") == []


@pytest.mark.parametrize(
    ("on_failure", "code", "live"), [("report", 2, "b2"), ("restore", 3, "b3"), ("older", 2, "b1")]
)
def test_the_policy_decides_what_follows_an_unhealthy_older_release(
    stage: Stage, on_failure: Literal["report", "restore", "older"], code: int, live: str
) -> None:
    stage["h1"].answers = UNHEALTHY
    stage["h1"].before = {"ask": restarting(stage["h1"], "b2")}
    record = stage.guard(policy=Verify(healthy_deadline=20, min_healthy_time=0.1, on_failure=on_failure))
    assert (record.exit_code, record.trigger, stage.lives) == (code, "verification-failed", [live])


# --- changes nothing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("answers", [UNHEALTHY, {}])
def test_a_release_that_is_no_longer_live_is_neither_rolled_back_nor_marked(
    stage: Stage, answers: Mapping[str, int]
) -> None:
    host = stage["h1"]
    host.answers = answers

    def somebody_else_rolls_back() -> None:
        host.live = live_at("b2")

    host.before = {"ask": somebody_else_rolls_back}
    record = stage.guard()
    assert (record.outcome, record.exit_code, stage.decision) == ("superseded", 6, "unknown")
    assert (record.from_.release, record.hosts[0].to.release) == ("b3", "b2")
    assert (host.did("switch"), host.did("record")) == ([], [])


def test_one_release_is_never_rolled_back_automatically_twice(stage: Stage) -> None:
    stage["h1"].answers = UNHEALTHY
    first = stage.guard()
    stage["h1"].live = live_at("b3")

    record = stage.guard()

    assert (record.outcome, record.exit_code, stage.lives) == ("refused", 1, ["b3"])
    assert first.id in record.hosts[0].detail
    (warning,) = record.warnings
    assert all(part in warning for part in ("h1", "health", "exit status 1: what it said"))
    assert len(stage["h1"].did("switch")) == 1


def test_no_more_than_max_per_day_rollbacks_are_started(stage: Stage) -> None:
    now = datetime.now(UTC)
    stage["h1"].lines = [earlier(f"a{hours}", hours=hours, now=now).line() for hours in (1, 2)]
    stage["h1"].answers = UNHEALTHY
    refused = stage.guard(max_per_day=2)
    assert (refused.exit_code, stage.lives) == (1, ["b3"])
    assert "max_per_day" in refused.hosts[0].detail
    assert stage.guard(max_per_day=3).exit_code == 2
    assert stage.lives == ["b2"]


def test_a_host_that_is_lost_during_the_watch_is_unknown_and_nothing_is_rolled_back(two: Stage) -> None:
    lost = raising(ConnectionLost("the connection ended"))
    two["h2"].before = {"ask": lost, "survey": on_the_second(lost)}
    record = two.guard(policy=Verify(healthy_deadline=0.3, min_healthy_time=0))
    assert (record.outcome, record.exit_code, two.lives) == ("refused", 1, ["b3", "b3"])
    assert "b3" in record.hosts[0].detail
    assert any(all(part in warning for part in ("h2", "health", "the connection ended")) for warning in record.warnings)
    assert two["h1"].mark("b3") == "", "it is not known to be good"


def test_a_host_that_is_lost_after_it_failed_does_not_roll_the_others_back(two: Stage) -> None:
    two["h2"].answers = UNHEALTHY
    two["h2"].before = {"survey": on_the_second(raising(HostUnreachable("no answer within 5 s")))}
    record = two.guard()
    assert (record.exit_code, two.lives) == (1, ["b3", "b3"])


def test_a_release_of_unknown_health_is_neither_marked_good_nor_rolled_back(stage: Stage) -> None:
    stage["h1"].units = (Unit("bot", "unknown"),)
    record = stage.guard({}, policy=Verify(healthy_deadline=0.3, min_healthy_time=0))
    assert (record.outcome, record.exit_code, stage.lives) == ("refused", 1, ["b3"])
    assert stage["h1"].mark("b3") == ""
    (warning,) = record.warnings
    assert all(part in warning for part in ("h1", "process", "bot"))


def test_an_unreachable_host_is_refused(stage: Stage) -> None:
    stage["h1"].before = {"survey": raising(HostUnreachable("h1: no answer within 5 s"))}
    record = stage.guard()
    assert (record.outcome, record.exit_code) == ("refused", 1)
    assert (record.hosts[0].outcome, record.hosts[0].detail) == ("unreachable", "no answer within 5 s")


def test_healthy_hosts_are_marked_good_although_another_is_unreachable(two: Stage) -> None:
    two["h2"].before = {"survey": raising(HostUnreachable("no answer within 5 s"))}
    record = two.guard()
    assert (record.outcome, record.exit_code) == ("partial", 5)
    assert [host.outcome for host in record.hosts] == ["nothing_to_do", "unreachable"]
    assert (two["h1"].mark("b3"), two.lives) == ("good", ["b3", "b3"])


def test_without_a_live_release_nothing_is_rolled_back(stage: Stage) -> None:
    stage["h1"].live = replace(live_at(""), state="dangling", path="/gone")
    stage["h1"].units = (Unit("bot", "failed"),)
    record = stage.guard({})
    assert (record.outcome, record.exit_code) == ("refused", 1)
    assert record.hosts[0].detail
    assert stage["h1"].did("switch") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_watch_ends_it_with_nothing_changed(stage: Stage, number: int) -> None:
    stage["h1"].answers = UNHEALTHY
    stage["h1"].before = {"ask": lambda: stage.cancellation.ask(number, 5)}
    record = stage.guard(asking())
    assert (record.outcome, record.exit_code, stage.lives) == ("cancelled", 128 + number, ["b3"])
    assert not {"switch", "record"} & {what for _, what, _ in stage.events}


def test_a_first_deployment_is_refused(stage: Stage) -> None:
    stage["h1"].releases = releases("b3")
    stage["h1"].answers = UNHEALTHY
    record = stage.guard()
    assert (record.outcome, record.exit_code, record.trigger) == ("refused", 1, "verification-failed")
    assert "first deployment" in record.hosts[0].detail
    assert stage.lives == ["b3"]


@pytest.mark.parametrize("answers", [{}, UNHEALTHY], ids=["healthy", "unhealthy"])
def test_a_dry_run_shows_its_target_and_marks_nothing(stage: Stage, answers: dict[str, int]) -> None:
    stage["h1"].answers = answers
    record = stage.guard(dry_run=True)
    expected = ("refused", 1, "left_alone") if answers else ("nothing_to_do", 0, "healthy")
    assert (record.outcome, record.exit_code, stage.decision) == expected
    assert not {"switch", "record"} & {what for _, what, _ in stage.events}


# --- the verdict -----------------------------------------------------------------------------------------

FROM_CAUSE_TO_EFFECT: tuple[AutomaticTrigger, ...] = (
    "config-invalid",
    "database-unreachable",
    "process-crash",
    "log-error",
    "health-timeout",
    "verification-failed",
)
PACES = {name: Thresholds() for name in "abc"}


def verification(**findings: Finding) -> Verification:
    return Verification(
        False, 1.0, tuple(CheckResult(name, "http", finding, 0.0) for name, finding in findings.items())
    )


def failed(trigger: AutomaticTrigger) -> Finding:
    return Finding("failed", f"shows {trigger}", trigger=trigger)


NO_ANSWER = Finding("unknown", "no answer", trigger="health-timeout")
UNASKED = Finding("unknown", "the connection ended")
PASSED = Finding("passed")


@pytest.mark.parametrize(("one", "other"), list(permutations(FROM_CAUSE_TO_EFFECT, 2)))
def test_the_trigger_is_the_finding_nearest_to_the_cause(one: AutomaticTrigger, other: AutomaticTrigger) -> None:
    verdict = diagnose({"h1": verification(a=failed(one), b=failed(other), c=PASSED)}, PACES)
    cause, effect = sorted((one, other), key=FROM_CAUSE_TO_EFFECT.index)
    assert verdict.trigger == cause
    assert [words.partition("shows ")[2] for words in verdict.evidence] == [cause, effect]


def test_a_check_without_an_answer_is_no_evidence_beside_a_failed_one() -> None:
    thresholds = {**PACES, "b": Thresholds(trigger="database-unreachable")}
    verdict = diagnose({"h1": verification(a=failed("process-crash"), b=NO_ANSWER, c=UNASKED)}, thresholds)
    (evidence,) = verdict.evidence
    assert verdict.trigger == "process-crash"
    assert all(part in evidence for part in ("h1", "a", "shows process-crash"))


def test_a_check_that_never_answered_is_a_health_timeout() -> None:
    verdict = diagnose({"h1": verification(a=NO_ANSWER, b=PASSED)}, PACES)
    (evidence,) = verdict.evidence
    assert (verdict.trigger, evidence.startswith("h1: a")) == ("health-timeout", True)


def test_a_check_that_failed_for_a_while_and_passed_too_late_is_a_health_timeout() -> None:
    late = Verification(
        False, 20.0, (CheckResult("a", "http", PASSED, 15.0, setbacks=2), CheckResult("b", "http", PASSED, 0.1))
    )
    verdict = diagnose({"h1": late}, PACES)
    (evidence,) = verdict.evidence
    assert (verdict.trigger, evidence.startswith("h1: a")) == ("health-timeout", True)


def test_checks_that_passed_but_too_slowly_are_no_reason_to_roll_back() -> None:
    verdict = diagnose({"h1": verification(a=PASSED, b=PASSED)}, PACES)
    assert (verdict.trigger, len(verdict.evidence)) == (None, 1)


def test_a_check_that_could_not_run_proves_nothing() -> None:
    verdict = diagnose({"h1": verification(a=UNASKED, b=PASSED), "h2": Verification(False, 0.0)}, PACES)
    first, second = verdict.evidence
    assert (verdict.trigger, first.startswith("h1: a"), "the connection ended" in first) == (None, True, True)
    assert second.startswith("h2: ")


def test_a_healthy_host_gives_no_evidence() -> None:
    healthy = Verification(True, 1.0, (CheckResult("a", "http", failed("log-error"), 0.0),))
    verdict = diagnose({"h1": healthy, "h2": verification(a=failed("health-timeout"))}, PACES)
    (evidence,) = verdict.evidence
    assert all(part in evidence for part in ("h2", "a", "shows health-timeout"))


@pytest.mark.parametrize("trigger", ["manual", "workflow", "deploy-failed"])
def test_a_check_cannot_have_a_trigger_of_people_and_scripts(trigger: str) -> None:
    with pytest.raises(ValidationError, match="trigger"):
        CommandCheck.model_validate({"kind": "command", "run": "true", "trigger": trigger})


def test_a_check_that_could_never_pass_in_time_is_refused() -> None:
    late = {"kind": "command", "run": "true", "min_healthy_time": "70s", "healthy_deadline": "90s"}
    with pytest.raises(ValidationError, match=r"checks\.late\.healthy_deadline.*90s"):
        Service.model_validate({"root": "/srv/bot", "checks": {"late": late}})


# --- how often -------------------------------------------------------------------------------------------


def earlier(release: str, trigger: Trigger = "log-error", *, hours: float = 1, now: datetime = NOW) -> Record:
    moment = (now - timedelta(hours=hours)).isoformat()
    return Record(
        id=f"run-of-{release}",
        service="bot",
        environment="prod",
        mode="standard",
        trigger=trigger,
        reason="because",
        actor="alice",
        started_at=moment,
        finished_at=moment,
        duration_seconds=1.0,
        outcome="succeeded",
        exit_code=2,
        from_=ReleaseRef(release=release),
    )


@pytest.mark.parametrize(
    ("records", "parts"),
    [
        ([], []),
        ([earlier("b2")], []),
        ([earlier("b3", "deploy-failed", hours=900)], ["b3", "run-of-b3"]),
        ([earlier("b3", "manual"), earlier("b3", "workflow")], []),
        ([earlier("b1"), earlier("b2", "health-timeout")], ["2", "max_per_day"]),
        ([earlier("b1"), earlier("b2", "manual")], []),
        ([earlier("b1"), earlier("b2", hours=23.9)], ["2", "max_per_day"]),
        ([earlier("b1"), earlier("b2", hours=24)], []),
    ],
)
def test_an_automatic_rollback_never_repeats_and_is_limited_per_day(records: list[Record], parts: list[str]) -> None:
    found = objection({"h1": records, "h2": records}, {"h1": ReleaseIdentity("b3")}, "b3", NOW, 2)
    assert bool(found) == bool(parts)
    assert all(part in found for part in parts)


@pytest.mark.parametrize(
    ("outcome", "failing", "again"),
    [
        ("succeeded", ["h1"], True),
        ("succeeded", ["h2"], False),
        ("succeeded", ["h2", "h1"], True),
        ("restored", ["h1"], True),
        ("failed", ["h1"], True),
        ("nothing_to_do", ["h1"], False),
        ("refused", ["h1"], False),
        ("unreachable", ["h1"], False),
    ],
)
def test_a_host_that_was_left_alone_still_has_its_own_automatic_rollback(
    outcome: HostOutcome, failing: list[str], again: bool
) -> None:
    """And one that was switched has no second one, whatever became of the first."""
    b3 = ReleaseRef(release="b3")
    hosts = (HostRecord(host="h1", outcome=outcome, from_=b3), HostRecord(host="h2", outcome="unreachable", from_=b3))
    before = earlier("b3").model_copy(update={"hosts": hosts})
    assert (
        bool(objection({"h1": [before], "h2": [before]}, dict.fromkeys(failing, ReleaseIdentity("b3")), "b3", NOW, 5))
        == again
    )


def test_the_release_that_most_hosts_ran_is_not_the_one_that_was_rolled_back() -> None:
    """Two hosts ran b2 and were left alone; h3 left b3, which is live there again."""
    b2, b3 = ReleaseRef(release="b2"), ReleaseRef(release="b3")
    hosts = [HostRecord(host=f"h{n}", outcome="nothing_to_do", from_=b2, to=b2) for n in (1, 2)]
    hosts.append(HostRecord(host="h3", outcome="succeeded", from_=b3, to=b2))
    before = earlier("b2").model_copy(update={"hosts": tuple(hosts)})
    assert objection({"h3": [before]}, {"h3": ReleaseIdentity("b3")}, "b3", NOW, 5)
    assert not objection({"h1": [before]}, {"h1": ReleaseIdentity("b2")}, "b2", NOW, 5)


@pytest.mark.parametrize(
    ("live", "again"),
    [
        (ReleaseIdentity("3", "aaa"), True),
        (ReleaseIdentity("3", "bbb"), False),
        (ReleaseIdentity("4", "aaa"), False),
        (ReleaseIdentity("3"), True),
        (ReleaseIdentity("3", "", 1704067200.0), True),
        (ReleaseIdentity("3", "", 1704153600.0), False),
    ],
)
def test_another_release_of_the_same_name_was_not_rolled_back_before(live: ReleaseIdentity, again: bool) -> None:
    """Deployment tools that count use a name again."""
    revision = None if live.made else "aaa"
    left = ReleaseRef(release="3", revision=revision, deployed_at="2024-01-01T00:00:00Z")
    hosts = (HostRecord(host="h1", outcome="succeeded", from_=left, to=ReleaseRef(release="2")),)
    before = earlier("3").model_copy(update={"hosts": hosts})
    assert bool(objection({"h1": [before]}, {"h1": live}, live.name, NOW, 5)) == again


@pytest.mark.parametrize("words", [{"environment": "test"}, {"service": "web"}])
def test_automatic_rollbacks_of_others_on_the_same_root_do_not_count(stage: Stage, words: dict[str, str]) -> None:
    now = datetime.now(UTC)
    others = [earlier(release, now=now).model_copy(update=words) for release in ("b1", "b2", "b3")]
    stage["h1"].lines = [record.line() for record in others]
    stage["h1"].answers = UNHEALTHY
    assert stage.guard(max_per_day=1).exit_code == 2
    assert stage.lives == ["b2"]


@pytest.mark.parametrize(
    "changed", [{"started_at": "2024-05-06T11:00:00"}, {"duration_seconds": 1e300}, {"schema_version": 9}]
)
def test_a_line_that_makes_no_sense_does_not_keep_an_unhealthy_release_live(
    stage: Stage, changed: dict[str, Any]
) -> None:
    forged = earlier("b3", now=datetime.now(UTC)).model_dump(mode="json", by_alias=True) | changed
    stage["h1"].lines = [json.dumps(forged)]
    stage["h1"].answers = UNHEALTHY
    assert (stage.guard().exit_code, stage.lives) == (2, ["b2"])


# --- metrics ---------------------------------------------------------------------------------------------

METRIC = MetricCheck(
    kind="metric", source="prometheus", baseline="before", url="http://p:9090", errors="errors", total="total"
)


def stored(failing: float) -> Callable[[MetricCheck, str, float], Series]:
    """Return an hour of half a percent of errors, and then eleven minutes with so many a tick."""

    def fetch(check: MetricCheck, query: str, seconds: float) -> Series:
        samples, value, now = [], 0.0, time.time()
        for number in range(int(seconds // 15)):
            at = now - seconds + number * 15
            value += 750 if query == "total" else failing if at > now - 670 else 4
            samples.append((at, value))
        return [samples]

    return fetch


@pytest.fixture
def since_eleven_minutes(stage: Stage) -> Stage:
    live_since = time.time() - 670
    host = stage["h1"]
    host.releases = tuple(replace(r, live_since=live_since if r.name == "b3" else 1.0) for r in host.releases)
    return stage


def test_a_release_that_is_worse_by_a_metric_is_rolled_back_with_the_evidence(since_eleven_minutes: Stage) -> None:
    stage = since_eleven_minutes
    record = stage.guard(metrics={"errors": METRIC}, fetch=stored(40))
    assert (stage.lives, stage.decision, record.exit_code) == (["b2"], "rolled_back", 2)
    assert record.trigger == "metric-degraded"
    (evidence,) = record.evidence
    assert (evidence.check, evidence.verdict, evidence.needed) == ("errors", "worse", 200)
    assert evidence.e_worse >= 200
    assert stage["h1"].mark("b3") == "bad"
    assert json.loads(stage["h1"].lines[-1])["evidence"][0]["verdict"] == "worse"


def test_a_release_that_is_not_worse_by_a_metric_is_marked_good(since_eleven_minutes: Stage) -> None:
    stage = since_eleven_minutes
    record = stage.guard(metrics={"errors": METRIC}, fetch=stored(4))
    assert (stage.lives, stage.decision, record.exit_code) == (["b3"], "healthy", 0)
    assert [each.verdict for each in record.evidence] == ["not_worse"]
    assert stage["h1"].mark("b3") == "good"


def test_an_undecided_metric_rolls_nothing_back_and_marks_nothing(since_eleven_minutes: Stage) -> None:
    stage = since_eleven_minutes
    shorter = METRIC.model_copy(update={"window": 0.02, "tick": 0.01, "warm_up": 0.0})
    record = stage.guard(metrics={"errors": shorter}, fetch=lambda *_: [])
    assert (stage.lives, stage.decision, record.exit_code) == (["b3"], "unknown", 1)
    assert [each.verdict for each in record.evidence] == ["undecided"]
    assert stage["h1"].mark("b3") == ""
    assert any("errors: undecided" in warning for warning in record.warnings)


def test_a_release_that_somebody_replaced_while_metrics_were_watched_is_not_marked(since_eleven_minutes: Stage) -> None:
    stage, fetch = since_eleven_minutes, stored(4)

    def replacing(check: MetricCheck, query: str, seconds: float) -> Series:
        stage["h1"].live = live_at("b2")
        return fetch(check, query, seconds)

    record = stage.guard(metrics={"errors": METRIC}, fetch=replacing)
    assert (record.outcome, record.exit_code, stage.decision) == ("superseded", 6, "unknown")
    assert [stage["h1"].mark(release) for release in ("b2", "b3")] == ["", ""]


def test_a_host_that_does_not_answer_after_the_metrics_is_neither_healthy_nor_marked(
    since_eleven_minutes: Stage,
) -> None:
    stage = since_eleven_minutes
    stage["h1"].before = {"survey": on_the_second(raising(HostUnreachable("h1: no route")))}
    record = stage.guard(metrics={"errors": METRIC}, fetch=stored(4))
    assert (record.exit_code, stage.decision, stage["h1"].mark("b3")) == (1, "unknown", "")
    assert any("no route" in warning for warning in record.warnings)


def test_a_release_whose_checks_fail_is_rolled_back_without_a_look_at_metrics(stage: Stage) -> None:
    stage["h1"].answers = UNHEALTHY
    record = stage.guard(metrics={"errors": METRIC}, fetch=lambda *_: pytest.fail("it was asked"))
    assert (stage.lives, record.trigger, record.evidence) == (["b2"], "verification-failed", ())


def test_what_a_metric_had_rolled_back_is_not_rolled_back_again(since_eleven_minutes: Stage) -> None:
    stage = since_eleven_minutes
    stage.guard(metrics={"errors": METRIC}, fetch=stored(40))
    stage["h1"].live = live_at("b3")
    stage.guard(metrics={"errors": METRIC}, fetch=stored(40))
    assert (stage.lives, stage.decision) == (["b3"], "left_alone")
