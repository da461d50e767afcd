"""The output of systemctl 252 on a real host."""

from __future__ import annotations

import re

import pytest

from rollback_ops.core.errors import UsageError
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


def test_a_oneshot_that_ended_with_success_is_finished_and_one_that_failed_is_not() -> None:
    text = "Id={0}.service\nLoadState=loaded\nActiveState={1}\nSubState=dead\nType={2}\nResult={3}\n"
    cases = [("done", "inactive", "oneshot", "success"), ("simple", "inactive", "simple", "success")]
    cases += [("bad", "failed", "oneshot", "exit-code")]
    units = managers.parse(
        service("systemd", *(case[0] for case in cases)), "rosey", "\n".join(text.format(*case) for case in cases)
    )
    assert [unit.state for unit in units] == ["finished", "stopped", "failed"]


TARGET = """\
Id=app.target
LoadState=loaded
ActiveState=active

Id=web.service
LoadState=loaded
ActiveState={web}
Type=simple
Result={result}
MainPID={pid}

Id=absent.service
LoadState=not-found
ActiveState=inactive
Type=simple
Result=success

Id=other.timer
LoadState=loaded
ActiveState=active

Id=unmet.service
LoadState=loaded
ActiveState=inactive
Type=simple
Result=success
ConditionResult=no
"""


@pytest.mark.parametrize(
    ("web", "result", "pid", "state", "well"),
    [
        ("active", "success", 7, "running", True),
        ("failed", "exit-code", 0, "failed", False),
        ("activating", "success", 8, "starting", False),
        ("inactive", "success", 0, "stopped", False),
    ],
)
def test_a_target_is_judged_with_its_members(web: str, result: str, pid: int, state: str, well: bool, box: Box) -> None:
    settings, text = service("systemd", "app.target"), TARGET.format(web=web, result=result, pid=pid)
    assert [(u.name, u.state) for u in managers.parse(settings, "app", text)] == [
        ("app.target", "running"),
        ("web.service", state),
    ]
    box.says(text)
    assert box.holds(managers.build(settings, "app").running) == well


def test_without_an_answer_the_reason_is_the_detail_of_each_unit() -> None:
    units = managers.parse(service("systemd-user", "a", "b"), "x", "Failed to connect to bus: No such file\n")
    assert [(u.state, u.detail) for u in units] == [("unknown", "Failed to connect to bus: No such file")] * 2


SHORT = "Id={}.service\nLoadState=loaded\nActiveState={}\nType={}\nResult={}\nConditionResult=yes\n"


@pytest.mark.parametrize(
    ("web", "worker", "running"),
    [
        (("active", "simple", "success"), ("active", "simple", "success"), True),
        (("active", "simple", "success"), ("reloading", "notify", "success"), True),
        (("active", "simple", "success"), ("inactive", "oneshot", "success"), True),
        (("active", "simple", "success"), ("failed", "oneshot", "exit-code"), False),
        (("active", "simple", "success"), ("inactive", "simple", "success"), False),
        (("active", "simple", "success"), ("activating", "simple", "success"), False),
        (("inactive", "simple", "success"), ("failed", "simple", "success"), False),
    ],
)
def test_running_judges_all_units_at_once(
    web: tuple[str, ...], worker: tuple[str, ...], running: bool, box: Box
) -> None:
    manager = managers.build(service("systemd", "web", "worker"), "rosey")
    box.says("\n".join([SHORT.format("web", *web), SHORT.format("worker", *worker)]))
    assert box.holds(manager.running) == running


@pytest.mark.parametrize(
    "text", ["", "Failed to connect to bus: No such file\n", SHORT.format("web", "active", "", "")]
)
def test_what_shows_too_few_units_is_not_running(text: str, box: Box) -> None:
    box.says(text)
    assert not box.holds(managers.build(service("systemd", "web", "worker"), "rosey").running)


@pytest.mark.parametrize(
    ("words", "stopped"),
    [
        ("inactive\nfailed\n", True),
        ("inactive\nunknown\n", True),
        ("active\ninactive\n", False),
        ("inactive\ndeactivating\n", False),
        ("failed\nactivating\n", False),
        ("inactive\n", False),
        ("", False),
    ],
)
def test_stopped_judges_all_units_at_once(words: str, stopped: bool, box: Box) -> None:
    manager = managers.build(service("systemd", "web", "worker"), "rosey")
    box.says(words, status=3)
    assert box.holds(manager.stopped) == stopped


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
    assert box.run(manager.logs, ROLLBACK_SUDO="sudo -n").stdout.endswith("Started web.service.\n")
    assert [call[0] for call in box.calls()] == ["journalctl"]
    box.says("", status=1)
    box.run(manager.logs, ROLLBACK_SUDO="sudo -n")
    assert [call[0] for call in box.calls()] == ["journalctl", "sudo"]


def test_a_user_s_own_systemd_is_found_without_a_login_session_and_without_sudo(box: Box) -> None:
    show = box.home / "bin" / "systemctl"
    show.write_text('#!/bin/sh\nprintf "%s\\n" "$XDG_RUNTIME_DIR" "$*"\n')
    state = managers.build(service("systemd-user", "bot"), "rosey").state
    uid = box.run("id -u").stdout.strip()
    assert box.run(state, ROLLBACK_SUDO="sudo -n").stdout.startswith(f"/run/user/{uid}\n--user show -p ")
    assert box.run(state, XDG_RUNTIME_DIR="/elsewhere").stdout.startswith("/elsewhere\n")


@pytest.mark.parametrize("kind", ["systemd", "systemd-user"])
@pytest.mark.parametrize("unit", ["worker@", "worker@.service", "beat@.timer"])
def test_a_template_is_refused_before_a_host_is_asked(kind: str, unit: str) -> None:
    with pytest.raises(UsageError, match=re.escape(unit)):
        managers.build(service(kind, unit), "web")
    assert managers.build(service(kind, unit.replace("@", "@1")), "web")
