"""Traffic: a host is taken out of the load balancer before the stop, and put back when its service listens again."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent_sandbox import RUN, Sandbox

# The load balancer is a file that says what it sends to the host.
DRAIN = 'test -e "$ROLLBACK_ROOT/running" && echo none >"$ROLLBACK_ROOT/balancer"'
UNDRAIN = 'test -e "$ROLLBACK_ROOT/running" && echo all >"$ROLLBACK_ROOT/balancer"'

Make = Callable[..., Sandbox]


@pytest.fixture(params=["dash", "busybox"])
def balanced(tmp_path: Path, request: pytest.FixtureRequest) -> Make:
    def make(drain: str = DRAIN, undrain: str = UNDRAIN, timeout: str = "1s", **settings: Any) -> Sandbox:
        traffic = {"drain": drain, "undrain": undrain, "timeout": timeout}
        box = Sandbox(tmp_path, request.param, traffic=traffic, **settings)
        (box.root / "balancer").write_text("all\n")
        return box

    return make


def traffic(box: Sandbox) -> str:
    return (box.root / "balancer").read_text().strip()


def outcomes(told: list[Any]) -> dict[str, str]:
    return {step.name: step.outcome for step in told}


def test_the_service_is_stopped_without_traffic_and_has_it_again_afterwards(balanced: Make) -> None:
    box = balanced()
    result, told = box.switch()
    assert (result.outcome, result.undrained, traffic(box)) == ("switched", "", "all")
    assert [step.name for step in told] == ["drain", "stop", "switch", "start", "undrain"]


@pytest.mark.parametrize("undrain", [UNDRAIN, "false"])
def test_a_drain_that_fails_refuses_before_the_stop(balanced: Make, undrain: str) -> None:
    box = balanced(drain="exit 3", undrain=undrain)
    result, told = box.switch()
    assert (result.outcome, result.live, box.running(), box.current.resolve().name) == ("refused", "r3", "r3", "r3")
    assert "stop" not in outcomes(told)
    assert bool(result.undrained) == (undrain == "false")
    assert box.switch("r2", run=f"{RUN[:-1]}2")[0].outcome == "refused", "nothing stands open"


def test_a_drain_that_hangs_is_ended_at_its_limit(balanced: Make) -> None:
    box = balanced(drain="sleep 60")
    result, _ = box.switch()
    assert (result.outcome, box.running(), traffic(box)) == ("refused", "r3", "all")


def test_an_emergency_does_not_wait_for_a_drain(balanced: Make) -> None:
    box = balanced(drain="sleep 60")
    result, told = box.switch(break_lock=True)
    assert (result.outcome, outcomes(told)["undrain"], traffic(box)) == ("switched", "ok", "all")


def test_what_is_put_back_has_its_traffic_back(balanced: Make) -> None:
    box = balanced(commands={"stop": "false"})
    result, told = box.switch()
    assert (result.outcome, box.running(), traffic(box)) == ("put_back", "r3", "all")
    assert outcomes(told) == {"drain": "ok", "stop": "failed", "undrain": "ok"}


def test_a_service_that_does_not_start_gets_no_traffic(balanced: Make) -> None:
    box = balanced(commands={"start": "false"})
    result, told = box.switch()
    assert (result.outcome, traffic(box)) == ("not_started", "none")
    assert "undrain" not in outcomes(told)


@pytest.mark.parametrize(("timeout", "comes_up"), [("30s", True), ("1s", False)])
def test_a_service_that_starts_slowly_gets_traffic_when_it_runs(balanced: Make, timeout: str, comes_up: bool) -> None:
    # Between the two states it is neither running nor stopped: the shell that asks is killed.
    status = 'test -e "$ROLLBACK_ROOT/running" || kill -KILL $PPID'
    soon = 'sleep 2; echo r2 >"$ROLLBACK_ROOT/running"' if comes_up else ":"
    start = f"setsid sh -c '{soon}' & sleep 60"
    box = balanced(timeout=timeout, commands={"status": status, "start": start}, limits={"start": "1s"})
    result, told = box.switch()
    assert (result.outcome, result.live) == ("still_starting", "r2")
    assert (outcomes(told)["undrain"], bool(result.undrained)) == (("ok", False) if comes_up else ("failed", True))
    assert traffic(box) == ("all" if comes_up else "none")


@pytest.mark.parametrize("listens", [True, False])
def test_traffic_comes_back_when_the_port_of_a_check_is_listened_on(balanced: Make, listens: bool) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        if listens:
            server.listen()
        box = balanced(checks={"health": {"kind": "http", "url": f"http://localhost:{port}/health"}})
        result, told = box.switch()
    assert (result.outcome, outcomes(told)["undrain"]) == ("switched", "ok" if listens else "failed")
    assert (traffic(box) == "all") is listens
    assert (str(port) in result.undrained) is not listens


def test_what_cannot_be_given_back_is_told(balanced: Make) -> None:
    box = balanced(undrain="false")
    result, _ = box.switch()
    assert (result.outcome, result.live, box.running()) == ("switched", "r2", "r2")
    assert result.undrained
