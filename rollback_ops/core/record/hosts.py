"""The parts of a record about one host."""

from collections.abc import Callable
from typing import Literal, Self

from pydantic import Field

from rollback_ops.core.record.parts import HostOutcome, RecordPart, ReleaseRef, Superseder


class StepRecord(RecordPart):
    name: str
    seconds: float
    outcome: Literal["ok", "warning", "failed", "skipped"]
    detail: str = ""


class CheckRecord(RecordPart):
    name: str
    kind: str
    outcome: Literal["passed", "failed", "unknown", "skipped"]
    detail: str = ""
    seconds: float = 0.0


class HostRecord(RecordPart):
    """The result of one host. ``downtime_seconds``: from the stop until the service was started again.

    ``service`` is only in the record of a group, in which a host can have several.
    """

    host: str
    outcome: HostOutcome
    from_: ReleaseRef = Field(default=ReleaseRef(), alias="from")
    to: ReleaseRef = ReleaseRef()
    downtime_seconds: float | None = None
    steps: tuple[StepRecord, ...] = ()
    checks: tuple[CheckRecord, ...] = ()
    detail: str = ""
    region: str | None = None
    service: str | None = None
    superseded_by: Superseder | None = None

    @property
    def label(self) -> str:
        """Its name in messages: the host, or a service of a group on it."""
        return f"{self.service} on {self.host}" if self.service else self.host

    def redacted(self, redact: Callable[[str], str]) -> Self:
        steps = tuple(step.model_copy(update={"detail": redact(step.detail)}) for step in self.steps)
        checks = tuple(check.model_copy(update={"detail": redact(check.detail)}) for check in self.checks)
        return self.model_copy(update={"steps": steps, "checks": checks, "detail": redact(self.detail)})
