"""The ``process`` check: every unit runs, and it is still the same process that runs."""

from __future__ import annotations

from rollback_ops.core.health import Finding, Verdict
from rollback_ops.core.model import Answered, Question, Unit


class Process:
    """Remembers the units as it saw them first: a restart or another invocation since then is a crash.

    One sample is not enough: a service that crashes in a loop is "active" at every sample.
    """

    kind = "process"
    question: Question | None = None

    def __init__(self) -> None:
        self._first: dict[str, Unit] = {}

    def judge(self, units: tuple[Unit, ...], answered: Answered | None = None) -> Finding:
        if not units:
            return Finding("unknown", "the manager did not say how its units are")
        findings = [self._judge(unit) for unit in units]
        # A container that was removed is in no listing.
        gone = sorted(self._first.keys() - {unit.name for unit in units})
        findings += [Finding("failed", f"{name} is not there any more", trigger="process-crash") for name in gone]
        worst = next((f for f in findings if f.final), None) or next(
            (f for f in findings if f.verdict != "passed"), None
        )
        return worst or Finding(
            "passed", ", ".join(f"{u.name} runs (pid {u.pid})" if u.pid else f"{u.name} runs" for u in units)
        )

    def _judge(self, unit: Unit) -> Finding:
        what = f"{unit.name} is {unit.state}{f' ({unit.detail})' if unit.detail else ''}"
        first = self._first.setdefault(unit.name, unit)
        if unit.state in ("failed", "stopped", "missing"):
            return Finding("failed", what, final=True, trigger="process-crash", down=True)
        if unit.restarts > first.restarts:
            return Finding(
                "failed",
                f"{unit.name} crashed and was restarted ({unit.restarts} times)",
                final=True,
                trigger="process-crash",
            )
        if unit.state != "running":
            verdict: Verdict = "unknown" if unit.state == "unknown" else "failed"
            return Finding(verdict, what, trigger="process-crash")
        if first.state != "running":
            self._first[unit.name] = unit
        elif (unit.invocation, unit.pid) != (first.invocation, first.pid):
            return Finding(
                "failed",
                f"{unit.name} was restarted (pid {first.pid}, now {unit.pid})",
                final=True,
                trigger="process-crash",
            )
        return Finding("passed", what)
