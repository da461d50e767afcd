"""Shows each command of the demo, runs it as a person would, and compares its exit code."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from rollback_ops.cli.actions.step import Step
from rollback_ops.cli.output.terminal import Console
from rollback_ops.cli.output.text import Line, Style
from rollback_ops.core.errors import Cancelled, Exit, Refused
from rollback_ops.core.redaction import Redactor

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stage:
    """Runs commands. A signal ends the running command, and then the demo at its next step, never in a clean-up."""

    def __init__(self) -> None:
        self._console = Console(Step(), Redactor(), plain=bool(os.environ.get("NO_COLOR")))
        self._signal = 0
        self._running: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Stage:
        self._previous = {number: signal.signal(number, self._stop) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _stop(self, number: int, _: FrameType | None) -> None:
        self._signal = number
        if self._running is not None:
            self._running.terminate()

    def check(self) -> None:
        """Raise ``Cancelled`` if a signal came."""
        if self._signal:
            raise Cancelled(signal.SIGINT if self._signal == signal.SIGINT else signal.SIGTERM)

    def say(self, text: str, style: Style = "") -> None:
        self.check()
        self._console.show([Line(text, style)])

    def run(self, *arguments: str, directory: Path, secrets: Mapping[str, str], expected: Exit = Exit.OK) -> None:
        """Show a ``rollback-ops`` command and run it. Its output goes to ours.

        Raises ``Refused`` when it does not end as ``expected``, and ``Cancelled``.
        """
        shown = f"rollback-ops {' '.join(map(_quoted, arguments))}"
        self.say(f"\n$ {shown}", "strong")
        code = self._wait(_start(arguments, directory, secrets))
        self.check()
        if code != expected:
            raise Refused(f"the demo went wrong: `{shown}` ended with exit code {code} instead of {int(expected)}")

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        self._running = process
        if self._signal:
            process.terminate()
        try:
            return process.wait()
        finally:
            self._running = None


def _start(arguments: tuple[str, ...], directory: Path, secrets: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # In a session of its own: the terminal sends its Ctrl-C to us alone, and we pass it on once.
    return subprocess.Popen(
        [sys.executable, "-m", "rollback_ops", *arguments],
        cwd=directory,
        env=_environment(secrets),
        stdin=subprocess.DEVNULL,
        stdout=sys.stdout,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _environment(secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the person's environment without the variables that would configure the command."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("ROLLBACK_", "GITHUB_"))}
    return {**ours, **secrets}


def _quoted(argument: str) -> str:
    return f'"{argument}"' if " " in argument else shlex.quote(argument)
