"""A drill on fake hosts: both ways are verified, and whatever happens, what was live is live again."""

from __future__ import annotations

import signal
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from rollback_ops import checks
from rollback_ops.config import Check, CommandCheck, Strategy, Verify
from rollback_ops.core.errors import HostUnreachable
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import Armed, Lease, OpenDrill, OpenTransaction, ServiceState, Unit
from rollback_ops.core.plan import Selection
from rollback_ops.core.record import Record
from rollback_ops.core.run import RunInfo
from rollback_ops.core.statistics import statistics
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.drill import drill
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.rollback import roll_back
from rollback_ops.engine.spec import RollbackSpec
from tests.support.fake_fleet import FakeFleet
from tests.support.fakes import NOWHERE, FakeHost, live_at, raising, releases

AT_ONCE = Verify(healthy_deadline=20, min_healthy_time=0)
HEALTH: dict[str, Check] = {"health": CommandCheck(kind="command", run="curl -f localhost/{release}", fail_fast=True)}


@dataclass
class Sick(FakeHost):
    """A host that keeps intents as the agent does.

    Its checks fail while a ``sick`` release is live; a ``dead`` one does not start.
    """

    sick: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()

    def ask(self, run: str, questions: Any = ()) -> ServiceState:
        self.says = 1 if self.live.name in self.sick else 0
        return super().ask(run, questions)

    def switch(self, order: Any, on_step: Any) -> Any:
        if self.drill and self.live.name != self.drill.target:
            self.drill = None
        if '"trigger":"drill"' in order.intent and not self.drill:
            self.drill = OpenDrill(order.run, self.live.name, order.target)
        self.ends = "not_started" if order.target in self.dead else "switched"
        return super().switch(order, on_step)


class Stage(FakeFleet[Sick]):
    """Fake hosts, and a drill on them."""

    def __init__(self, names: tuple[str, ...] = ("h1",)) -> None:
        super().__init__(Sick, names)

    def _begin(self, **more: Any) -> tuple[RollbackSpec, Fleet]:
        info = RunInfo(f"run-{len(self.events)}", "bot", "prod", "standard", "drill", "automatic: drill", "alice")
        spec = RollbackSpec(
            info,
            Selection(automatic=True),
            lambda release: checks.build(HEALTH, release),
            AT_ONCE,
            checks.thresholds(HEALTH, AT_ONCE),
            wait=0.0,
            **more,
        )
        return spec, self.fleet()

    def drill(self, **more: Any) -> Record:
        return drill(*self._begin(**more))

    def resume(self) -> Record:
        self.cancellation = Cancellation()
        spec, fleet = self._begin()
        info = replace(spec.info, trigger="manual", reason="resume")
        return roll_back(replace(spec, info=info, selection=Selection(resume=True)), fleet, self.listener)

    @property
    def lives(self) -> set[str]:
        return {host.live.name for host in self.hosts.values()}

    @property
    def switched(self) -> list[str]:
        return [about for host, done, about in self.events if host in self.hosts and done == "switch"]


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def two() -> Stage:
    return Stage(("h1", "h2"))


def test_a_drill_goes_back_and_forward_and_verifies_both(two: Stage) -> None:
    record = two.drill()
    assert (record.outcome, record.exit_code, record.trigger) == ("succeeded", 0, "drill"), record.hosts
    assert (record.from_.release, record.to.release, two.lives) == ("b3", "b2", {"b3"})
    assert two.switched == ["b2", "b2", "b3", "b3"]
    assert two.listener.phases == ["survey", "plan", "switch", "verify", "switch", "verify"]
    assert record.drill
    assert [(way.way, way.release) for way in record.drill.ways] == [("back", "b2"), ("forward", "b3")]
    assert all(way.seconds_to_healthy is not None and way.downtime_seconds == 0.2 for way in record.drill.ways)
    assert not record.rolled_back


def test_a_drill_marks_nothing_and_holds_nothing(stage: Stage) -> None:
    before = stage.hosts["h1"].releases
    record = stage.drill()
    assert (record.hold, stage.hosts["h1"].holds, stage.hosts["h1"].releases) == (None, (), before)


def test_a_drill_that_finds_the_target_unhealthy_puts_the_live_release_back_and_marks_nothing(two: Stage) -> None:
    two.hosts["h2"].sick = ("b2",)
    before = two.hosts["h2"].releases
    record = two.drill()
    assert (record.outcome, record.exit_code, two.lives) == ("partial", 5, {"b3"})
    assert {host.host: host.outcome for host in record.hosts} == {"h1": "succeeded", "h2": "restored"}
    assert two.hosts["h2"].releases == before
    assert record.drill
    assert record.drill.ways[0].seconds_to_healthy is None


def test_a_target_that_does_not_start_is_left_again(stage: Stage) -> None:
    stage.hosts["h1"].dead = ("b2",)
    record = stage.drill()
    assert (stage.lives, stage.switched) == ({"b3"}, ["b2", "b3"])
    assert (record.outcome, record.exit_code) == ("restored", 3)


def test_a_signal_on_the_way_ends_the_drill_where_it_started(stage: Stage) -> None:
    stage.listener.hears = {"verify": lambda: stage.cancellation.ask(signal.SIGTERM, 20.0)}
    record = stage.drill()
    assert (record.outcome, record.exit_code, stage.lives) == ("cancelled", 143, {"b3"})
    assert stage.switched == ["b2", "b3"]


def test_a_signal_before_the_first_change_changes_nothing(stage: Stage) -> None:
    stage.listener.hears = {"plan": lambda: stage.cancellation.ask(signal.SIGINT, 20.0)}
    record = stage.drill()
    assert (record.exit_code, stage.switched) == (130, [])


@pytest.mark.parametrize(
    "more",
    [
        {"armed": Armed("run-0", "b2", "12:30")},
        {"lease": Lease("run-0", "carol")},
        {"live": live_at("b2")},
        {"live": NOWHERE},
        {"sick": ("b3",)},
        {"unfinished": OpenTransaction("run-0", "/srv/bot/releases/b3", "b2")},
        {"units": (Unit("bot", "missing"),)},
        {"before": {"survey": raising(HostUnreachable("h2: no route"))}},
    ],
    ids=["armed", "held", "another release", "nothing", "unhealthy", "interrupted", "no unit", "unreachable"],
)
def test_a_drill_does_not_begin_unless_all_hosts_run_one_healthy_release(two: Stage, more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        setattr(two.hosts["h2"], name, value)
    record = two.drill()
    assert (record.outcome, record.exit_code, two.switched) == ("refused", 1, []), record


def test_a_drill_takes_one_host_where_a_rollback_would_take_waves(two: Stage) -> None:
    assert two.drill(strategy=Strategy()).outcome == "refused"
    assert Stage().drill(strategy=Strategy()).outcome == "succeeded"


# --- interrupted -----------------------------------------------------------------------------------------


def interrupted(stage: Stage, lives: Collection[str] = ("b2",), to: str = "") -> None:
    """The machine that ran the drill is lost on the way: the hosts have gone back, and nobody takes them forward."""
    spec, fleet = stage._begin()
    roll_back(replace(spec, selection=Selection(backup=to)), fleet, stage.listener)
    for host in stage.hosts.values():
        host.lines = [line for line in host.lines if '"event":"intent"' in line]
    assert stage.lives == set(lives)


def test_an_interrupted_drill_is_resumed_forward_to_where_it_started(two: Stage) -> None:
    interrupted(two)
    record = two.resume()
    assert (record.outcome, record.trigger, record.to.release, two.lives) == ("succeeded", "drill", "b3", {"b3"})
    assert (record.hold, record.drill) == (None, None)
    assert (two.resume().outcome, two.lives) == ("nothing_to_do", {"b3"})
    assert two.drill().outcome == "succeeded"
    assert statistics([record]).total == 0
    assert statistics([record]).drills is None


def test_an_interrupted_drill_is_resumed_where_hosts_have_other_names_for_its_release(two: Stage) -> None:
    names = {f"b{number}": f"r{number}" for number in (1, 2, 3)}
    h2 = two.hosts["h2"]
    h2.releases = tuple(replace(each, name=names[each.name]) for each in h2.releases)
    h2.live = live_at("r3")
    interrupted(two, {"b2", "r2"}, to="sha-b2")
    record = two.resume()
    assert (record.outcome, record.trigger, two.lives) == ("succeeded", "drill", {"b3", "r3"}), record.hosts


def test_no_other_drill_begins_before(stage: Stage) -> None:
    interrupted(stage)
    assert stage.drill().outcome == "refused"


def plainly(stage: Stage, **selection: Any) -> Record:
    """A rollback that a person starts."""
    spec, fleet = stage._begin()
    info = replace(spec.info, trigger="manual", reason="it is slow")
    return roll_back(replace(spec, info=info, selection=Selection(**selection)), fleet, stage.listener)


def test_a_rollback_does_not_go_back_from_where_an_interrupted_drill_stopped(two: Stage) -> None:
    interrupted(two)
    for asked in ({}, {"if_current": "b2"}, {"automatic": True}):
        record = plainly(two, **asked)
        assert (record.outcome, record.exit_code, two.lives) == ("refused", 1, {"b2"})
    assert all("b3" in host.detail and "resume" in host.detail for host in record.hosts), record.hosts


def test_a_release_that_a_person_names_is_gone_to_and_ends_the_drill(two: Stage) -> None:
    interrupted(two)
    assert (plainly(two, backup="b1").outcome, two.lives) == ("succeeded", {"b1"})
    assert plainly(two, backup="b2").outcome == "succeeded"
    assert plainly(two).to.release == "b1"


def test_an_emergency_goes_forward_to_where_the_drill_started_and_says_so(two: Stage) -> None:
    interrupted(two)
    record = plainly(two, emergency=True)
    assert (record.outcome, record.to.release, two.lives) == ("succeeded", "b3", {"b3"}), record.hosts
    assert sum("drill" in warning for warning in record.warnings) == 2


def test_an_emergency_does_not_go_forward_to_a_release_that_is_bad(stage: Stage) -> None:
    interrupted(stage)
    host = stage.hosts["h1"]
    host.releases = tuple(replace(each, mark="bad" if each.name == "b3" else "") for each in host.releases)
    assert plainly(stage, emergency=True).to.release == "b1"


def test_a_deployment_since_has_ended_an_interrupted_drill(stage: Stage) -> None:
    interrupted(stage)
    stage.hosts["h1"].releases = releases("b1", "b2", "b3", "b4")
    stage.hosts["h1"].live = live_at("b4")
    assert plainly(stage).to.release == "b3"


def test_a_drill_that_ended_is_not_open(stage: Stage) -> None:
    stage.drill()
    host = stage.hosts["h1"]
    (record,) = [each for each in read_journal(host.lines)[0] if each.drill]
    assert record.outcome == "succeeded"
    assert plainly(stage).to.release == "b2"
