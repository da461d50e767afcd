"""The checks of a release before a rollback leaves it. They delay nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from rollback_ops.checks import Dial, HostProbe, NetworkProbe
from rollback_ops.checks.process import ProcessChecker
from rollback_ops.config import Verify
from rollback_ops.core import tasks
from rollback_ops.core.health import Finding
from rollback_ops.core.model import Lease, OpenTransaction, Survey, SwitchOrder, Unit
from rollback_ops.core.plan import Selection
from rollback_ops.core.record import GroupRecord
from rollback_ops.core.run import RunInfo, RunState
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine import leaving
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.rollback import roll_back
from rollback_ops.engine.spec import RollbackSpec
from tests.support.fakes import FakeHost, Listener, live_at, releases

FAILED = Finding("failed", "status is 503")
INFO = RunInfo("run-1", "bot", "prod", "standard", "manual", "logins fail", "alice")
Checks = Mapping[str, HostProbe | NetworkProbe]


@dataclass
class Answers:
    """A check that finds this, of the live release b3 only. With ``until`` it hangs."""

    finding: Finding
    release: str = "b3"
    until: threading.Event | None = None
    kind: str = "http"
    source: str = "host"

    def probe(self, dial: Dial) -> Finding:
        if self.until:
            self.until.wait(60)
        return self.finding if self.release == "b3" else Finding("passed")


class Scene:
    def __init__(self, checks: Checks, **info: Any) -> None:
        host = FakeHost("h1", releases("b1", "b2", "b3"), live_at("b3"))
        self.listener = Listener()
        survey = tasks.begin(["h1"], lambda _: host.survey())
        self.fleet = Fleet([host], survey, self.listener, Cancellation(), 60)
        self.spec = RollbackSpec(
            replace(INFO, **info),
            Selection(),
            lambda release: {
                n: replace(c, release=release) if isinstance(c, Answers) else c for n, c in checks.items()
            },
            Verify(min_healthy_time=0),
            dict.fromkeys(checks, Verify(min_healthy_time=0).thresholds),
        )
        self.state = RunState(self.spec.info, ["h1"], surveys={"h1": host.survey()})

    def found(self, after: float | None) -> dict[str, tuple[str, ...]]:
        """Return what counts where the first host was told to stop its service so many seconds after the answer."""
        asked = leaving.ask(self.spec, self.fleet, self.state)
        assert asked
        answer = asked.results(60, Cancellation())["h1", "health"]
        assert isinstance(answer, tuple)
        if after is not None:
            self.fleet.changing_since = answer[1] + after
        return leaving.failed(asked, self.fleet, self.state)


@pytest.fixture
def never() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize(
    ("finding", "after", "counts"),
    [
        (FAILED, 1.0, True),
        (Finding("passed"), 1.0, False),
        (Finding("unknown", "no route"), 1.0, False),
        (replace(FAILED, silent=True), 1.0, False),
        (FAILED, 0.0, False),
        (FAILED, -1.0, False),
        (FAILED, None, False),
    ],
)
def test_an_answer_counts_that_failed_before_the_service_was_stopped(
    finding: Finding, after: float | None, counts: bool
) -> None:
    scene = Scene({"health": Answers(finding), "process": ProcessChecker()})
    assert scene.found(after) == ({"h1": ("health: status is 503",)} if counts else {})


def test_nothing_counts_where_another_run_had_the_lock_meanwhile() -> None:
    scene = Scene({"health": Answers(FAILED)})
    scene.state.locked_out = 1
    assert scene.found(1.0) == {}


def test_a_check_that_hangs_holds_nothing_up_and_shows_nothing(never: threading.Event) -> None:
    scene = Scene({"health": Answers(FAILED, until=never)})
    asked = leaving.ask(scene.spec, scene.fleet, scene.state)
    leaving.settle(asked, scene.spec)
    scene.fleet.changing_since = float("inf")
    assert leaving.failed(asked, scene.fleet, scene.state) == {}


def test_the_first_change_waits_for_an_answer_but_in_an_emergency(never: threading.Event) -> None:
    scene = Scene({"health": Answers(FAILED, until=never)})
    asked = leaving.ask(scene.spec, scene.fleet, scene.state)
    leaving.settle(asked, replace(scene.spec, info=replace(INFO, mode="emergency")), within=threading.TIMEOUT_MAX)
    threading.Thread(target=never.set).start()
    leaving.settle(asked, scene.spec, within=60)
    scene.fleet.switch({"h1": SwitchOrder("run-1", "releases/b3", "b2", "alice", "{}")})
    assert leaving.failed(asked, scene.fleet, scene.state) == {"h1": ("health: status is 503",)}


def test_an_answer_after_the_first_host_was_told_to_stop_shows_nothing_of_another_host(never: threading.Event) -> None:
    """One address may lead to both, and a host says only later that it stops its service."""
    scene = Scene({"health": Answers(FAILED, until=never)})
    asked = leaving.ask(scene.spec, scene.fleet, scene.state)
    assert asked
    scene.fleet.switch({"h1": SwitchOrder("run-1", "releases/b3", "b2", "alice", "{}")})
    never.set()
    asked.results(60, Cancellation())
    scene.fleet.switch({"h1": SwitchOrder("run-1", "releases/b2", "b1", "alice", "{}")})
    assert leaving.failed(asked, scene.fleet, scene.state) == {}


def held(survey: Survey) -> Survey:
    return replace(survey, lease=Lease("another", "bob", expires_in=7))


def interrupted(survey: Survey) -> Survey:
    return replace(survey, unfinished=OpenTransaction("another", "/srv/bot/releases/b3", "b2"))


@pytest.mark.parametrize(
    "scene",
    [
        Scene({"health": Answers(FAILED)}, dry_run=True),
        Scene({"health": Answers(FAILED)}, bad=True),
        Scene({"health": Answers(FAILED)}, trigger="deploy-failed"),
        Scene({"health": Answers(FAILED)}, trigger="drill"),
        Scene({"process": ProcessChecker()}),
    ],
    ids=["dry run", "said to be bad", "automatic", "drill", "nothing to ask"],
)
def test_nothing_is_asked_that_would_change_nothing(scene: Scene) -> None:
    assert leaving.ask(scene.spec, scene.fleet, scene.state) is None


def starting(survey: Survey) -> Survey:
    return replace(survey, units=(Unit("bot", "running"), Unit("worker", "starting")))


@pytest.mark.parametrize("change", [held, interrupted, starting])
def test_a_service_that_starts_or_that_another_run_may_have_stopped_is_not_asked(change: Any) -> None:
    scene = Scene({"health": Answers(FAILED)})
    scene.state.surveys["h1"] = change(scene.state.surveys["h1"])
    assert leaving.ask(scene.spec, scene.fleet, scene.state) is None


def test_in_a_group_another_service_may_be_at_fault() -> None:
    scene = Scene({"health": Answers(FAILED)})
    scene.state.group = GroupRecord(name="shop", run="run-1")
    assert leaving.ask(scene.spec, scene.fleet, scene.state) is None


def test_a_rollback_does_not_wait_for_the_checks_of_what_it_leaves(never: threading.Event) -> None:
    class Hangs(Answers):
        def probe(self, dial: Dial) -> Finding:
            if self.release == "b3":
                never.wait(60)
            return Finding("passed")

    scene = Scene({"health": Hangs(FAILED)})
    assert roll_back(scene.spec, scene.fleet, scene.listener).outcome == "succeeded"
    assert not never.is_set()
