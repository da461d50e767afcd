"""The base of all parts of a record, and the smallest parts."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rollback_ops.core.identity import ReleaseIdentity
from rollback_ops.core.revision import short

Outcome = Literal[
    "succeeded",
    "nothing_to_do",
    "verification_failed",
    "health_unknown",
    "restored",
    "failed",
    "refused",
    "partial",
    "superseded",
    "cancelled",
]
HostOutcome = Literal[
    "succeeded",
    "nothing_to_do",
    "verification_failed",
    "health_unknown",
    "restored",
    "failed",
    "refused",
    "superseded",
    "cancelled",
    "unreachable",
    "unknown",
    "not_begun",
]


def _readable(moment: str) -> str:
    if datetime.fromisoformat(moment).tzinfo is None:
        raise ValueError("should have a time zone")
    return moment


Timestamp = Annotated[str, AfterValidator(_readable), Field(json_schema_extra={"format": "date-time"})]


class RecordPart(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        # The whole record has its own schema. One for each part is built where that part is used alone.
        defer_build=True,
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,
    )


class ReleaseRef(RecordPart):
    """A release, its revision, and when it was deployed, as far as the host knows. None: unknown, or there is none.

    Of several hosts that have several names for one revision, only the revision is told.
    """

    release: str | None = None
    revision: str | None = None
    deployed_at: Timestamp | None = None

    @property
    def label(self) -> str:
        """Its name in messages; else the beginning of its revision; empty where neither is known."""
        return self.release or short(self.revision or "")

    @property
    def identity(self) -> ReleaseIdentity:
        made = datetime.fromisoformat(self.deployed_at).timestamp() if self.deployed_at else 0.0
        return ReleaseIdentity(self.release or "", self.revision or "", made)


class RejectedRelease(RecordPart):
    release: str
    why: str


class Superseder(RecordPart):
    """The taker of a host from a run: the release that is live there, and the run that made it live, if one did.

    None: unknown, or there is none. A deployment leaves no run.
    """

    release: str | None = None
    run: str | None = None
    actor: str | None = None
    run_url: str | None = None


class HoldRecord(RecordPart):
    """A hold that the run set: nobody should deploy these releases until then. Empty: nobody should deploy at all."""

    releases: tuple[ReleaseRef, ...] = ()
    since: Timestamp
    until: Timestamp


class ScheduledRecord(RecordPart):
    """When a scheduled rollback was to begin, when it would have been too late, and who asked for it."""

    at: Timestamp
    not_after: Timestamp
    by: str


class DeploymentRef(RecordPart):
    id: int | None = None
    url: str | None = None
