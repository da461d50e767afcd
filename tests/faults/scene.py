"""One rollback on one host, other commands at the same time, and what can be observed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.gates import Gates
from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost
from tests.support.scene import WHY
from tests.support.warm import Process

# What a command may take on a busy machine before it counts as one that hangs (seconds).
PATIENCE = 60.0
NEW = "b6"
RELEASES = {f"b{number}": "healthy" for number in (1, 2, 3, 4, 5)}
TARGET, SOURCE = "b4", "b5"


@dataclass(frozen=True)
class Run:
    """How one command ended. No code: it was killed, or it hung. Nothing in the record: it printed none."""

    name: str
    code: int | None
    record: dict[str, Any] = field(default_factory=dict)
    said: str = ""
    hung: bool = False

    @property
    def host(self) -> dict[str, Any]:
        """The outcome of the host in its record."""
        (told,) = self.record.get("hosts") or [{}]
        return dict(told)

    @property
    def to(self) -> str | None:
        """The release that it says that it went to."""
        return (self.record.get("to") or {}).get("release")


@dataclass
class Running:
    """A command that goes on. What it prints fits into its pipes."""

    name: str
    process: Process

    def end(self, within: float = PATIENCE) -> Run:
        try:
            out, said = self.process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return Run(self.name, None, hung=True)
        killed = self.process.returncode < 0
        return Run(self.name, None if killed else self.process.returncode, json.loads(out) if out.strip() else {}, said)


@dataclass
class Scene:
    """``go``: let the transaction pass the gate at which it waits."""

    host: LabHost
    gates: Gates
    service: Deployed
    ops: RollbackOps
    others: list[Running] = field(default_factory=list)

    @property
    def root(self) -> str:
        return self.service.root

    def release(self, name: str) -> str:
        return f"{self.service.releases_directory}/{name}"

    def begin(self, name: str, *arguments: str, command: str = "rollback", **variables: str) -> Running:
        # How long a lease keeps the next rollback out is measured here.
        variables = {"ROLLBACK_WAIT": "0s", **variables}
        return Running(name, self.ops.start(command, "prod", *WHY, "--json", *arguments, **variables))

    def go(self) -> None:
        self.gates.open()

    def works(self) -> bool:
        """Return whether anything on the host still works on a transaction, or a unit is there that is about to."""
        process = f"pgrep -f -- '{self.service.state}/[r]uns/'"
        unit = "systemctl list-units --all --plain --no-legend 'rollback-ops-*' | grep ."
        return self.host.run(f"{process} || {unit}", check=False).returncode == 0

    def is_open(self) -> bool:
        """Return whether a transaction was begun and has not ended."""
        return self.host.path(f"{self.service.state}/open").exists()

    def live(self) -> str:
        """What ``current`` points at: the release's name, or a word that says what is wrong with it."""
        try:
            target = self.host.path(f"{self.root}/current").readlink()
        except OSError as error:
            return f"({error.strerror})"
        return target.name if self.is_complete(target.name) else f"({target.name} is not complete)"

    def is_complete(self, name: str) -> bool:
        directory = self.host.path(self.release(name))
        return all((directory / part).is_file() for part in ("service.py", "behaviour", "REVISION"))

    def running(self) -> str:
        """The release that answers on the host; empty when none does."""
        return str((self.service.health() or {}).get("release", ""))

    def journal(self) -> str:
        journal = self.host.path(f"{self.root}/.rollback/journal.jsonl")
        return journal.read_bytes().decode(errors="replace") if journal.exists() else ""


def wait_for(happened: Callable[[], bool], within: float, interval: float = 0.05) -> bool:
    """Return whether it happened in time."""
    end = time.monotonic() + within
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(interval)
    return True
