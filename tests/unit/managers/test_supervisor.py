"""The output of supervisorctl 4.2.5; test_supervisor_real.py runs a real one."""

from __future__ import annotations

import pytest

from rollback_ops.core.model import Unit
from rollback_ops.hosts import managers
from tests.support.toolbox import Box, service

SHOWN = """\
crasher                          BACKOFF   Exited too quickly (process log may have details)
ends                             EXITED    Nov 23 12:53 PM
fatal                            FATAL     Exited too quickly (process log may have details)
g:a                              RUNNING   pid 10110, uptime 0:00:03
g:b                              STARTING
noexec                           BACKOFF   can't find command '/nonexistent/x'
off                              STOPPED   Not started
stubborn                         STOPPING
web                              RUNNING   pid 10113, uptime 1 day, 0:00:03
odd                              UNKNOWN
nope: ERROR (no such process)
gone: ERROR (no such group)
""".replace("ING\n", "ING  \n")

UNITS = {
    "crasher": Unit("crasher", "starting", detail="BACKOFF Exited too quickly (process log may have details)"),
    "ends": Unit("ends", "stopped", detail="EXITED Nov 23 12:53 PM"),
    "fatal": Unit("fatal", "failed", detail="FATAL Exited too quickly (process log may have details)"),
    "g:a": Unit("g:a", "running", 10110, invocation="10110"),
    "g:b": Unit("g:b", "starting", detail="STARTING"),
    "noexec": Unit("noexec", "starting", detail="BACKOFF can't find command '/nonexistent/x'"),
    "off": Unit("off", "stopped"),
    "stubborn": Unit("stubborn", "stopping", detail="STOPPING"),
    "web": Unit("web", "running", 10113, invocation="10113"),
    "odd": Unit("odd", "unknown", detail="UNKNOWN"),
    "nope": Unit("nope", "missing"),
    "gone:*": Unit("gone:*", "missing"),
    "never-shown": Unit("never-shown", "unknown"),
}


def test_programs_are_reported_in_the_order_of_the_settings() -> None:
    assert managers.parse(service("supervisor", *reversed(UNITS)), "rosey", SHOWN) == tuple(reversed(UNITS.values()))


@pytest.mark.parametrize("group", ["g:*", "g:"])
def test_a_group_means_all_its_programs(group: str) -> None:
    units = managers.parse(service("supervisor", group), "rosey", SHOWN)
    assert units == (UNITS["g:a"], UNITS["g:b"])


def test_a_program_that_is_named_twice_is_reported_once() -> None:
    units = managers.parse(service("supervisor", "g:a", "g:*", "web:web"), "rosey", SHOWN)
    assert units == (UNITS["g:a"], UNITS["g:b"], UNITS["web"])


def test_all_means_every_program() -> None:
    assert len(managers.parse(service("supervisor", "all"), "rosey", SHOWN)) == 10


@pytest.mark.parametrize(
    ("text", "running", "stopped"),
    [
        ("web                              RUNNING   pid 1, uptime 0:00:03\n", True, False),
        ("web                              BACKOFF   Exited too quickly\n", False, False),
        ("web                              STARTING  \n", False, False),
        ("web                              STOPPING  \n", False, False),
        ("web                              STOPPED   Nov 23 12:54 PM\n", False, True),
        ("web                              EXITED    Nov 23 12:54 PM\n", False, True),
        ("web                              FATAL     Exited too quickly\n", False, True),
        ("web                              UNKNOWN   \n", False, False),
        ("web: ERROR (no such process)\n", False, True),
        ("g:*: ERROR (no such group)\n", False, True),
        ("a       RUNNING   pid 1, uptime 0:00:03\nb       STOPPED   Not started\n", False, False),
        ("a       STOPPED   Not started\nb       FATAL     Exited\n", False, True),
        ("unix:///var/run/supervisor.sock no such file\n", False, False),
        ("unix:///var/run/supervisor.sock refused connection\n", False, False),
        ("error: <class 'PermissionError'>, [Errno 13] Permission denied: file: socket.py line: 859\n", False, False),
        ("", False, False),
    ],
)
# A status of 0 says nothing: supervisorctl has it for BACKOFF too, and 3 for what is stopped.
@pytest.mark.parametrize("status", [0, 3])
def test_running_and_stopped_read_the_text_and_not_the_exit_status(
    text: str, running: bool, stopped: bool, status: int, box: Box
) -> None:
    manager = managers.build(service("supervisor", "web"), "rosey")
    box.says(text, status)
    assert (box.holds(manager.running), box.holds(manager.stopped)) == (running, stopped)
