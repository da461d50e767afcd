"""One command of one process: its environment and secrets, where it prints, and the exit code that it ends with."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rollback_ops.cli import exit as process
from rollback_ops.core.errors import Exit, RollbackOpsError

if TYPE_CHECKING:
    from rollback_ops.cli.actions.step import Step
    from rollback_ops.cli.output.terminal import Console
    from rollback_ops.commands.context import Context
    from rollback_ops.config.secrets import Secrets
    from rollback_ops.core.redaction import Redactor
    from rollback_ops.core.tasks import Cancellation

_PACKAGE = f"{os.sep}rollback_ops{os.sep}"
_LONGEST_DEFECT = 300
# Seconds for what may still be finished after the runner's SIGINT (its SIGTERM follows after 7.5 s), and after SIGTERM
# (it kills the process 2.5 s later).
_GRACE = {signal.SIGINT: 6.0, signal.SIGTERM: 1.5}


def _process_started_at() -> datetime:
    """Return when this process began, as Linux knows it (proc(5): field 22 of ``stat``); elsewhere the time now."""
    now = datetime.now(UTC)
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return now
    return now - timedelta(seconds=max(0.0, uptime - ticks / os.sysconf("SC_CLK_TCK")))


class Session:
    """The process of one command. Each part is made when it is first needed: ``--help`` needs none.

    ``environ`` is read here and nowhere else in the package.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.started_at = _process_started_at()
        # From when the settings are loaded, the redactor of the command's context, with their ``mask`` patterns.
        self.redactor: Redactor | None = None

    @cached_property
    def secrets(self) -> Secrets:
        from rollback_ops.config.secrets import Secrets

        return Secrets.read(self.environ)

    def redact(self, text: str) -> str:
        """Hide secrets in a text that is about to be shown."""
        if self.redactor is None:
            from rollback_ops.core.redaction import Redactor

            self.redactor = Redactor(self.secrets.texts())
        return self.redactor(text)

    @cached_property
    def step(self) -> Step:
        """The step of the GitHub Actions workflow that the command runs in, or one that does nothing."""
        from rollback_ops.cli.actions.step import ActionsStep, Step

        if self.environ.get("GITHUB_ACTIONS") != "true":
            return Step()
        return ActionsStep(self.environ, self.secrets.texts(), self.redact)

    @cached_property
    def console(self) -> Console:
        from rollback_ops.cli.output.terminal import Console

        # A terminal that calls itself dumb cannot replace a line.
        terminal = sys.stderr.isatty() and self.environ.get("TERM", "dumb") != "dumb"
        return Console(self.step, self.redact, plain=bool(self.environ.get("NO_COLOR")), terminal=terminal)

    def run(self, command: Callable[[], object]) -> int:
        """Run a command. Returns its exit code; no exception and no traceback gets past this."""
        in_actions = self.environ.get("GITHUB_ACTIONS") == "true"
        if in_actions:
            self.step.begin()
        code = self._code_of(command)
        if in_actions:
            self.step.end(code)
        return code

    def crashed(self, error: Exception) -> None:
        """Report a defect in a thread that no code waits for."""
        process.warn(*map(self.step.harmless, self._defect(error)))

    def ask(self, question: str) -> str:
        """Return the answer of a person at the terminal; empty where there is no terminal."""
        if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
            return ""
        sys.stderr.write(question)
        sys.stderr.flush()
        return sys.stdin.readline().strip()

    def ask_for_reason(self, context: Context) -> None:
        """Ask a person at a terminal for the reason that is missing, until it can be recorded or nothing is typed."""
        from dataclasses import replace

        from rollback_ops.cli.output.text import Line
        from rollback_ops.config.reason import is_missing, reason_for
        from rollback_ops.core.errors import UsageError

        while is_missing(context.request) and (answered := self.ask("Why? ")):
            asked = replace(context.request, reason=answered)
            try:
                reason_for(asked)
            except UsageError as error:
                self.console.show([Line(error.message, "bad")], err=True)
            else:
                context.request = asked

    @contextmanager
    def listening(self) -> Iterator[Cancellation]:
        """Let SIGINT and SIGTERM stop the command. It still follows transactions that began, for a few seconds."""
        from rollback_ops.core.tasks import Cancellation

        cancellation = Cancellation()
        for number in _GRACE:
            signal.signal(number, lambda n, _: cancellation.ask(n, _GRACE[signal.Signals(n)]))
        try:
            yield cancellation
        finally:
            # The result is out. A signal could only break the end.
            for number in _GRACE:
                signal.signal(number, signal.SIG_IGN)

    def _code_of(self, command: Callable[[], object]) -> int:
        try:
            code = self._expected(command)
            sys.stdout.flush()
        except process.OutputError as error:
            return process.unprinted(error)
        except Exception as error:
            # Python's own exit code would be 1, which means that nothing was changed. That is not known here.
            self._tell_of(error)
            return Exit.FAILED
        return code

    def _tell_of(self, error: Exception) -> None:
        try:
            lines = self._defect(error)
            self.step.because(lines)
            process.warn(*map(self.step.harmless, lines))
        except Exception:
            # No file can be opened, so no module can be imported. Text that cannot be redacted is not shown.
            number = f": [Errno {error.errno}]" if isinstance(error, OSError) else ""
            process.warn(f"error: a defect in rollback-ops: {type(error).__name__}{number}")

    def _expected(self, command: Callable[[], object]) -> int:
        try:
            command()
        except process.Ended as ended:
            return ended.code
        except RollbackOpsError as error:
            from rollback_ops.cli.output.text import explained

            lines = list(explained(error))
            self.step.because(line.text for line in lines)
            self.console.show(lines, err=True)
            return error.exit_code
        except SystemExit as left:
            # Click's own exit: 0 for help and version, and a code for wrong usage.
            return Exit.USAGE if left.code else Exit.OK
        return Exit.OK

    def _defect(self, error: Exception) -> tuple[str, ...]:
        """Describe a defect in a few lines, with its secrets redacted."""
        from traceback import extract_tb

        from rollback_ops.core.text import one_line, short

        what = short(one_line(self.redact(f"{type(error).__name__}: {error}")), _LONGEST_DEFECT)
        frames = [frame for frame in extract_tb(error.__traceback__) if _PACKAGE in frame.filename]
        places = [f"{frame.filename.rpartition(_PACKAGE)[2]}:{frame.lineno} {frame.name}" for frame in frames[-5:]]
        return (
            f"error: a defect in rollback-ops: {what}",
            "  Run `rollback-ops list` to see what is live now, and please report this:",
            f"  {' > '.join(places)}",
        )
