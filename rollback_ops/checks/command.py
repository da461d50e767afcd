"""The ``command`` check: run a command in the release, on the host, and judge by its exit status."""

from __future__ import annotations

from rollback_ops.config import CommandCheck
from rollback_ops.config.types import fill
from rollback_ops.core.health import Finding
from rollback_ops.core.model import AutomaticTrigger, CommandResult, HostCommand, Unit

_TIMED_OUT = (124, 137)
# POSIX, "Exit Status for Commands": the shell could not execute the command, or did not find it.
_NOT_RUN = (126, 127)


class Command:
    kind = "command"

    def __init__(self, settings: CommandCheck, release: str) -> None:
        self.before = settings.phase == "before"
        self.question = HostCommand(fill(settings.run, {"release": release}), settings.timeout)
        self._timeout = settings.timeout

    def judge(self, units: tuple[Unit, ...], answered: CommandResult | None) -> Finding:
        """Unknown where the command did not run: that says nothing about the service."""
        if answered is None or answered.status < 0:
            return Finding("unknown", "the host did not report the exit status of the command")
        output = " / ".join(answered.lines[-3:])
        if answered.status == 0:
            return Finding("passed", output)
        detail = f"{self._reason(answered.status)}{f': {output}' if output else ''}"
        if answered.status in _NOT_RUN:
            return Finding("unknown", detail)
        trigger: AutomaticTrigger = "config-invalid" if self.before else "verification-failed"
        return Finding("failed", detail, final=self.before, trigger=trigger)

    def _reason(self, status: int) -> str:
        if status in _TIMED_OUT:
            return f"it did not end within {self._timeout:g} s"
        return f"it could not be run (exit status {status})" if status in _NOT_RUN else f"exit status {status}"
