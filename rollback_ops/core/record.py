"""The record: one JSON document that says what one rollback did. Its schema is generated from here."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rollback_ops.core.model import Mode, Trigger
from rollback_ops.core.redaction import mask

SCHEMA_VERSION = 1
# Bytes of a line in the journal. It crosses to a host inside one command, which may have 120,000.
_LONGEST_LINE = 48_000

Outcome = Literal[
    "succeeded",
    "nothing_to_do",
    "verification_failed",
    "restored",
    "failed",
    "refused",
    "partial",
    "cancelled",
]
HostOutcome = Literal[
    "succeeded",
    "nothing_to_do",
    "verification_failed",
    "restored",
    "failed",
    "refused",
    "cancelled",
    "unreachable",
    "unknown",
]


def _readable(moment: str) -> str:
    datetime.fromisoformat(moment)
    return moment


Timestamp = Annotated[str, AfterValidator(_readable), Field(json_schema_extra={"format": "date-time"})]


class RecordPart(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,
    )


class ReleaseRef(RecordPart):
    """A release and the revision that its REVISION file names. None: not known, or none."""

    release: str | None = None
    revision: str | None = None


class RejectedRelease(RecordPart):
    release: str
    why: str


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
    """What one host did. ``downtime_seconds`` runs from the stop until the service was started again."""

    host: str
    outcome: HostOutcome
    from_: ReleaseRef = Field(default=ReleaseRef(), alias="from")
    to: ReleaseRef = ReleaseRef()
    downtime_seconds: float | None = None
    steps: tuple[StepRecord, ...] = ()
    checks: tuple[CheckRecord, ...] = ()
    detail: str = ""

    def without_secrets(self) -> HostRecord:
        steps = tuple(step.model_copy(update={"detail": mask(step.detail)}) for step in self.steps)
        checks = tuple(check.model_copy(update={"detail": mask(check.detail)}) for check in self.checks)
        return self.model_copy(update={"steps": steps, "checks": checks, "detail": mask(self.detail)})


class DeploymentRef(RecordPart):
    id: int | None = None
    url: str | None = None


class Record(RecordPart):
    """One rollback. Times are RFC 3339 in UTC, durations are seconds."""

    schema_version: int = SCHEMA_VERSION
    id: str
    service: str
    environment: str
    mode: Mode
    dry_run: bool = False
    trigger: Trigger
    reason: str
    actor: str
    run_url: str | None = None
    started_at: Timestamp
    finished_at: Timestamp
    duration_seconds: float
    outcome: Outcome
    exit_code: int
    from_: ReleaseRef = Field(default=ReleaseRef(), alias="from")
    to: ReleaseRef = ReleaseRef()
    rejected: tuple[RejectedRelease, ...] = ()
    hosts: tuple[HostRecord, ...] = ()
    deployment: DeploymentRef = DeploymentRef()
    warnings: tuple[str, ...] = ()

    def without_secrets(self) -> Record:
        """The record with ``***`` for the secrets in what people and hosts wrote. Names stay as they are."""
        return self.model_copy(
            update={
                "reason": mask(self.reason),
                "rejected": tuple(r.model_copy(update={"why": mask(r.why)}) for r in self.rejected),
                "hosts": tuple(host.without_secrets() for host in self.hosts),
                "warnings": tuple(map(mask, self.warnings)),
            }
        )

    def line(self) -> str:
        """The record as one line of JSON, as it stands in the journal; one that is too long leaves details out."""
        text = ""
        for record in (self, self._without_rejected(), self._in_outline()):
            text = record.model_dump_json(by_alias=True)
            if len(text.encode()) <= _LONGEST_LINE:
                break
        return text

    def _without_rejected(self) -> Record:
        if not self.rejected:
            return self
        said = f"the journal leaves out why {len(self.rejected)} releases were not chosen: they are too many"
        return self.model_copy(update={"rejected": (), "warnings": (*self.warnings, said)})

    def _in_outline(self) -> Record:
        said = "the journal leaves out the steps and checks of the hosts: they are too many"
        outline = self._without_rejected()
        hosts = tuple(HostRecord(host=h.host, outcome=h.outcome, from_=h.from_, to=h.to) for h in self.hosts)
        return outline.model_copy(update={"hosts": hosts, "warnings": (*outline.warnings, said)})


def schema() -> str:
    """The JSON schema of the record, as ``record.schema.json`` beside this module has it (``make schema``)."""
    found = Record.model_json_schema(mode="serialization")
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **found}, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
