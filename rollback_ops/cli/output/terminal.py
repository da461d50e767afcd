"""Prints lines: progress to stderr as it happens, results to stdout. Colour only on a terminal; NO_COLOR holds."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from rollback_ops.cli.actions.step import Step
from rollback_ops.cli.output import text
from rollback_ops.cli.output.counter import Counter
from rollback_ops.cli.output.text import Line
from rollback_ops.core.agreeing import FEW
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.health import Verification
from rollback_ops.core.model import StepReport, SwitchResult
from rollback_ops.core.text import cells, one_line, short, with_texts

_STYLES: dict[str, dict[str, object]] = {
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "warning": {"fg": "yellow"},
    "faint": {"dim": True},
    "strong": {"bold": True},
}
# Between two columns of a table.
_BETWEEN = "  "
# Back to the beginning of the line, and remove what stands there.
_WIPE = "\r\x1b[K"


class Console:
    """Prints lines without secrets, as plain text to the terminal and to the runner of a workflow.

    ``plain``: never in colour. ``terminal``: standard error is a terminal, where a line can be replaced.
    """

    def __init__(
        self, step: Step, redact: Callable[[str], str], *, plain: bool = False, terminal: bool = False
    ) -> None:
        self.terminal = terminal
        self.step = step
        self.redact = redact
        self._colour = False if plain else None
        self._lock = threading.RLock()
        self._transient = False

    def show(self, lines: Iterable[Line], *, err: bool = False) -> None:
        with self._lock:
            self.wipe()
            for line in lines:
                shown = "\n".join(self.step.harmless(one_line(part)) for part in self.redact(line.text).split("\n"))
                styled = click.style(shown, **_STYLES[line.style]) if line.style else shown  # type: ignore[arg-type]
                click.echo(styled, err=err, color=self._colour)

    def replace(self, text: str) -> None:
        """Show one line on the terminal of standard error, in place of the one before. The next line wipes it."""
        # Imported where there is a terminal: with its compressors it takes 3 ms.
        from shutil import get_terminal_size

        with self._lock:
            width = get_terminal_size().columns - 1
            sys.stderr.write(f"{_WIPE}{short(one_line(self.redact(text)), width)}")
            sys.stderr.flush()
            self._transient = True

    def wipe(self) -> None:
        """Remove the line that ``replace`` has shown."""
        with self._lock:
            if self._transient:
                sys.stderr.write(_WIPE)
                sys.stderr.flush()
            self._transient = False

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table with as much room as it needs: a name that is cut short cannot be copied."""
        lines = [list(columns), *([one_line(cell) for cell in row] for row in rows)]
        wide = [max(map(cells, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            padded = (cell + " " * (width - cells(cell)) for cell, width in zip(line, wide, strict=True))
            self.show([Line(_BETWEEN.join(padded).rstrip())])

    def document(self, document: Mapping[str, Any]) -> None:
        """Print one JSON document on stdout, with its secrets redacted."""
        # An encoding other than UTF-8 may lack a character. An escape always works.
        redacted = with_texts(document, self.redact)
        shown = json.dumps(redacted, ensure_ascii=sys.stdout.encoding.lower() != "utf-8", indent=2)
        # In a workflow, ##[ begins a command anywhere in a line. JSON has it in texts only: an escape means the same.
        sys.stdout.write(shown.replace("##[", "#\\u0023[") + "\n")


class TerminalProgress:
    """Shows the progress of a run on stderr, line by line. Several hosts may report at once.

    While it is entered, it also counts the seconds of a phase that takes long.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._lock = threading.Lock()
        self._phase, self._hosts, self._done = "", 0, 0
        self._counter = Counter(console.replace, lambda text: self._show([Line(f"  {text}", "faint")]))

    def __enter__(self) -> TerminalProgress:
        self._counter.start(on_terminal=self._console.terminal)
        return self

    def __exit__(self, *_: object) -> None:
        self._counter.stop()
        self._console.wipe()

    def phase(self, name: str, detail: str, hosts: int = 0) -> None:
        self._phase, self._hosts, self._done = name, hosts, 0
        self._counter.begin(name, hosts)
        if self._quiet or not self._console.step.group(self._console.redact(f"{name}: {detail}")):
            self._show([Line(f"▸ {name}: {detail}", "strong")])

    def lost(self, host: str, error: RollbackOpsError) -> None:
        """Show the error even when quiet: only this line says what to do about it."""
        with self._lock:
            self._console.show([Line(f"  ✗ {host}  {error.without(host)}", "bad")], err=True)

    def at_work(self) -> None:
        """Import the modules that show the result. A failure here is repeated, and reported, when they are used."""
        with suppress(Exception):
            import_module("rollback_ops.cli.show")
            # The rules that hide secrets are compiled for the first text that may hold one.
            self._console.redact("password")

    def step(self, host: str, taken: StepReport) -> None:
        if not self._counts or taken.outcome != "ok":
            self._show([text.step(host, taken)])

    def switched(self, host: str, result: SwitchResult) -> None:
        if result.reason:
            self._show([Line(f"  {host}  {result.outcome.replace('_', ' ')}: {result.reason}", "warning")])
        self.logs(host, result.log_tail)
        self._counter.forget(host)
        self._count()

    def waiting(self, host: str, seconds: float, within: float, missing: str) -> None:
        self._counter.note(host, within, missing)

    def verified(self, host: str, found: Verification) -> None:
        self._counter.forget(host)
        if not (self._counts and found.healthy):
            self._show(text.verification(host, found))
        self._count()

    def logs(self, host: str, lines: Sequence[str]) -> None:
        self._show(text.log(host, lines))

    @property
    def _counts(self) -> bool:
        """Whether hosts without a failure are only counted: nobody reads a line for each step of many hosts."""
        return self._hosts > FEW

    def _count(self) -> None:
        """Count a host that is done. About ten of the counts are shown."""
        if self._counts:
            with self._lock:
                self._done += 1
                done, every = self._done, -(-self._hosts // 10)
            if done % every == 0 or done == self._hosts:
                self._show([text.count(self._phase, done, self._hosts)])

    def _show(self, lines: Iterable[Line]) -> None:
        if not self._quiet:
            with self._lock:
                self._console.show(lines, err=True)
