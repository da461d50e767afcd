"""The step of a GitHub Actions workflow that a command runs in: its part of the run's page.

A part that could not be shown there is a warning in the log, and never changes the exit code of a command.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollback_ops.cli.actions import runner
from rollback_ops.core.errors import Exit
from rollback_ops.core.outcome import KILLED

if TYPE_CHECKING:
    from rollback_ops.cli.output.text import Line
    from rollback_ops.core.record import Record

# The output ``outcome`` of a command that leaves no record. Wrong usage has no outcome: nothing was begun.
_OUTCOMES: dict[int, str] = {
    Exit.OK: "succeeded",
    Exit.REFUSED: "refused",
    Exit.VERIFICATION_FAILED: "verification_failed",
    Exit.RESTORED: "restored",
    Exit.FAILED: "failed",
    Exit.PARTIAL: "partial",
    Exit.SUPERSEDED: "superseded",
    Exit.INTERRUPTED: "cancelled",
    Exit.TERMINATED: "cancelled",
}
_TITLE = "rollback-ops"


class Step:
    """A command outside of a workflow: every method does nothing."""

    def begin(self) -> None:
        """Mask the secrets, and keep the runner from reading commands in later output."""

    def harmless(self, line: str) -> str:
        """Return the line in a form that gives the runner no command."""
        return line

    def group(self, title: str) -> bool:
        """Begin a part of the log that can be folded. Returns False where there are no such parts."""
        return False

    def ungroup(self) -> None:
        """End the folded part."""

    def because(
        self,
        lines: Iterable[str],
        what: str = "Not done",
        where: str = "",
        decision: str = "",
        outputs: Mapping[str, str] | None = None,
    ) -> None:
        """Note the result of a command without a record; ``what`` and ``where`` are for the page's title.

        With a ``decision``, which is an output, the exit code says nothing about an outcome. ``outputs``: others.
        """

    def planned(self, document: Mapping[str, Any]) -> list[str]:
        """Set the outputs for the jobs of a plan in shards. Returns the problems."""
        return []

    def ended_with(
        self,
        record: Record,
        lines: Sequence[str],
        file: Path | None,
        decision: str = "",
        changes: Sequence[Line] = (),
    ) -> list[str]:
        """Show a record on the page, with these lines at its top. Returns the problems.

        ``decision`` is that of ``guard``; ``changes``: the commits that leave the hosts, in brief.
        """
        return []

    def finished(self, record: Record | None, file: Path, lines: Sequence[str]) -> None:
        """Set the outputs for an earlier step that could not. A step that was killed has shown nothing else either."""

    def end(self, code: int) -> None:
        """Leave the fence, and show how a command without a record ended."""


class ActionsStep(Step):
    """A command inside a workflow. ``known`` are the secrets for the runner to mask."""

    def __init__(self, environ: Mapping[str, str], known: Iterable[str], redact: Callable[[str], str]) -> None:
        self._environ = environ
        self._known = tuple(known)
        self._redact = redact
        self._log = runner.StepLog(sys.stderr, sys.stdout)
        self._reasons: list[str] = []
        self._title = ("Not done", "")
        self._annotations: list[str] = []
        self._told = False
        self._decision = ""
        self._outputs: dict[str, str] = {}

    def begin(self) -> None:
        self._log.begin(self._known)

    def harmless(self, line: str) -> str:
        return runner.harmless(line)

    def group(self, title: str) -> bool:
        self._log.group(title)
        return True

    def ungroup(self) -> None:
        self._log.ungroup()

    def because(
        self,
        lines: Iterable[str],
        what: str = "Not done",
        where: str = "",
        decision: str = "",
        outputs: Mapping[str, str] | None = None,
    ) -> None:
        self._reasons = [self._redact(line) for line in lines]
        self._decision = decision
        self._outputs = dict(outputs or {})
        self._title = (what, where)

    def planned(self, document: Mapping[str, Any]) -> list[str]:
        outputs = {name: document[name] for name in ("from", "to", "plan")}
        return runner.write_outputs(self._environ, outputs | {"regions": json.dumps(document["regions"])})

    def ended_with(
        self,
        record: Record,
        lines: Sequence[str],
        file: Path | None,
        decision: str = "",
        changes: Sequence[Line] = (),
    ) -> list[str]:
        level: runner.Level = "error" if record.exit_code else "warning" if record.warnings else "notice"
        self._annotations = [self._annotation(level, f"{_TITLE}: {record.service}, {record.environment}", lines)]
        self._told = True
        problems = runner.write_outputs(self._environ, _outputs(record, file) | {"decision": decision})
        return [*problems, *self._summarize(record, [self._redact(line.text.strip()) for line in changes])]

    def finished(self, record: Record | None, file: Path, lines: Sequence[str]) -> None:
        self._told = True
        if record and any(host.detail == KILLED for host in record.hosts):
            for problem in self.ended_with(record, lines, file):
                self._annotations.append(self._annotation("warning", _TITLE, [problem]))
        elif record:
            runner.write_outputs(self._environ, _outputs(record, file))

    def end(self, code: int) -> None:
        problems = [] if self._told else self._without_a_record(code)
        self._log.end(*self._annotations, *(self._annotation("warning", _TITLE, [problem]) for problem in problems[:5]))

    def _summarize(self, record: Record, changes: Sequence[str]) -> list[str]:
        from rollback_ops.cli.actions.summary import summary

        try:
            page = summary(record.redacted(self._redact), runner.repository_url(self._environ), changes)
        except Exception as error:
            # A page that cannot be made must not change the outcome of a rollback.
            return [f"the summary was not written: {type(error).__name__}"]
        return runner.write_summary(self._environ, page)

    def _without_a_record(self, code: int) -> list[str]:
        outputs = {"outcome": _OUTCOMES.get(code, ""), "exit-code": str(int(code)), **self._outputs}
        if self._decision:
            outputs |= {"outcome": "", "decision": self._decision}
        problems = runner.write_outputs(self._environ, outputs)
        if not code and not self._reasons:
            return problems
        from rollback_ops.cli.actions.summary import notice

        reasons = self._reasons or [f"it ended with exit code {int(code)}; the log of the step says why"]
        (what, where), sign = self._title, "❌" if code else "✅"
        if code:
            title = " ".join(filter(None, (_TITLE, where)))
            self._annotations = [self._annotation("error", title, reasons)]
        return [*problems, *runner.write_summary(self._environ, notice(f"{sign} {what}", where, reasons))]

    def _annotation(self, level: runner.Level, title: str, lines: Iterable[str]) -> str:
        return runner.annotation(level, self._redact(title), map(self._redact, lines))


def _outputs(record: Record, file: Path | None) -> dict[str, str]:
    """Return the outputs of the contract. The action itself sets ``artifact-url``."""
    return {
        "outcome": record.outcome,
        "exit-code": str(record.exit_code),
        "from": record.from_.label or "",
        "to": record.to.label or "",
        "rolled-back": str(record.rolled_back).lower(),
        "deployment-id": "" if record.deployment.id is None else str(record.deployment.id),
        "deployment-url": record.deployment.url or "",
        "record": str(file.absolute()) if file and file.exists() else "",
        "duration-seconds": f"{record.duration_seconds:.3f}",
    }
