"""The core of the fault matrix: each fault where it hurts most, judged as ``make faults`` judges all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.injuries import FAULTS
from tests.faults.judge import losses
from tests.faults.scene import SOURCE, TARGET
from tests.faults.trial import Seen, Stage, Trial, reach
from tests.support.lab.lab import Lab
from tests.support.waiting import Running, go_on, hear, lingering
from tests.support.waiting import reach as reach_step

# While the service is down, where that is possible.
WORST = {
    "runner-killed": "switch:deploy",
    "cancelled": "begin:root",
    "cancelled-while-it-hangs": "start:deploy",
    "network-cut": "switch:root",
    "network-cut-and-restored": "links:deploy",
    "sshd-restarted": "launch:deploy",
    "worker-killed": "links:root",
    "all-killed": "start:root",
    "power-cycled": "switch:deploy",
    "disk-filled": "begin:root",
    "made-read-only": "switch:deploy",
    "clock-set-back": "lease:root",
    "target-removed": "stop:root",
    "target-emptied": "switch:deploy",
    "release-added": "prepare:root",
    "target-unhealthy": "stop:root",
    "socket-activated": "switch:root",
    "second-rollback": "lock:root",
    "second-emergency": "switch:root",
    "deployed-meanwhile": "start:deploy",
    "emergency-in-window": "verify:deploy",
    "deployed-in-window": "verify:root",
}


# The others are in `make long`: tests/e2e/test_faults.py and others show the like of them in other words.
CORE = ("disk-filled", "target-removed", "second-emergency")


@pytest.fixture(scope="session")
def stage(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(lab, "faults", Path(tmp_path_factory.mktemp("faults")))


def play(stage: Stage, name: str) -> Seen:
    """A trial in which nothing is lost."""
    seen = stage.play(Trial.parse(name))
    assert seen.reached
    assert losses(seen) == []
    return seen


def test_every_fault_has_its_worst_moment() -> None:
    assert list(WORST) == list(FAULTS)


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=() if fault in CORE else pytest.mark.long) for fault in FAULTS]
)
def test_nothing_is_lost_by(stage: Stage, fault: str) -> None:
    play(stage, f"{fault}@{WORST[fault]}:1")


@pytest.mark.long
def test_what_a_power_failure_interrupted_is_resumed(stage: Stage) -> None:
    seen = play(stage, "power-cycled@links:deploy:2")
    assert (seen.runs[0].code, seen.next.code, seen.next_running) == (4, 0, TARGET)
    assert (seen.next.record["trigger"], seen.next.to) == ("manual", TARGET)
    assert TARGET in seen.next.record["warnings"][0]


@pytest.mark.long
@pytest.mark.parametrize(("boundary", "owner"), [("close", "root"), ("renew", "deploy"), ("state", "root")])
def test_a_worker_that_is_killed_when_all_is_done_is_no_run_that_lost_its_lease(
    stage: Stage, boundary: str, owner: str
) -> None:
    seen = play(stage, f"worker-killed@{boundary}:{owner}:1")
    assert (seen.runs[0].code, seen.live) == (0, TARGET)
    assert "lost-lease" not in seen.journal


@pytest.mark.parametrize("boundary", ["prepare", pytest.param("links", marks=pytest.mark.long)])
def test_an_emergency_also_ends_what_a_worker_that_hangs_is_just_running(stage: Stage, boundary: str) -> None:
    seen = play(stage, f"second-emergency@{boundary}:deploy:2")
    assert [run.name for run in seen.runs if run.code == 0] == ["second"]


@pytest.mark.long
@pytest.mark.parametrize(("boundary", "code"), [("prepare", 1), ("stop", 3), ("switch", 3), ("start", 3)])
def test_a_target_that_is_taken_away_in_the_middle_is_left_for_what_ran_before(
    stage: Stage, boundary: str, code: int
) -> None:
    seen = play(stage, f"target-removed@{boundary}:root:1")
    assert (seen.runs[0].code, seen.live, seen.running) == (code, SOURCE, SOURCE)


@pytest.mark.parametrize(
    ("boundary", "steps"),
    [
        pytest.param("begin", [], marks=pytest.mark.long),
        pytest.param("stop", ["stop"], marks=pytest.mark.long),
        ("switch", ["stop", "switch"]),
        pytest.param("links", ["stop", "switch", "links"], marks=pytest.mark.long),
        ("start", ["stop", "switch", "links", "start"]),
    ],
)
def test_a_worker_that_lost_its_lease_stops_before_its_next_mutation(
    stage: Stage, boundary: str, steps: list[str]
) -> None:
    trial = Trial("second-emergency", boundary, "root", 1)
    scene = stage.set_up(trial, total="50s")
    scene.gates.arm(boundary)
    running = scene.begin("first")
    assert reach(scene, trial, running)
    store = scene.host.path(scene.service.state)
    run, *rest = (store / "lease").read_text().split("\t")
    taken, others = "\t".join(["another-run", *rest]), "another-run\tb3\tb5\n"
    (store / "lease").write_text(taken)
    (store / "open").write_text(others)
    scene.go()
    ended = running.end()
    scene.service.remove()

    assert (ended.code, ended.host["outcome"]) == (6, "superseded")
    events = [json.loads(line) for line in scene.journal().splitlines()]
    assert [event["step"] for event in events if event.get("event") == "step"] == steps
    assert [event["id"] for event in events if event.get("event") == "lost-lease"] == [run]
    assert not [event for event in events if event.get("event") == "end"]
    assert ((store / "lease").read_text(), (store / "open").read_text()) == (taken, others)


def test_who_finds_a_host_free_and_then_loses_its_lock_waits_for_it(stage: Stage) -> None:
    trial = Trial("second-rollback", "lock", "root", 1)
    scene = stage.set_up(trial, total="50s", options=lingering("stop"))
    scene.gates.arm("lock")
    loser = scene.begin("first", ROLLBACK_WAIT="2m")
    assert reach(scene, trial, loser)
    winner = scene.begin("second")
    reach_step(Running(winner.process), scene.service, "stop")
    scene.go()
    hear(Running(loser.process), "wait")
    go_on(scene.service)
    won, lost = winner.end(), loser.end()
    scene.service.remove()

    assert (won.code, won.to) == (0, TARGET), won.said
    # The release that it was to leave is left.
    assert (lost.code, lost.record["outcome"]) == (0, "nothing_to_do"), lost.said
    intents = [event["id"] for event in map(json.loads, scene.journal().splitlines()) if event.get("event") == "intent"]
    assert intents == [won.record["id"]]


def test_a_lock_names_its_owner_its_run_and_when_it_expires(stage: Stage) -> None:
    trial = Trial("second-rollback", "stop", "root", 1)
    scene = stage.set_up(trial, total="50s")
    scene.gates.arm("stop")
    running = scene.begin(
        "first",
        GITHUB_ACTOR="ana",
        GITHUB_SERVER_URL="https://github.example.org",
        GITHUB_REPOSITORY="acme/bot",
        GITHUB_RUN_ID="77",
    )
    assert reach(scene, trial, running)
    listed = scene.ops("list", "prod", "--json").document["hosts"][0]["lease"]
    refused = scene.begin("second").end()
    scene.go()
    ended = running.end()
    scene.service.remove()

    assert (listed["owner"], listed["run_url"]) == ("ana", "https://github.example.org/acme/bot/actions/runs/77")
    assert 0 < listed["expires_in"] <= 10
    assert refused.code == 1
    for word in ("ana", listed["since"], ended.record["id"]):
        assert word in refused.host["detail"]
