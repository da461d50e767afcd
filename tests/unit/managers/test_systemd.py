"""The output of systemctl 252 on a real host."""

from __future__ import annotations

import pytest

from rollback_ops.core.model import Unit
from rollback_ops.hosts import managers
from tests.support.toolbox import Box, service

SHOWN = """\
MainPID=57
Result=success
NRestarts=0
Id=web.service
Names=web.service
LoadState=loaded
ActiveState=active
SubState=running
InvocationID=ea79b56d2169470a8304ec4c58b55cd7

MainPID=0
Result=exit-code
NRestarts=4
Id=crash.service
Names=crash.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
InvocationID=6a5e08cafbf74cb9bbbcd54b8e07cdbd

MainPID=0
Result=start-limit-hit
NRestarts=5
Id=fail.service
Names=fail.service
LoadState=loaded
ActiveState=failed
SubState=failed
InvocationID=5dba9dc787a443ba9cc46a1c4126e7fd

Result=success
Id=t.timer
Names=t.timer
LoadState=loaded
ActiveState=active
SubState=waiting
InvocationID=24640373dc6446c49177fff387eed1ad

Id=multi-user.target
Names=multi-user.target runlevel4.target runlevel2.target runlevel3.target
LoadState=loaded
ActiveState=active
SubState=active
InvocationID=1fc28ce2399c473c898bbf58c648d6bc

MainPID=0
Result=success
NRestarts=0
Id=masked.service
Names=masked.service
LoadState=masked
ActiveState=inactive
SubState=dead
InvocationID=

MainPID=0
Result=success
NRestarts=0
Id=nope.service
Names=nope.service
LoadState=not-found
ActiveState=inactive
SubState=dead
InvocationID=

MainPID=64
Result=success
NRestarts=0
Id=notify.service
Names=notify.service
LoadState=loaded
ActiveState=activating
SubState=start
InvocationID=4b0c68af582b4c009a445c12e716eba6

MainPID=66
Result=success
NRestarts=0
Id=stubborn.service
Names=stubborn.service
LoadState=loaded
ActiveState=deactivating
SubState=stop-sigterm
InvocationID=9adb22f878734253878cae0a772f1857
"""

UNITS = {
    "web": Unit("web.service", "running", 57, 0, "ea79b56d2169470a8304ec4c58b55cd7"),
    "crash": Unit("crash.service", "starting", 0, 4, "6a5e08cafbf74cb9bbbcd54b8e07cdbd", "auto-restart, exit-code"),
    "fail": Unit("fail.service", "failed", 0, 5, "5dba9dc787a443ba9cc46a1c4126e7fd", "start-limit-hit"),
    "t.timer": Unit("t.timer", "running", 0, 0, "24640373dc6446c49177fff387eed1ad", "waiting"),
    "runlevel3.target": Unit("runlevel3.target", "running", 0, 0, "1fc28ce2399c473c898bbf58c648d6bc"),
    "masked": Unit("masked.service", "stopped", detail="masked", blocker="is masked"),
    "nope": Unit("nope.service", "missing"),
    "notify": Unit("notify.service", "starting", 64, 0, "4b0c68af582b4c009a445c12e716eba6", "start"),
    "stubborn": Unit("stubborn.service", "stopping", 66, 0, "9adb22f878734253878cae0a772f1857", "stop-sigterm"),
    "never-shown": Unit("never-shown.service", "unknown"),
}


def test_units_are_reported_in_the_order_of_the_settings() -> None:
    assert managers.parse(service("systemd", *reversed(UNITS)), "rosey", SHOWN) == tuple(reversed(UNITS.values()))


def test_a_unit_that_runs_without_its_file_is_running_and_has_a_blocker() -> None:
    text = "Id=web.service\nLoadState=not-found\nActiveState=active\nSubState=running\nMainPID=7\n"
    unit = Unit("web.service", "running", 7, detail="not-found", blocker="has no unit file any more")
    assert managers.parse(service("systemd"), "web", text) == (unit,)


def test_only_the_units_of_the_settings_are_reported() -> None:
    assert managers.parse(service("systemd", "web"), "rosey", SHOWN) == (UNITS["web"],)


@pytest.mark.parametrize(
    ("words", "running", "stopped"),
    [
        ("active\nactive\n", True, False),
        ("active\nreloading\n", True, False),
        ("active\ninactive\n", False, False),
        ("active\nactivating\n", False, False),
        ("inactive\nfailed\n", False, True),
        ("inactive\nunknown\n", False, True),
        ("inactive\ndeactivating\n", False, False),
        ("failed\nactivating\n", False, False),
        ("active\n", False, False),
        ("inactive\n", False, False),
        ("", False, False),
    ],
)
def test_running_and_stopped_judge_all_units_at_once(words: str, running: bool, stopped: bool, box: Box) -> None:
    manager = managers.build(service("systemd", "web", "worker"), "rosey")
    # systemctl is-active succeeds as soon as one unit is active.
    box.says(words, status=0 if "active" in words.split() else 3)
    assert (box.holds(manager.running), box.holds(manager.stopped)) == (running, stopped)


def test_reset_and_kill_succeed_where_there_is_nothing_to_do(box: Box) -> None:
    manager = managers.build(service("systemd"), "web")
    box.says("Failed to reset failed state of unit web.service: Unit web.service not loaded.\n", status=1)
    assert box.holds(manager.reset)
    assert box.holds(manager.kill)
    assert not box.holds(manager.start)
    assert not box.holds(manager.stop)


def test_the_journal_is_read_without_sudo_first(box: Box) -> None:
    manager = managers.build(service("systemd"), "web")
    box.says("2026-11-23T12:52:52+0000 vm systemd[1]: Started web.service.\n")
    assert box.run(manager.logs, SUDO="sudo -n").stdout.endswith("Started web.service.\n")
    assert [call[0] for call in box.calls()] == ["journalctl"]
    box.says("", status=1)
    box.run(manager.logs, SUDO="sudo -n")
    assert [call[0] for call in box.calls()] == ["journalctl", "sudo"]


def test_a_user_s_own_systemd_is_found_without_a_login_session_and_without_sudo(box: Box) -> None:
    show = box.home / "bin" / "systemctl"
    show.write_text('#!/bin/sh\nprintf "%s\\n" "$XDG_RUNTIME_DIR" "$*"\n')
    state = managers.build(service("systemd-user", "bot"), "rosey").state
    uid = box.run("id -u").stdout.strip()
    assert box.run(state, SUDO="sudo -n").stdout.startswith(f"/run/user/{uid}\n--user show -p ")
    assert box.run(state, XDG_RUNTIME_DIR="/elsewhere").stdout.startswith("/elsewhere\n")
