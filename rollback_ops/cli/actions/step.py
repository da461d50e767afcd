"""The step of a GitHub workflow that this command runs in, if it runs in one: what people see of it in the run.

A process is at most one step: it is known to this module. Outside of a workflow nothing here does anything. What could
not be told is a warning in the log, and never changes how a command ends.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rollback_ops.cli.actions import runner
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.errors import Exit
from rollback_ops.core.outcome import KILLED
from rollback_ops.core.record import Record
from rollback_ops.core.redaction import mask, remember

# What an exit code means for a command that leaves no record. Wrong usage has no outcome: nothing was begun.
_OUTCOMES: dict[int, str] = {
    Exit.OK: "succeeded",
    Exit.REFUSED: "refused",
    Exit.VERIFICATION_FAILED: "verification_failed",
    Exit.RESTORED: "restored",
    Exit.FAILED: "failed",
    Exit.PARTIAL: "partial",
    Exit.INTERRUPTED: "cancelled",
    Exit.TERMINATED: "cancelled",
}
_TITLE = "rollback-ops"


class _Step:
    """``reasons``: why the command ends as it does, in lines. ``told``: the run shows how it ended already."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.log = runner.StepLog(sys.stderr, sys.stdout)
        self.reasons: list[str] = []
        self.title = ("Not done", "")
        self.annotations: list[str] = []
        self.told = False


_step: _Step | None = None


def begin(environ: Mapping[str, str]) -> None:
    """In a workflow: mask the secrets before anything is printed, and put all that is printed inside of a fence."""
    global _step  # noqa: PLW0603
    secrets = Secrets.read(environ).texts()
    remember(secrets)
    _step = _Step(environ)
    _step.log.begin(secrets)


def shown(line: str) -> str:
    """The line as it may be printed."""
    return runner.harmless(line) if _step else line


def group(title: str) -> bool:
    """What follows can be folded. False where nothing can be."""
    if _step:
        _step.log.group(title)
    return _step is not None


def ungroup() -> None:
    if _step:
        _step.log.ungroup()


def because(lines: Iterable[str], what: str = "Not done", where: str = "") -> None:
    """What a command that leaves no record found out, or why it is about to end; ``what`` is for the page's title."""
    if _step:
        _step.reasons = [mask(line) for line in lines]
        _step.title = (what, where)


def ended_with(record: Record, lines: Sequence[str], file: Path | None) -> list[str]:
    """Show a record in the run, with these lines at its top; what could not be shown, in words."""
    if not _step:
        return []
    level: runner.Level = "error" if record.exit_code else "warning" if record.warnings else "notice"
    _step.annotations = [_annotation(level, f"{_TITLE}: {record.service}, {record.environment}", lines)]
    _step.told = True
    problems = runner.write_outputs(_step.environ, _of(record, file))
    return [*problems, *_summarized(_step.environ, record)]


def _summarized(environ: Mapping[str, str], record: Record) -> list[str]:
    from rollback_ops.cli.actions.summary import summary

    try:
        page = summary(record.without_secrets(), runner.repository_url(environ))
    except Exception as error:
        # How a rollback ended does not depend on whether a page can be made of it.
        return [f"the summary was not written: {type(error).__name__}"]
    return runner.write_summary(environ, page)


def finished(record: Record | None, file: Path, lines: Sequence[str]) -> None:
    """The outputs of an earlier step's record, for where that step could not set them itself.

    One that was killed showed nothing else either.
    """
    if not _step:
        return
    _step.told = True
    if record and any(host.detail == KILLED for host in record.hosts):
        for problem in ended_with(record, lines, file):
            _step.annotations.append(_annotation("warning", _TITLE, [problem]))
    elif record:
        runner.write_outputs(_step.environ, _of(record, file))


def end(code: int) -> None:
    """Leave the fence. What left no record is told now."""
    if not _step:
        return
    problems = [] if _step.told else _without_a_record(_step, code)
    _step.log.end(*_step.annotations, *(_annotation("warning", _TITLE, [problem]) for problem in problems[:5]))


def _without_a_record(step: _Step, code: int) -> list[str]:
    problems = runner.write_outputs(step.environ, {"outcome": _OUTCOMES.get(code, ""), "exit-code": str(int(code))})
    if not code and not step.reasons:
        return problems
    from rollback_ops.cli.actions.summary import notice

    reasons = step.reasons or [f"it ended with exit code {int(code)}; the log of the step says why"]
    (what, where), sign = step.title, "❌" if code else "✅"
    if code:
        step.annotations = [_annotation("error", " ".join(filter(None, (_TITLE, where))), reasons)]
    return [*problems, *runner.write_summary(step.environ, notice(f"{sign} {what}", where, reasons))]


def _annotation(level: runner.Level, title: str, lines: Iterable[str]) -> str:
    return runner.annotation(level, mask(title), map(mask, lines))


def _of(record: Record, file: Path | None) -> dict[str, str]:
    """The outputs of the contract. ``artifact-url`` is the action's."""
    return {
        "outcome": record.outcome,
        "exit-code": str(record.exit_code),
        "from": record.from_.release or "",
        "to": record.to.release or "",
        "deployment-id": "" if record.deployment.id is None else str(record.deployment.id),
        "deployment-url": record.deployment.url or "",
        "record": str(file.absolute()) if file and file.exists() else "",
        "duration-seconds": f"{record.duration_seconds:.3f}",
    }
