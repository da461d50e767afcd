"""The ``process`` check: test that every unit runs, and that its process is still the same one."""

from __future__ import annotations

from rollback_ops.core.health import Finding
from rollback_ops.core.model import CommandResult, HostCommand, Unit


class Process:
    """Compares the units with their first sample: a restart or another invocation since then is a crash.

    One sample is not enough: a service that crashes in a loop can be "active" in every sample.
    """

    kind = "process"
    question: HostCommand | None = None

    def __init__(self) -> None:
        self._first: dict[str, Unit] = {}

    def judge(self, units: tuple[Unit, ...], answered: CommandResult | None = None) -> Finding:
        if not units:
            return Finding("unknown", "the manager did not report the state of the units")
        findings = [self._judge(unit) for unit in units]
        # The manager does not list a container that was removed.
        gone = sorted(self._first.keys() - {unit.name for unit in units})
        findings += [Finding("failed", f"{name} was removed", trigger="process-crash") for name in gone]
        worst = next((f for f in findings if f.final), None) or next(
            (f for f in findings if f.verdict != "passed"), None
        )
        return worst or Finding(
            "passed", ", ".join(f"{u.name} runs (pid {u.pid})" if u.pid else f"{u.name} runs" for u in units)
        )

    def _judge(self, unit: Unit) -> Finding:
        detail = f"{unit.name} is {unit.state}{f' ({unit.detail})' if unit.detail else ''}"
        first = self._first.setdefault(unit.name, unit)
        if unit.state in ("failed", "stopped", "missing"):
            return Finding("failed", detail, final=True, trigger="process-crash", down=True)
        if unit.restarts > first.restarts:
            return Finding(
                "failed",
                f"{unit.name} crashed and was restarted (restarts: {unit.restarts})",
                final=True,
                trigger="process-crash",
                down=True,
            )
        if unit.state == "unknown":
            return Finding("unknown", detail)
        if unit.state != "running":
            return Finding("failed", detail, trigger="process-crash", down=True)
        if first.state != "running":
            self._first[unit.name] = unit
        elif (unit.invocation, unit.pid) != (first.invocation, first.pid):
            return Finding(
                "failed",
                f"{unit.name} was restarted (pid {first.pid}, now {unit.pid})",
                final=True,
                trigger="process-crash",
            )
        return Finding("passed", detail)
