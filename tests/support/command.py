"""Runs ``rollback-ops`` as a process of its own, as a person or a workflow would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import warm
from tests.support.warm import Process

# A command that takes longer hangs (seconds).
PATIENCE = 180
_started: list[Process] = []


def end_all() -> None:
    """End the commands that a test started and left, and close their outputs: a later test would be blamed for them."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE)


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout (``--json``)."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


@dataclass
class RollbackOps:
    """The command in a directory with a rollback.toml, with nothing of the person's own environment but PATH.

    Where it is not ``warm``, it is started as a person starts it, from nothing.
    """

    directory: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    warm: bool = True

    def settings(self, toml: str) -> None:
        (self.directory / "rollback.toml").write_text(toml)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        here = {"PATH": os.environ["PATH"], "HOME": str(self.directory), "USER": "tester", "PYTHONWARNINGS": "error"}
        return {**here, **self.secrets, **(extra or {})}

    def start(self, *arguments: str, **variables: str) -> Process:
        _started.append(self._start(*arguments, **variables))
        return _started[-1]

    def _start(self, *arguments: str, **variables: str) -> Process:
        if self.warm:
            return warm.start(arguments, self.directory, self.environment(variables))
        return subprocess.Popen(
            [Path(sys.executable).with_name("rollback-ops"), *arguments],
            cwd=self.directory,
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, **variables: str) -> Ended:
        process = self.start(*arguments, **variables)
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{arguments} did not end within {PATIENCE} s\n{out}\n{err}") from None
        assert "Traceback" not in err, err
        return Ended(process.returncode, out, err)
