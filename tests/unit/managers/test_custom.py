"""The command lines of the settings, run by a real shell."""

from __future__ import annotations

from typing import Any

import pytest

from rollback_ops.core.model import Unit
from rollback_ops.hosts import managers
from tests.support.toolbox import Box, service

PIDFILE = {
    "stop": 'kill "$(cat pid)" && rm pid',
    "start": "sleep 60 >/dev/null 2>&1 & echo $! >pid",
    # BusyBox's kill succeeds without a number.
    "status": 'test -e pid && kill -0 "$(cat pid)"',
    "logs": "echo this is the log",
}


def custom(**commands: Any) -> Any:
    return service("custom", commands=PIDFILE | commands)


def test_a_service_with_a_pid_file_in_its_release_starts_runs_and_stops(box: Box) -> None:
    settings = custom()
    manager = managers.build(settings, "rosey")
    seen = []
    for line in (manager.start, manager.stop):
        assert box.holds(line)
        state = managers.parse(settings, "rosey", box.run(manager.state).stdout)
        seen.append((state[0].state, box.holds(manager.running), box.holds(manager.stopped)))
    assert seen == [("running", True, False), ("stopped", False, True)]
    assert not (box.home / "current" / "pid").exists()
    assert box.run(manager.logs).stdout == "this is the log\n"
    assert box.holds(manager.kill)
    assert box.holds(manager.reset)


def test_no_command_runs_without_a_live_release(box: Box) -> None:
    manager = managers.build(custom(stop="touch stopped", status="true"), "rosey")
    (box.home / "current").rmdir()
    assert not box.holds(manager.stop)
    assert not (box.home / "stopped").exists()
    assert not box.holds(manager.running)
    assert not box.holds(manager.stopped)
    assert managers.parse(custom(), "rosey", box.run(manager.state).stdout) == (Unit("rosey", "unknown"),)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("status=0\n", Unit("rosey", "running")),
        ("status=3\n", Unit("rosey", "stopped", detail="exit status 3")),
        ("status=127\n", Unit("rosey", "unknown", detail="exit status 127")),
        ("sh: 1: cd: can't cd to /srv/current\n", Unit("rosey", "unknown")),
        ("status=\u0660\n", Unit("rosey", "unknown")),
        ("xstatus=0\n", Unit("rosey", "unknown")),
        ("", Unit("rosey", "unknown")),
    ],
)
def test_the_exit_status_gives_the_state(text: str, unit: Unit) -> None:
    assert managers.parse(custom(), "rosey", text) == (unit,)
