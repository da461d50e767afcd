"""Break-glass counts a service as down where ``Process`` and ``RunState`` do: one unit of several is enough."""

from __future__ import annotations

import subprocess

import pytest

from rollback_ops.core.model import Unit
from rollback_ops.hosts import managers
from tests.support.toolbox import service, tool
from tests.unit.managers.test_compose import container
from tests.unit.managers.test_supervisor import SHOWN

BLOCK = """\
Type={type}
Result={result}
NRestarts={restarts}
Id={name}.service
LoadState={load}
ActiveState={active}
SubState=dead
ConditionResult=yes
"""


def systemd(*blocks: dict[str, str | int]) -> str:
    plain = {"name": "web", "type": "simple", "result": "success", "restarts": 0, "load": "loaded"}
    return "\n".join(BLOCK.format(**{**plain, **block}) for block in blocks)


RUNS: dict[str, str | int] = {"name": "web", "active": "active"}
WEB_AND_WORKER = ("web", "worker")
CASES = {
    "all run": ("systemd", WEB_AND_WORKER, systemd(RUNS, {"name": "worker", "active": "active"})),
    "one failed": ("systemd", WEB_AND_WORKER, systemd(RUNS, {"name": "worker", "active": "failed"})),
    "the first failed": ("systemd", WEB_AND_WORKER, systemd({"active": "failed"}, {**RUNS, "name": "worker"})),
    "one stopped": ("systemd", WEB_AND_WORKER, systemd(RUNS, {"name": "worker", "active": "inactive"})),
    "a job ended well": (
        "systemd",
        WEB_AND_WORKER,
        systemd(RUNS, {"name": "worker", "active": "inactive", "type": "oneshot"}),
    ),
    "a job failed": (
        "systemd",
        WEB_AND_WORKER,
        systemd(RUNS, {"name": "worker", "active": "failed", "type": "oneshot", "result": "exit-code"}),
    ),
    "one starts": ("systemd", WEB_AND_WORKER, systemd(RUNS, {"name": "worker", "active": "activating"})),
    "one starts again": (
        "systemd",
        WEB_AND_WORKER,
        systemd(RUNS, {"name": "worker", "active": "activating", "restarts": 7}),
    ),
    "one runs again": ("systemd", WEB_AND_WORKER, systemd(RUNS, {"name": "worker", "active": "active", "restarts": 7})),
    "systemd does not answer": ("systemd", WEB_AND_WORKER, "Failed to connect to bus: No such file\n"),
    "programs": ("supervisor", ("crasher", "ends", "fatal", "g:a", "off", "web"), SHOWN),
    "programs that run": ("supervisor", ("web",), SHOWN.split("\n")[8] + "\n"),
    "programs that start": ("supervisor", ("crasher",), SHOWN.split("\n")[0] + "\n"),
    "processes": ("pm2", ("shop",), "app|shop|0|8|online|2|1|\napp|shop|1|0|errored|16|1|\nlisted\n"),
    "processes that wait": ("pm2", ("shop",), "app|shop|0|8|waiting?restart|2|1|\nlisted\n"),
    "processes that run": ("pm2", ("shop",), "app|shop|0|8|online|2|1|\nlisted\n"),
    "containers that run": (
        "compose",
        (),
        f"{container('running')}\n{container('running', 'job')}\nservices|job web\n",
    ),
    "a container that is unhealthy": (
        "compose",
        (),
        f"{container('running')}\n{container('running', 'job', health='unhealthy')}\nservices|job web\n",
    ),
    "a container that crashed": (
        "compose",
        (),
        f"{container('running', 'job')}\n{container('exited', code=3)}\nservices|job web\n",
    ),
    "a container that starts again": (
        "compose",
        (),
        f"{container('restarting', code=1).replace('|0|then', '|4|then')}\nservices|web\n",
    ),
    "a container of no service": (
        "compose",
        (),
        f"{container('running')}\n{container('exited', 'old', 3)}\nservices|web\n",
    ),
    "a job of Compose": (
        "compose",
        (),
        f"{container('running', waits_for='job:service_completed_successfully:false')}\n{container('exited', 'job')}\n"
        "services|job web\n",
    ),
    "a dead container": ("compose", (), f"{container('dead')}\nservices|web\n"),
    "a broken compose file": ("compose", (), f"{container('running')}\nunusable|bad yaml\n"),
    "a command that says no": ("custom", (), "status=3\n"),
    "a command that could not be run": ("custom", (), "status=127\n"),
    "a command that says yes": ("custom", (), "status=0\n"),
    "files": ("none", (), "files\n"),
}


def words(unit: Unit) -> str:
    """Return the word for a unit that ``RunState`` takes for evidence against the release; else an empty text."""
    if unit.state in ("stopped", "failed"):
        return "stopped"
    return "crashed" if unit.state == "starting" and unit.restarts else ""


@pytest.mark.parametrize("sed", ["sed", "busybox"])
@pytest.mark.parametrize(("manager", "units", "text"), CASES.values(), ids=CASES)
def test_break_glass_finds_down_what_the_command_does(
    sed: str, manager: str, units: tuple[str, ...], text: str
) -> None:
    settings = service(manager, *units, project="shop") if manager == "compose" else service(manager, *units)
    script = managers.reader(settings).down
    command = [tool(sed), *(["sed"] if sed == "busybox" else []), "-nE", script]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    found = {line.split()[0] for line in done.stdout.splitlines() if line.startswith(("stopped", "crashed"))}
    assert found == {words(unit) for unit in managers.parse(settings, "rosey", text)} - {""}
