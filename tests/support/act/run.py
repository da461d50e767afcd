"""One run of a workflow: while it goes on, and when it is over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.act.journal import Journal
from tests.support.lab.ground import wait_until


@dataclass(frozen=True)
class Ran:
    """A run that is over. ``left`` is where a workflow may copy what the runner is about to throw away."""

    code: int
    journal: Journal
    artifacts: Path
    left: Path

    @property
    def record(self) -> dict[str, Any]:
        """The one record that was uploaded as an artifact."""
        (found,) = self.artifacts.rglob("*.json")
        return _document(found)


def _document(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


class Running:
    """A run that is under way."""

    def __init__(self, process: subprocess.Popen[str], directory: Path) -> None:
        self.process, self.directory = process, directory

    def step(self, word: str) -> int:
        """The process that the runner started for a step, once ``word`` is on its command line.

        It is the only process of the step that a runner sends its signals to.
        """
        found: list[int] = []

        def is_there() -> bool:
            self.must_go_on()
            children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
            processes = [pid for file in children for pid in file.read_text().split()]
            found.extend(int(pid) for pid in processes if word in Path(f"/proc/{pid}/cmdline").read_text())
            return bool(found)

        wait_until(is_there, 60, f"a step that runs {word}")
        return found[0]

    def must_go_on(self) -> None:
        """Fails the test when the run is over."""
        assert self.process.poll() is None, self.end().journal.text

    def cancel(self, word: str) -> None:
        """As the runner begins to cancel a job."""
        os.kill(self.step(word), signal.SIGINT)

    def kill(self, word: str) -> None:
        """End a step's process without a word."""
        os.kill(self.step(word), signal.SIGKILL)

    def end(self, within: float = 600) -> Ran:
        try:
            out, err = self.process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"the run did not end within {within} s\n{Journal(out.splitlines()).text}") from None
        journal = Journal(out.splitlines())
        assert "Traceback" not in journal.text, journal.text
        assert journal.events, err
        assert "GoGitActionCache" not in out, "the run wanted an action from the network"
        return Ran(self.process.returncode, journal, self.directory / "artifacts", self.directory / "left")
