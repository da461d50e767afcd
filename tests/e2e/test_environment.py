"""The environment of the service's own commands, on real hosts: the same wherever they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.scene import WHY, quick

Deploy = Callable[..., Deployed]

TWO = {"b1": "healthy", "b2": "healthy"}
LOGIN = {"HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "XDG_RUNTIME_DIR"}
SHELLS_OWN = {"PWD", "OLDPWD", "SHLVL", "_"}
OURS = {"ROLLBACK_ROOT", "ROLLBACK_CURRENT", "ROLLBACK_STATE", "ROLLBACK_SUDO"}


def note(place: str) -> str:
    """Write the environment at once: the program may ask for the status again while it is read."""
    file = f"$ROLLBACK_ROOT/env.{place}"
    return f'env | sort >"{file}.$$" && mv "{file}.$$" "{file}"'


def settings(service: Deployed) -> dict[str, Any]:
    """A custom manager, and checks before and after, each of which notes what its environment is."""
    start = "systemctl start" if service.plan.owner == "root" else "sudo -n systemctl start"
    commands = {
        "stop": f"{note('stop')}; {start.replace('start', 'stop')} {service.name}",
        "start": f"{note('start')}; {start} {service.name}",
        "status": f"{note('status')}; systemctl is-active -q {service.name}",
        "logs": note("logs"),
    }
    before = {"kind": "command", "run": note("before"), "phase": "before"}
    after = {"kind": "command", "run": note("after")}
    checks = {"before": before, "after": after, "logs": {"kind": "logs", "command": note("read")}}
    return {"manager": "custom", "units": [], "commands": commands, "checks": checks, "pattern": "b*"}


def environment(service: Deployed, place: str) -> dict[str, str]:
    lines = service.host.read(f"{service.root}/env.{place}").splitlines()
    found = dict(line.split("=", 1) for line in lines)
    return {name: value for name, value in found.items() if name not in SHELLS_OWN}


@pytest.mark.parametrize("owner", ["root", "deploy"])
def test_commands_have_the_environment_of_the_login_wherever_they_run(
    rollback_ops: RollbackOps, deploy: Deploy, owner: str
) -> None:
    service = deploy(owner=owner, releases=TWO)
    rollback_ops.settings(quick(service, **settings(service)))
    places = ("stop", "start", "status", "before", "after", "read")
    assert rollback_ops("install", "prod").code == 0

    ended = rollback_ops("rollback", "prod", *WHY)

    assert ended.code == 0, ended.err
    found = {place: environment(service, place) for place in places}
    expected = found["after"]
    assert set(expected) <= LOGIN | OURS
    assert expected["ROLLBACK_ROOT"] == service.root
    assert expected["ROLLBACK_SUDO"] == ("" if owner == "root" else "sudo -n")
    login = service.host.ssh("env", user=owner).stdout.splitlines()
    assert {f"{name}={expected[name]}" for name in ("HOME", "USER", "LOGNAME", "SHELL", "PATH")} <= set(login)
    assert found == dict.fromkeys(places, expected)

    line = f"LC_ALL=POSIX SECRET=x {service.root}/.rollback/rollback --to b2 --reason 'by hand'"
    by_hand = service.host.ssh(line, user=owner, check=False)
    assert by_hand.returncode == 0, by_hand.stderr
    assert {place: environment(service, place) for place in places} == found
