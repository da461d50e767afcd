"""The ``command`` check: a command on the host, inside the release; its exit status decides."""

from __future__ import annotations

from rollback_ops.config import CommandCheck
from rollback_ops.config.types import fill
from rollback_ops.core.health import Finding
from rollback_ops.core.model import Answered, AutomaticTrigger, Question, Unit

_TIMED_OUT = (124, 137)


class Command:
    kind = "command"

    def __init__(self, settings: CommandCheck, release: str) -> None:
        self.before = settings.phase == "before"
        self.question = Question(fill(settings.run, {"release": release}), settings.timeout)
        self._timeout = settings.timeout

    def judge(self, units: tuple[Unit, ...], answered: Answered | None) -> Finding:
        if answered is None:
            return Finding("unknown", "the host did not say how the command ended")
        said = " / ".join(answered.lines[-3:])
        if answered.status == 0:
            return Finding("passed", said)
        late = answered.status in _TIMED_OUT
        how = f"it did not end within {self._timeout:g} s" if late else f"exit status {answered.status}"
        trigger: AutomaticTrigger = "config-invalid" if self.before else "verification-failed"
        return Finding("failed", f"{how}{f': {said}' if said else ''}", final=self.before, trigger=trigger)
