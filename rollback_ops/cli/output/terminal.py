"""Where lines go: progress to stderr as it happens, results to stdout. Colour only on a terminal; NO_COLOR holds."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence

import typer

from rollback_ops.cli.actions import step
from rollback_ops.cli.output import text
from rollback_ops.cli.output.text import Line
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.health import Verification
from rollback_ops.core.model import StepReport, SwitchResult
from rollback_ops.core.record import Record
from rollback_ops.core.redaction import mask
from rollback_ops.core.text import one_line

_STYLES: dict[str, dict[str, object]] = {
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "warning": {"fg": "yellow"},
    "faint": {"dim": True},
    "strong": {"bold": True},
}


_WIDEST = 400


def show(lines: Iterable[Line], *, err: bool = False) -> None:
    """Each line without secrets, and as nothing but itself to a terminal and to the runner of a workflow."""
    colour = False if os.environ.get("NO_COLOR") else None
    for line in lines:
        text = "\n".join(step.shown(one_line(part)) for part in mask(line.text).split("\n"))
        styled = typer.style(text, **_STYLES[line.style]) if line.style else text  # type: ignore[arg-type]
        typer.echo(styled, err=err, color=colour)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table with as much room as it needs: a name that is cut short cannot be copied."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    grid = Table(*(Column(name, no_wrap=True) for name in columns), box=None, pad_edge=False)
    for row in rows:
        grid.add_row(*(Text(one_line(cell)) for cell in row))
    # To a terminal that calls itself dumb rich gives 80 columns, whatever it is told.
    console = Console(highlight=False, width=_WIDEST, force_terminal=False)
    with console.capture() as drawn:
        console.print(grid, crop=False)
    show(Line(line) for line in drawn.get().splitlines())


class TerminalProgress:
    """Tells of a rollback on stderr, line by line; several hosts may speak at once.

    ``changing`` and ``changed`` are who else is to know that hosts are about to be changed, and that they are.
    """

    def __init__(self, *, changing: Callable[[Record], None], changed: Callable[[], None], quiet: bool = False) -> None:
        self.changing = changing
        self.changed = changed
        self._quiet = quiet
        self._lock = threading.Lock()

    def _say(self, lines: Iterable[Line]) -> None:
        if not self._quiet:
            with self._lock:
                show(lines, err=True)

    def phase(self, name: str, detail: str) -> None:
        if self._quiet or not step.group(mask(f"{name}: {detail}")):
            self._say([Line(f"▸ {name}: {detail}", "strong")])

    def lost(self, host: str, error: RollbackOpsError) -> None:
        """Also when quiet: only here stands what to do about it."""
        with self._lock:
            show([Line(f"  ✗ {host}  {str(error).removeprefix(f'{host}: ')}", "bad")], err=True)

    def step(self, host: str, taken: StepReport) -> None:
        self._say([text.step(host, taken)])

    def switched(self, host: str, result: SwitchResult) -> None:
        if result.reason:
            self._say([Line(f"  {host}  {result.outcome.replace('_', ' ')}: {result.reason}", "warning")])
        self.logs(host, result.log_tail)

    def verified(self, host: str, found: Verification) -> None:
        self._say(text.verification(host, found))

    def logs(self, host: str, lines: Sequence[str]) -> None:
        self._say(text.log(host, lines))
