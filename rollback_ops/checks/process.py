"""The ``process`` check: test that every unit runs, and that its process is still the same one."""

from __future__ import annotations

from rollback_ops.core.health import Finding
from rollback_ops.core.model import CommandResult, HostCommand, Unit


class ProcessChecker:
    """Compares the units with their first sample: a restart or another invocation since then is a crash.

    One sample is not enough: a service that crashes in a loop can be "active" in every sample.
    """

    kind = "process"
    question: HostCommand | None = None

    def __init__(self) -> None:
        self._first: dict[str, Unit] = {}
        self._old: dict[str, str] = {}

    def judge(self, units: tuple[Unit, ...], answered: CommandResult | None = None) -> Finding:
        if not units:
            return Finding("unknown", "the manager did not report the state of the units")
        findings = [self._judge(unit) for unit in units]
        # The manager does not list a container that was removed.
        gone = sorted(self._first.keys() - {unit.name for unit in units})
        findings += [Finding("failed", f"{name} was removed", trigger="process-crash") for name in gone]
        order = [("failed", True), ("failed", False), ("unknown", False)]
        worst = [f for kind in order for f in findings if (f.verdict, f.final) == kind]
        return worst[0] if worst else Finding("passed", ", ".join(map(_words, units)))

    def _judge(self, unit: Unit) -> Finding:
        detail = f"{unit.name} is {unit.state}{f' ({unit.detail})' if unit.detail else ''}"
        first = self._first.setdefault(unit.name, unit)
        old = self._old.setdefault(unit.name, unit.old)
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
        if unit.state not in ("running", "finished", "files"):
            late = Finding("failed", detail, trigger="process-crash", down=True)
            return Finding("unknown", detail) if unit.state == "unknown" else late
        if first.state != "running":
            self._first[unit.name] = unit
        elif unit.state == "running" and (unit.invocation, unit.pid) != (first.invocation, first.pid):
            return Finding(
                "failed",
                f"{unit.name} was restarted (pid {first.pid}, now {unit.pid})",
                final=True,
                trigger="process-crash",
            )
        if old:
            return Finding("unknown", f"{old} of {unit.name} began before the start, and may still answer")
        return Finding("passed", detail)


def _words(unit: Unit) -> str:
    if unit.state == "finished":
        return f"{unit.name} ended with success"
    if unit.state == "files":
        return f"{unit.name} has no process"
    return f"{unit.name} runs (pid {unit.pid})" if unit.pid else f"{unit.name} runs"
