"""A service in a directory of the test's own, and the on-host program in the shell of the test's choice."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, Self

from rollback_ops.config import Service
from rollback_ops.core.model import Note, ServiceId, StepReport, SwitchOrder, SwitchResult
from rollback_ops.hosts import managers
from rollback_ops.hosts.agent import bundle
from rollback_ops.hosts.agent.client import AgentHost
from rollback_ops.hosts.local import LocalTransport
from tests.support.toolbox import tool

# What a run notes of a release, without a reason.
GOOD: tuple[Note, str] = ("good", "")
BAD: tuple[Note, str] = ("bad", "")
RUN = "20240101T000000Z-00000001"
# The tools of this machine.
MACHINE = "/usr/sbin:/usr/bin:/sbin:/bin"
# The service is a file that names the release that it was started from.
COMMANDS = {
    "start": 'basename "$(pwd -P)" >"$ROLLBACK_ROOT/running"',
    "stop": 'rm "$ROLLBACK_ROOT/running"',
    "status": 'test -e "$ROLLBACK_ROOT/running"',
    "logs": 'echo "the log of $(basename "$(pwd -P)")"',
}


class Sandbox:
    """Releases r1, r2 and r3, of which r3 is live; ``shell`` is what ``sh`` means to everything that runs there."""

    def __init__(self, directory: Path, shell: str, commands: Mapping[str, str] | None = None, **settings: Any) -> None:
        self.root = directory / "service"
        self.releases = self.root / "releases"
        self.current = self.root / "current"
        self.store = self.root / ".rollback"
        self.about = ServiceId("rosey", "prod")
        self.state = self.store / "rosey@prod"
        for name in ("r1", "r2", "r3"):
            self.release(name)
        self.current.symlink_to(self.releases / "r3")
        (self.root / "running").write_text("r3\n")
        self.tools = directory / "bin"
        self.tools.mkdir()
        (self.tools / "sh").symlink_to(tool(shell))
        said = {"root": str(self.root), "releases": "releases", "pattern": "*", "manager": "custom", **settings}
        self.service = service = Service.model_validate(said | {"commands": COMMANDS | dict(commands or {})})
        self.text = bundle.render(self.about, service, managers.build(service, "rosey"))
        self.path = f"{self.tools}:{MACHINE}"
        self.parse = partial(managers.parse, service, "rosey")

    def beside(self, service: str, environment: str, current: str = "current-too") -> Self:
        """Return another service, or environment, on the same root, with a link of its own."""
        other = copy(self)
        other.about, other.state = ServiceId(service, environment), self.store / f"{service}@{environment}"
        other.current = self.root / current
        if not other.current.is_symlink():
            other.current.symlink_to(self.releases / "r3")
        other.service = self.service.model_copy(update={"current": current})
        other.text = bundle.render(other.about, other.service, managers.build(other.service, service))
        return other

    @property
    def host(self) -> AgentHost:
        return self.host_with(self.path)

    def host_with(self, path: str) -> AgentHost:
        """Return the same with another PATH."""
        return AgentHost(LocalTransport("here", {"PATH": path}), self.text, self.parse, switch_within=20)

    def release(self, name: str) -> Path:
        """Make one more release, with a file in it."""
        place = self.releases / name
        place.mkdir(parents=True)
        (place / "app").write_text(f"the program of {name}\n")
        return place

    def execute(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """One operation of the program (or of another text in its place) as a host runs it."""
        return subprocess.run(
            ["sh", "-c", bundle.command(self.text if text is None else text, *arguments)],
            env={"PATH": self.path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def killing(self, program: str) -> str:
        """Return a PATH where a program kills the process that starts it, as a kernel without memory may."""
        place = self.tools.parent / "killing"
        place.mkdir()
        (place / program).write_text('#!/bin/sh\nkill -KILL "$PPID"\n')
        (place / program).chmod(0o755)
        return f"{place}:{self.path}"

    def runs(self, command: str) -> bool:
        """Whether the shell of this sandbox runs this command line with success."""
        words = [str(self.tools / "sh"), "-c", command]
        return subprocess.run(words, capture_output=True, timeout=60, check=False).returncode == 0

    def order(self, target: str = "r2", **changes: Any) -> SwitchOrder:
        order = {"run": RUN, "source": str(self.releases / "r3"), "owner": "tester", "intent": '{"event":"intent"}'}
        return SwitchOrder(target=target, **(order | changes))

    def switch(self, target: str = "r2", **changes: Any) -> tuple[SwitchResult, list[StepReport]]:
        """Carry a transaction out; its result, and the steps as they were told."""
        told: list[StepReport] = []
        return self.host.switch(self.order(target, **changes), told.append), told

    def running(self) -> str:
        """The release that the service was started from; empty when it does not run."""
        try:
            return (self.root / "running").read_text().strip()
        except FileNotFoundError:
            return ""

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.store / "journal.jsonl").read_text().splitlines()]

    def listing(self) -> list[tuple[str, int, int, int, str]]:
        """Everything under the root: name, inode, size, time of change, and where a link points."""
        found = []
        for path in sorted(self.root.rglob("*")):
            stat = path.lstat()
            link = str(path.readlink()) if path.is_symlink() else ""
            found.append((str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns, link))
        return found
