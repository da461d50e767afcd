"""A real supervisord of the test's own, without privileges, on a socket in a directory of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollback_ops.core.model import Manager, Unit, UnitState
from rollback_ops.hosts import managers
from tests.support.toolbox import Box, eventually, make_box, service, tool

CONFIGURATION = """\
[unix_http_server]
file={home}/socket
[supervisord]
logfile={home}/supervisord.log
pidfile={home}/supervisord.pid
childlogdir={home}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{home}/socket

[program:web]
command=sh -c 'echo to stdout; echo to stderr >&2; exec sleep 1000'
startsecs=0
[program:stubborn]
command=sh -c 'trap : TERM; : >trapped; while :; do sleep 0.1; done'
startsecs=0
stopwaitsecs=100
[program:crasher]
command=false
startretries=100
autostart=false
[program:needs-flag]
command=sh -c '[ -e flag ] && exec sleep 1000'
startretries=0
autostart=false
[program:no-file]
command=/nonexistent/program
autostart=false
[program:ends]
command=true
startsecs=0
autorestart=false
[program:off]
command=sleep 1000
autostart=false
[program:one]
command=sleep 1000
startsecs=0
[program:two]
command=sleep 1000
startsecs=0
[group:jobs]
programs=one,two
"""


@pytest.fixture
def host() -> Iterator[Box]:
    """Its path is short, because the name of a socket has to be."""
    home = Path(tempfile.mkdtemp(prefix="supervisor-"))
    box = make_box(home / "box", "dash")
    control = box.home / "bin" / "supervisorctl"
    control.write_text(f'#!/bin/sh\nexec {tool("supervisorctl")} -c {home}/supervisord.conf "$@"\n')
    control.chmod(0o755)
    (home / "supervisord.conf").write_text(CONFIGURATION.format(home=home))
    daemon = subprocess.Popen(
        [tool("supervisord"), "-n", "-c", home / "supervisord.conf"],
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert eventually(lambda: (home / "socket").exists() and box.holds("supervisorctl pid"))
        yield box
    finally:
        end(daemon, box)
        shutil.rmtree(home)


def end(daemon: subprocess.Popen[bytes], box: Box) -> None:
    """At once: a polite end would wait for the stubborn program. Each program leads a process group of its own."""
    programs = box.run("supervisorctl pid all").stdout.split()
    daemon.kill()
    daemon.wait()
    for pid in programs:
        if pid.isdigit() and pid != "0":
            os.killpg(int(pid), signal.SIGKILL)


def manage(*units: str) -> Manager:
    return managers.build(service("supervisor", *units), "rosey")


def units_of(host: Box, *units: str) -> tuple[Unit, ...]:
    return managers.parse(service("supervisor", *units), "rosey", host.run(manage(*units).state).stdout)


def states(host: Box, *units: str) -> list[UnitState]:
    return [unit.state for unit in units_of(host, *units)]


def test_programs_and_groups_run_stop_and_start_together(host: Box) -> None:
    manager = manage("web", "jobs:*")
    assert host.holds(manager.running)
    assert not host.holds(manager.stopped)
    before = units_of(host, "web", "jobs:*")
    assert [unit.name for unit in before] == ["web", "jobs:one", "jobs:two"]
    assert all(unit.state == "running" and unit.pid > 1 for unit in before)

    assert host.holds(manager.stop)
    assert host.holds(manager.stopped)
    assert host.holds(manager.stop), "stopping what is stopped is no error"
    assert states(host, "web", "jobs:*") == ["stopped"] * 3

    assert host.holds(manager.reset)
    assert host.holds(manager.start)
    assert host.holds(manager.running)
    assert host.holds(manager.start), "starting what runs is no error"
    after = units_of(host, "web", "jobs:*")
    assert not {unit.invocation for unit in before} & {unit.invocation for unit in after}


@pytest.mark.long
def test_one_that_is_stopped_among_several_means_neither_running_nor_stopped(host: Box) -> None:
    manager = manage("web", "off", "ends")
    assert eventually(lambda: states(host, "web", "off", "ends") == ["running", "stopped", "stopped"])
    assert not host.holds(manager.running)
    assert not host.holds(manager.stopped)


def test_a_program_that_ignores_the_stop_does_not_keep_the_others_and_is_killed(host: Box) -> None:
    # Before the trap is set the program would die of the signal like any other.
    assert eventually((host.home.parent / "trapped").exists)
    manager = manage("stubborn", "web", "jobs:*")
    stop = subprocess.Popen(
        [*host.shell, "-c", manager.stop], env={"PATH": host.path, "ROLLBACK_SUDO": ""}, start_new_session=True
    )
    try:
        stopping = ["stopping", "stopped", "stopped", "stopped"]
        assert eventually(lambda: states(host, "stubborn", "web", "jobs:*") == stopping)
        assert stop.poll() is None
        assert not host.holds(manager.stopped)
    finally:
        os.killpg(stop.pid, signal.SIGKILL)
        stop.wait()
    assert host.holds(manager.kill)
    assert eventually(lambda: host.holds(manager.stopped))
    assert host.holds(manager.start)


@pytest.mark.long
def test_a_program_that_crashes_is_starting_and_never_running_though_the_status_is_zero(host: Box) -> None:
    manager = manage("crasher")
    started = host.run(manager.start)
    assert started.returncode != 0
    assert "spawn error" in started.stdout
    assert eventually(
        lambda: states(host, "crasher") == ["starting"] and "BACKOFF" in units_of(host, "crasher")[0].detail
    )
    assert not host.holds(manager.running)
    assert not host.holds(manager.stopped)
    assert host.holds(manager.stop)
    assert host.holds(manager.stopped)


@pytest.mark.long
def test_a_fatal_program_needs_no_reset_before_a_good_release_starts(host: Box) -> None:
    manager = manage("needs-flag")
    assert not host.holds(manager.start)
    assert states(host, "needs-flag") == ["failed"]
    assert host.holds(manager.stopped)
    (host.home.parent / "flag").touch()
    assert host.holds(manager.reset)
    assert host.holds(manager.start)
    assert host.holds(manager.running)


@pytest.mark.long
def test_one_that_does_not_start_fails_the_start_of_all(host: Box) -> None:
    assert not host.holds(manage("no-file", "off").start)
    assert states(host, "off") == ["running"]


@pytest.mark.long
def test_a_program_that_does_not_exist_is_missing_and_cannot_be_started(host: Box) -> None:
    for unit in ("nope", "nope:*", "jobs:nope", "jobs", "-x"):
        manager = manage(unit)
        assert states(host, unit) == ["missing"], unit
        assert not host.holds(manager.running), unit
        assert not host.holds(manager.start), unit


def test_the_logs_have_what_each_program_printed_on_both_streams(host: Box) -> None:
    logs = manage("web", "jobs:*").logs
    assert eventually(lambda: {"to stdout", "to stderr"} <= set(host.run(logs).stdout.split("\n")))


def test_nothing_is_known_where_supervisord_does_not_answer(host: Box) -> None:
    (host.home.parent / "supervisord.conf").write_text("[supervisorctl]\nserverurl=unix:///nonexistent/socket\n")
    manager = manage("web")
    assert not host.holds(manager.running)
    assert not host.holds(manager.stopped)
    assert states(host, "web") == ["unknown"]
    (host.home.parent / "supervisord.conf").write_text(CONFIGURATION.format(home=host.home.parent))
