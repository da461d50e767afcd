"""The requests of a rollback to a host before its outcome is known, and the programs that are started for them.

A request costs a round trip, and a program a millisecond or more of the host, while the service is down or bad. So a
feature that adds one is seen here first. The counts are exact, and do not depend on how fast the machine is.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from rollback_ops.commands import rollback
from rollback_ops.commands.context import load_settings, open_context
from rollback_ops.config.request import CommandOptions
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.tasks import Cancellation
from tests.support.agent_sandbox import MACHINE
from tests.support.fakes import Listener
from tests.support.lab.toml import dump
from tests.support.toolbox import tool

# Notes its name and its first word (of a shell that runs the agent: the operation), and becomes the program itself.
_COUNTED = """#!{shell}
name=${{0##*/}}
case $name,${{3:-}} in sh,rollback-ops) said=$5 ;; *) said=${{1:-}} ;; esac
printf '%s %s\\n' "$name" "$said" >>{log}
for place in {places}; do
    [ ! -x "$place/$name" ] || exec "$place/$name" "$@"
done
exit 127
"""
_SYSTEMCTL = """#!{shell}
printf '%s %s\\n' systemctl "$1" >>{log}
[ "$1" != show ] || printf '%s\\n' Id=shop.service LoadState=loaded ActiveState=active SubState=running MainPID=0
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Count every program that is started through PATH. Returns the file that names them."""
    log, tools, shell = tmp_path / "programs", tmp_path / "bin", tool("dash")
    tools.mkdir()
    counted = tools / ".counted"
    counted.write_text(_COUNTED.format(shell=shell, log=log, places=MACHINE.replace(":", " ")))
    counted.chmod(0o755)
    for place in map(Path, MACHINE.split(":")):
        for name in {program.name for program in place.iterdir()} - {"systemctl", "systemd-run"}:
            if not (tools / name).is_symlink():
                (tools / name).symlink_to(counted)
    (tools / "systemctl").write_text(_SYSTEMCTL.format(shell=shell, log=log))
    (tools / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    return log


def roll_back(root: Path, target: str) -> None:
    """Roll back on this machine, and let the state that the switch reports pass the only check."""
    settings = root.with_suffix(".toml")
    service = {
        "root": str(root),
        "units": ["shop"],
        "checks": {"process": {"kind": "process"}},
        "verify": {"min_healthy_time": "0s"},
    }
    settings.write_text(dump({"services": {"shop": service}, "environments": {"prod": {}}}))
    options = CommandOptions(environment="prod", local=True, backup=target, reason="logins fail")
    context = open_context(load_settings(str(settings), {}), {}, options, Secrets())
    result = rollback.rollback(context, Listener(), Cancellation())
    assert result.record.outcome == "succeeded"


def started(log: Path) -> dict[str, list[str]]:
    """Return the programs that each operation of the agent started, sorted: some run at the same time.

    The login shell is left out, and what only waits: on a slow machine that is started more often.
    """
    operations: dict[str, list[str]] = {"": []}
    for line in log.read_text().splitlines():
        name, _, said = line.partition(" ")
        if name == "sh" and said.isalpha():
            operations[said] = []
        waits = name == "sleep" or ("switch" in operations and (name, said) in WAITING)
        if not (waits or line == "sh -c"):
            operations[list(operations)[-1]].append(name)
    return {operation: sorted(names) for operation, names in operations.items() if operation}


def without(found: list[str], expected: list[str]) -> list[str]:
    """Return what was found besides what is expected, all of which has to be there."""
    counted = Counter(found)
    counted.subtract(expected)
    assert min(counted.values()) >= 0
    return list(counted.elements())


# How `switch` asks, after some seconds without news, whether the worker still lives.
WAITING = (("flock", "-s"), ("true", ""))


@pytest.mark.skipif(os.geteuid() != 0, reason="another user needs sudo, which starts more programs")
def test_a_rollback_asks_a_host_three_times_and_starts_only_these_programs_there(
    programs: Path, tmp_path: Path
) -> None:
    root = tmp_path / "shop"
    for name in ("b1", "b2", "b3"):
        (root / "releases" / name).mkdir(parents=True)
        (root / "releases" / name / "app").write_text(name)
    (root / "current").symlink_to("releases/b3")
    roll_back(root, "b2")
    programs.unlink()
    roll_back(root, "b1")
    found = started(programs)
    assert list(found) == ["survey", "switch", "record"]
    assert " ".join(found["survey"]) == "flock readlink sh sh stat stat stat systemctl timeout true"
    switch = [
        *("sh", "mkdir", "mkfifo", "setsid", "sh", "sh"),
        # Lock, lease and intent
        *("flock", "flock", "date", "mv", "readlink", "ln", "tail", "sync"),
        # Stop, switch, start, and what the service looks like then
        *("timeout", "sh", "systemctl", "mv", "timeout", "sh", "systemctl", "timeout", "sh", "systemctl"),
        # The end in the journal
        *("date", "sync", "mv"),
    ]
    # Where all that took a second, the lease of the verification is written again, twice at most.
    assert without(found["switch"], switch) in ([], ["mv"], ["mv", "mv"])
    assert " ".join(found["record"]) == "flock sh stat stat sync"
