"""Shells as the hosts have them, and stand-ins for the tools that a manager calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rollback_ops.config import Service

COMMANDS = {"stop": "./bin/stop 'all' # now", "start": "./bin/start", "status": "./bin/status | grep -q up"}

# Prints what it is told to, and writes down how it was called: its name, then each argument, then an empty one.
_STAND_IN = """#!/bin/sh
printf '%s\\0' "${0##*/}" "$@" '' >>"$HOME/calls"
[ ! -e "$HOME/says" ] || cat "$HOME/says"
[ ! -e "$HOME/status" ] || exit "$(cat "$HOME/status")"
"""


def service(manager: str, *units: str, **others: Any) -> Service:
    """Settings whose units were not checked when they were read: the managers have to hold their own door."""
    settings = Service.model_validate({"root": "/srv/rosey", "manager": manager, **others})
    return settings.model_copy(update={"units": units})


def tool(name: str) -> str:
    """The path of a program that the machine must have; where it is missing the test is left out, but never in CI."""
    path = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return path


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@dataclass(frozen=True)
class Box:
    """A directory with a shell, a PATH of its own, and the live release."""

    home: Path
    shell: Sequence[str]
    path: str

    def run(self, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command line as the program on the host does."""
        given = {"PATH": self.path, "HOME": str(self.home), "ROLLBACK_SUDO": ""}
        given |= {"ROLLBACK_CURRENT": str(self.home / "current")}
        return subprocess.run(
            [*self.shell, "-c", command],
            env=given | {"LC_ALL": "C", "ROLLBACK_ROOT": str(self.home)} | variables,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def holds(self, command: str) -> bool:
        return self.run(command).returncode == 0

    def says(self, text: str, status: int = 0) -> None:
        """Set what every stand-in prints and answers from now on."""
        (self.home / "says").write_text(text)
        (self.home / "status").write_text(str(status))

    def calls(self) -> list[list[str]]:
        """Return the calls of the stand-ins since the last time."""
        log = self.home / "calls"
        text = log.read_text() if log.exists() else ""
        log.unlink(missing_ok=True)
        return [call.split("\0") for call in text.split("\0\0")[:-1]]


def make_box(home: Path, shell: str, *stand_ins: str) -> Box:
    """``shell`` is dash, with the machine's own tools, or busybox, with BusyBox's."""
    tools = home / "bin"
    tools.mkdir(parents=True)
    (home / "current").mkdir()
    if shell == "busybox":
        for applet in ("cat", "grep", "tail", "id", "sleep"):
            (tools / applet).symlink_to(tool("busybox"))
    for name in stand_ins:
        (tools / name).write_text(_STAND_IN)
        (tools / name).chmod(0o755)
    return Box(home, [tool("busybox"), "sh"] if shell == "busybox" else [tool("dash")], f"{tools}:/usr/bin:/bin")
