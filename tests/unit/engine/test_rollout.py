"""A rollback in waves on fake hosts: when the next one begins, what stops it, and what the record says then."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from rollback_ops import checks
from rollback_ops.config import Check, CommandCheck, Strategy, Verify
from rollback_ops.core.errors import BadAnswer, ConnectionLost, HostUnreachable
from rollback_ops.core.model import Hold, Note, ServiceId, ServiceState, StepReport, SwitchOrder, SwitchResult, Unit
from rollback_ops.core.plan import Plan, Selection, make_plan
from rollback_ops.core.record import Record
from rollback_ops.core.run import RunInfo
from rollback_ops.core.stored_plan import plan_hash, read_plan
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.rollback import roll_back
from rollback_ops.engine.spec import RollbackSpec
from tests.support.fake_fleet import FakeFleet
from tests.support.fakes import FakeHost, live_at, raising

HEALTH = "curl -f localhost"
AFTER: dict[str, Check] = {"health": CommandCheck(kind="command", run=HEALTH, fail_fast=True)}
VERIFY = Verify(healthy_deadline=20, min_healthy_time=0, failure_threshold=1)


class Checked(FakeHost):
    """A host whose health is that of the release that is live. ``sick``: releases that are unhealthy here.

    ``undrains``: whether the load balancer takes it back after a start. ``silent_without_questions``: whether it does
    not answer where no check asks. ``stores_plans``: whether its journal takes them.
    """

    sick: frozenset[str] = frozenset()
    undrains = True
    stores_plans = True
    silent_without_questions = False

    def record(self, run: str, notes: Mapping[str, tuple[Note, str]], line: str, hold: Hold | None = None) -> None:
        if read_plan(line) and not self.stores_plans:
            raise BadAnswer(f"{self.name}: refused")
        super().record(run, notes, line, hold)

    def switch(self, order: SwitchOrder, on_step: Callable[[StepReport], None]) -> SwitchResult:
        result = super().switch(order, on_step)
        step = StepReport("undrain", "ok" if self.undrains else "failed", 0.1, "" if self.undrains else "status 7")
        return replace(result, steps=(*result.steps, step))

    def ask(self, run: str, questions: Any = ()) -> ServiceState:
        if self.silent_without_questions and not questions:
            raise ConnectionLost(f"{self.name}: no answer")
        self.says = 1 if self.live.name in self.sick else 0
        return super().ask(run, questions)


class Stage(FakeFleet[Checked]):
    """Fake hosts ``h1`` to ``hN``, and rollbacks on them."""

    def __init__(self, count: int = 4) -> None:
        super().__init__(Checked, (f"h{number}" for number in range(1, count + 1)))
        self.runs = 0

    def roll_back(
        self,
        selection: Selection = Selection(),  # noqa: B008
        *,
        regions: Mapping[str, str] | None = None,
        dry_run: bool = False,
        wait: float | None = 0.0,
        approved: str = "",
        **said: Any,
    ) -> Record:
        self.runs += 1
        info = RunInfo(f"run-{self.runs}", "bot", "prod", "standard", "manual", "logins fail", "alice", dry_run=dry_run)
        info = replace(info, approved=approved)
        spec = RollbackSpec(
            info,
            selection,
            lambda release: checks.build(AFTER, release),
            VERIFY,
            checks.thresholds(AFTER, VERIFY),
            wait=wait,
            strategy=Strategy.model_validate(said),
            regions=regions or {},
        )
        return roll_back(spec, self.fleet(), self.listener)

    @property
    def switched(self) -> list[str]:
        """The hosts that were switched, in order."""
        return [host for host, done, _ in self.events if host in self.hosts and done == "switch"]

    @property
    def live(self) -> list[str]:
        return [host.live.name for host in self.hosts.values()]


def outcomes(record: Record) -> list[str]:
    return [host.outcome for host in record.hosts]


def waves(record: Record) -> list[tuple[int, str, str]]:
    return [(wave.number, " ".join(wave.hosts), wave.outcome) for wave in record.waves]


def test_hosts_are_changed_and_verified_wave_by_wave() -> None:
    stage = Stage()
    record = stage.roll_back(canary=1, max_parallel=2)
    assert (record.outcome, record.exit_code) == ("succeeded", 0)
    assert waves(record) == [(1, "h1", "succeeded"), (2, "h2 h3", "succeeded"), (3, "h4", "succeeded")]
    done = [
        (host, what)
        for host, what, _ in stage.events
        if host in stage.hosts and what in ("switch", "reported verified")
    ]
    assert done[:2] == [("h1", "switch"), ("h1", "reported verified")]
    assert {host for host, _ in done[2:6]} == {"h2", "h3"}
    assert done[6:] == [("h4", "switch"), ("h4", "reported verified")]
    assert all(wave.started_at and wave.finished_at for wave in record.waves)
    assert record.strategy is not None
    assert (record.strategy.hosts, record.strategy.shares[0].max_parallel, record.strategy.stopped) == (4, 2, "")


def test_without_a_strategy_the_record_has_no_waves() -> None:
    stage = Stage(1)
    record = stage.roll_back()
    assert record.waves[0].hosts == ("h1",)
    assert record.outcome == "succeeded"


def test_a_canary_that_fails_stops_it_before_any_other_host() -> None:
    stage = Stage()
    stage["h1"].sick = frozenset({"b2"})
    record = stage.roll_back(canary=1, max_failures=3)
    assert (record.outcome, record.exit_code) == ("partial", 5)
    assert outcomes(record) == ["verification_failed", "not_begun", "not_begun", "not_begun"]
    assert stage.live == ["b2", "b3", "b3", "b3"]
    assert record.strategy is not None
    assert "h1" in record.strategy.stopped
    assert record.strategy.then == "rollback-ops resume prod"


@pytest.mark.parametrize(("live", "end"), [("b3", "succeeded"), ("b2", "nothing_to_do")])
def test_a_canary_whose_lock_another_run_took_is_no_failure_of_it(live: str, end: str) -> None:
    stage = Stage()

    def taken() -> None:
        stage["h1"].ends, stage["h1"].locked = "refused", True
        stage["h1"].before = {"switch": free}
        for host in stage.hosts.values():
            host.live = live_at(live)

    def free() -> None:
        stage["h1"].ends, stage["h1"].locked = "switched", False

    stage["h1"].before = {"switch": taken}
    record = stage.roll_back(wait=60, canary=1)
    assert (record.outcome, record.exit_code) == (end, 0)
    assert [number for number, *_ in waves(record)] == ([1, 2] if end == "succeeded" else [])


def test_failures_within_the_budget_do_not_stop_it() -> None:
    stage = Stage()
    stage["h2"].sick = frozenset({"b2"})
    record = stage.roll_back(max_parallel=1, max_failures=1)
    assert outcomes(record) == ["succeeded", "verification_failed", "succeeded", "succeeded"]
    assert record.exit_code == 5


def test_a_host_that_gets_no_traffic_again_has_failed() -> None:
    stage = Stage()
    stage["h1"].undrains = False
    record = stage.roll_back(max_parallel=1)
    assert outcomes(record) == ["failed", "not_begun", "not_begun", "not_begun"]
    assert record.strategy is not None
    assert "h1" in record.strategy.stopped


def test_no_new_wave_begins_beyond_the_budget() -> None:
    stage = Stage()
    stage["h2"].ends = "refused"
    record = stage.roll_back(max_parallel=1)
    assert stage.switched == ["h1", "h2"]
    assert outcomes(record) == ["succeeded", "refused", "not_begun", "not_begun"]
    assert (record.exit_code, stage.live) == (5, ["b2", "b3", "b3", "b3"])


def test_what_is_done_goes_back_where_that_is_asked_for_and_not_all_at_once() -> None:
    stage = Stage()
    stage["h3"].sick = frozenset({"b2"})
    record = stage.roll_back(max_parallel=1, on_exceeded="restore")
    assert (record.outcome, record.exit_code) == ("restored", 3)
    assert outcomes(record) == ["restored", "restored", "restored", "not_begun"]
    assert stage.live == ["b3"] * 4
    there, first, last = stage.switched[:3], stage.switched[3:5], stage.switched[5:]
    assert (there, set(first), last) == (["h1", "h2", "h3"], {"h1", "h3"}, ["h2"]), "one healthy host at a time"
    assert record.strategy is not None
    assert record.strategy.then == "", "there is nothing to go on with"


@pytest.mark.parametrize("ends", ["not_started", "unknown", "undrained"])
def test_no_other_host_goes_back_where_one_that_was_healthy_does_not_come_back(ends: str) -> None:
    stage = Stage()
    stage["h3"].sick = frozenset({"b2"})

    def fail() -> None:
        stage["h1"].undrains = ends != "undrained"
        stage["h1"].ends = "switched" if ends == "undrained" else ends  # type: ignore[assignment]

    stage.listener.hears = {"restore": fail}
    record = stage.roll_back(max_parallel=1, on_exceeded="restore")
    assert (outcomes(record), record.exit_code) == (["failed", "succeeded", "restored", "not_begun"], 5)
    assert stage["h2"].live.name == "b2"
    assert any("h2" in warning for warning in record.warnings)


def test_a_host_that_fails_on_both_releases_keeps_no_other_from_going_back() -> None:
    stage = Stage()
    stage["h3"].sick = frozenset({"b2"})
    stage.listener.hears = {"restore": lambda: setattr(stage["h3"], "ends", "not_started")}
    record = stage.roll_back(max_parallel=1, on_exceeded="restore")
    assert outcomes(record) == ["restored", "restored", "failed", "not_begun"]


def test_hosts_that_are_down_or_fail_their_checks_go_first_together() -> None:
    stage = Stage()
    stage["h3"].units = (Unit("bot", "failed"),)
    stage["h4"].sick = frozenset({"b3"})
    stage["h3"].before = {"switch": lambda: setattr(stage["h3"], "units", (Unit("bot", "running", pid=8),))}
    record = stage.roll_back(canary=1, max_parallel=1)
    assert [(wave.role, wave.hosts) for wave in record.waves] == [
        ("unhealthy", ("h3", "h4")),
        ("canary", ("h1",)),
        ("rest", ("h2",)),
    ]
    assert record.outcome == "succeeded"


def test_a_done_host_that_becomes_unhealthy_during_a_pause_ends_it() -> None:
    stage = Stage(3)
    stage.listener.hears = {"pause": lambda: setattr(stage["h1"], "sick", frozenset({"b2"}))}
    record = stage.roll_back(max_parallel=1, pause=3600.0)
    assert outcomes(record) == ["verification_failed", "not_begun", "not_begun"]
    assert {check.name: check.outcome for check in record.hosts[0].checks}["health"] == "failed"
    assert stage.switched == ["h1"]


def test_a_done_host_that_somebody_else_deployed_to_speaks_against_no_release() -> None:
    stage = Stage(3)

    def deploy() -> None:
        stage["h1"].sick, stage["h1"].live = frozenset({"b1"}), live_at("b1")

    stage.listener.hears = {"pause": deploy}
    record = stage.roll_back(max_parallel=1, pause=3600.0)
    assert outcomes(record) == ["superseded", "not_begun", "not_begun"]
    assert (stage["h1"].mark("b2"), stage["h1"].mark("b1")) == ("", "")
    assert stage.switched == ["h1"]


def test_a_done_host_that_fails_and_then_falls_silent_has_failed_and_marks_nothing() -> None:
    """Its checks may have failed for want of a network."""
    stage = Stage(3)
    host = stage["h1"]

    def fail() -> None:
        host.sick, host.silent_without_questions = frozenset({"b2"}), True

    stage.listener.hears = {"pause": fail}
    record = stage.roll_back(max_parallel=1, pause=3600.0)
    assert outcomes(record) == ["health_unknown", "not_begun", "not_begun"]
    assert host.mark("b2") != "bad"


def test_a_host_that_cannot_be_surveyed_is_a_failure_before_anything_is_changed() -> None:
    stage = Stage()
    stage["h4"].before = {"survey": raising(HostUnreachable("h4: no route"))}
    record = stage.roll_back(max_parallel=1)
    assert (record.outcome, record.exit_code, stage.switched) == ("refused", 1, [])
    assert stage.live == ["b3"] * 4
    tolerated = Stage()
    tolerated["h4"].before = {"survey": raising(HostUnreachable("h4: no route"))}
    assert outcomes(tolerated.roll_back(max_parallel=1, max_failures=1)) == [*["succeeded"] * 3, "unreachable"]


def test_it_stops_after_the_canary_where_somebody_is_to_look() -> None:
    stage = Stage()
    record = stage.roll_back(canary=1, after_canary="stop")
    assert (outcomes(record), record.exit_code) == (["succeeded", *["not_begun"] * 3], 5)


def test_regions_go_one_after_the_other() -> None:
    stage = Stage()
    record = stage.roll_back(regions={"h1": "us", "h2": "eu", "h3": "us", "h4": "eu"}, canary=1)
    assert [(wave.region, wave.hosts) for wave in record.waves] == [
        ("us", ("h1",)),
        ("us", ("h3",)),
        ("eu", ("h2",)),
        ("eu", ("h4",)),
    ]
    assert [host.region for host in record.hosts] == ["us", "eu", "us", "eu"]


def test_an_emergency_changes_all_hosts_at_once_and_says_so() -> None:
    stage = Stage()
    record = stage.roll_back(Selection(emergency=True), canary=1, max_parallel=1, pause=3600.0)
    assert (record.exit_code, record.strategy, record.waves) == (0, None, ())
    assert any("strategy" in warning for warning in record.warnings)


def test_a_dry_run_shows_the_waves_and_changes_nothing() -> None:
    stage = Stage()
    record = stage.roll_back(dry_run=True, canary=1)
    assert (record.exit_code, stage.switched) == (0, [])
    assert waves(record) == [(1, "h1", "not_begun"), (2, "h2 h3 h4", "not_begun")]
    assert [detail for what, name, detail in stage.events if name == "strategy"] == list(record.strategy.told)  # type: ignore[union-attr]


def test_a_signal_between_waves_leaves_the_others_alone() -> None:
    stage = Stage()
    stage.listener.hears = {"pause": lambda: stage.cancellation.ask(signal.SIGTERM, 5.0)}
    record = stage.roll_back(max_parallel=2, pause=3600.0)
    assert (record.outcome, record.exit_code) == ("cancelled", 143)
    assert outcomes(record) == ["succeeded", "succeeded", "not_begun", "not_begun"]
    assert record.strategy is not None
    assert record.strategy.then == "rollback-ops resume prod"


def test_a_host_that_may_still_be_at_work_is_not_told_how_the_run_ended() -> None:
    stage = Stage(2)
    stage["h1"].ends = "unknown"
    record = stage.roll_back(canary=1)
    assert outcomes(record) == ["unknown", "not_begun"]
    assert [len(stage[name].did("record")) for name in ("h1", "h2")] == [1, 2], "both know the plan, one its end"


def test_a_killed_runner_leaves_a_record_that_says_how_far_it_came() -> None:
    stage = Stage()
    stage.roll_back(max_parallel=2)
    first, second = stage.listener.provisional
    assert outcomes(first) == ["unknown", "unknown", "not_begun", "not_begun"]
    assert outcomes(second) == ["succeeded", "succeeded", "unknown", "unknown"]


# --- resume ----------------------------------------------------------------------------------------------


def lost_runner(stage: Stage, **said: Any) -> None:
    """Begin a rollback, and lose its runner in the pause after the first wave: no record was written."""
    stage.listener.hears = {"pause": lambda: stage.cancellation.ask(signal.SIGTERM, 5.0)}
    stage.roll_back(pause=3600.0, **said)
    for host in stage.hosts.values():
        host.lines = [line for line in host.lines if "schema_version" not in line]
    stage.listener.hears = {}
    stage.cancellation = Cancellation()
    stage.events.clear()


def resume(stage: Stage, **said: Any) -> Record:
    return stage.roll_back(Selection(resume=True), **said)


def test_every_host_knows_the_plan_before_the_first_one_is_changed() -> None:
    stage = Stage()
    told: list[int] = []
    stage["h1"].before = {"switch": lambda: told.extend(len(host.lines) for host in stage.hosts.values())}
    record = stage.roll_back(max_parallel=1)
    assert told == [1, 1, 1, 1]
    assert record.plan is not None
    plans = {(plan.id, plan.hash, plan.target) for h in stage.hosts.values() if (plan := read_plan(h.lines[0]))}
    assert plans == {("run-1", record.plan.hash, "b2")}


def test_another_runner_goes_on_with_the_stored_plan() -> None:
    stage = Stage()
    lost_runner(stage, max_parallel=2)
    record = resume(stage, max_parallel=1)
    assert (record.exit_code, record.outcome) == (0, "succeeded")
    assert record.plan is not None
    assert (record.id, record.plan.id) == ("run-2", "run-1")
    assert waves(record) == [(2, "h3 h4", "succeeded")], "as it was planned, whatever the settings say now"
    assert [host for host, what, _ in stage.events if what == "reported verified"][:2] in (["h1", "h2"], ["h2", "h1"])
    assert outcomes(record) == ["nothing_to_do", "nothing_to_do", "succeeded", "succeeded"]
    assert resume(stage).outcome == "nothing_to_do", "all is done"


@pytest.mark.parametrize("is_approved", [True, False])
def test_the_rest_of_the_approved_plan_is_gone_on_with_and_that_of_no_other_one(is_approved: bool) -> None:
    stage = Stage()
    plan = make_plan([host.survey() for host in stage.hosts.values()], Selection())
    assert isinstance(plan, Plan)
    approved = plan_hash(ServiceId("bot", "prod"), plan, None)
    lost_runner(stage, max_parallel=2)
    record = resume(stage, approved=approved if is_approved else "0" * 64, max_parallel=2)
    assert (record.outcome, stage.switched) == (("succeeded", ["h3", "h4"]) if is_approved else ("refused", []))


def test_hosts_that_are_done_and_unhealthy_by_now_keep_it_from_going_on() -> None:
    stage = Stage()
    lost_runner(stage, max_parallel=2)
    stage["h2"].sick = frozenset({"b2"})
    record = resume(stage)
    assert stage.switched == []
    assert outcomes(record) == ["nothing_to_do", "verification_failed", "not_begun", "not_begun"]
    assert record.exit_code == 5


def test_it_goes_on_after_the_canary_that_somebody_has_looked_at() -> None:
    stage = Stage()
    stage.roll_back(canary=1, max_parallel=1, after_canary="stop")
    record = resume(stage)
    assert (record.exit_code, stage.live) == (0, ["b2"] * 4)
    assert [wave.number for wave in record.waves] == [2, 3, 4]


def test_a_plan_that_no_host_stored_is_gone_on_with_by_its_target() -> None:
    stage = Stage()
    for host in stage.hosts.values():
        host.stores_plans = False
    stopped = stage.roll_back(canary=1, max_parallel=3, after_canary="stop")
    assert stopped.strategy is not None
    assert stopped.strategy.then == "rollback-ops rollback prod --to b2"
    refused = resume(stage)
    assert (refused.exit_code, refused.outcome, stage.switched) == (1, "refused", ["h1"])
    assert stage.roll_back(Selection(backup="b2"), max_parallel=3).exit_code == 0
    assert stage.live == ["b2"] * 4
    assert resume(stage).outcome == "nothing_to_do", "all is done"


def test_one_host_that_stored_the_plan_is_enough_to_go_on_with_it() -> None:
    stage = Stage()
    for name in ("h1", "h2", "h4"):
        stage[name].stores_plans = False
    stopped = stage.roll_back(canary=1, max_parallel=3, after_canary="stop")
    assert stopped.strategy is not None
    assert stopped.strategy.then == "rollback-ops resume prod"
    assert (resume(stage).exit_code, stage.live) == (0, ["b2"] * 4)


def test_a_host_that_was_deployed_to_since_is_a_refusal() -> None:
    stage = Stage()
    lost_runner(stage, max_parallel=2)
    stage["h4"].live = live_at("b1")
    record = resume(stage)
    assert (record.exit_code, record.outcome, stage.switched) == (1, "refused", [])


def test_a_target_that_was_built_again_since_is_a_refusal() -> None:
    stage = Stage()
    lost_runner(stage, max_parallel=2)
    stage["h4"].releases = tuple(replace(r, revision=f"new-{r.name}") for r in stage["h4"].releases)
    record = resume(stage)
    assert (record.exit_code, stage.switched) == (1, [])


def test_a_commit_that_one_host_notes_only_the_beginning_of_is_no_other_revision() -> None:
    commits = {"b1": "1" * 40, "b2": "2" * 40, "b3": "3" * 40}
    stage = Stage()
    for name, host in stage.hosts.items():
        length = 7 if name == "h4" else 40
        host.releases = tuple(replace(r, revision=commits[r.name][:length]) for r in host.releases)
    lost_runner(stage, max_parallel=2)
    assert (resume(stage).outcome, stage.live) == ("succeeded", ["b2"] * 4)


def test_other_hosts_than_those_of_the_plan_are_a_refusal() -> None:
    for change in ("one more", "one fewer"):
        stage = Stage()
        lost_runner(stage, max_parallel=2)
        if change == "one more":
            stage.hosts["h5"] = Checked("h5", stage["h1"].releases, live_at("b3"), events=stage.events)
        else:
            del stage.hosts["h4"]
        record = resume(stage)
        assert (record.exit_code, stage.switched) == (1, []), change


def test_a_plan_that_was_changed_where_it_is_stored_is_none() -> None:
    stage = Stage()
    lost_runner(stage, max_parallel=2)
    for host in stage.hosts.values():
        host.lines = [line.replace('"b2"', '"b1"') for line in host.lines]
    assert resume(stage).outcome == "nothing_to_do"


def test_a_rollback_that_went_back_is_not_gone_on_with() -> None:
    stage = Stage()
    stage["h1"].sick = frozenset({"b2"})
    stage.roll_back(canary=1, on_exceeded="restore")
    stage["h1"].sick = frozenset()
    assert resume(stage).outcome == "nothing_to_do"
    assert stage.live == ["b3"] * 4


def test_a_new_rollback_says_which_one_it_overrides() -> None:
    stage = Stage()
    lost_runner(stage, max_parallel=2)
    record = stage.roll_back(Selection(backup="b1"), max_parallel=4)
    assert (record.exit_code, stage.live) == (0, ["b1"] * 4)
    assert any("run-1" in warning and "resume" in warning for warning in record.warnings)
    assert resume(stage).outcome == "nothing_to_do", "what was overridden is not gone on with"
