"""The record: one JSON document that says what one rollback did. Its JSON schema is generated from these types."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rollback_ops.core.identity import Identity
from rollback_ops.core.model import Mode, ServiceId, Trigger

SCHEMA_VERSION = 2
# Records of these versions can be read.
READABLE_VERSIONS = (1, 2)
# Bytes of a line in the journal. The line travels to a host inside one command of at most 120,000 bytes.
_LONGEST_LINE = 48_000

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
        """What to call it: its name, else the beginning of its revision; empty where nothing is known."""
        return self.release or (self.revision or "")[:12]

    @property
    def identity(self) -> Identity:
        made = datetime.fromisoformat(self.deployed_at).timestamp() if self.deployed_at else 0.0
        return Identity(self.release or "", self.revision or "", made)


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


class Superseder(RecordPart):
    """What took a host over from a run: the release that is live there, and the run that made it live, if one did.

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


class HostRecord(RecordPart):
    """What happened on one host. ``downtime_seconds``: from the stop until the service was started again.

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
        """What to call it: the host, or a service of a group on it."""
        return f"{self.service} on {self.host}" if self.service else self.host

    def redacted(self, redact: Callable[[str], str]) -> HostRecord:
        steps = tuple(step.model_copy(update={"detail": redact(step.detail)}) for step in self.steps)
        checks = tuple(check.model_copy(update={"detail": redact(check.detail)}) for check in self.checks)
        return self.model_copy(update={"steps": steps, "checks": checks, "detail": redact(self.detail)})


class PlanRef(RecordPart):
    """The plan that was carried out: the run that made it, and a hash of all that it says."""

    id: str
    hash: str


class ShareRecord(RecordPart):
    """What the amounts of a strategy come to in one region (None: there are none), as numbers of hosts."""

    region: str | None = None
    hosts: int
    canary: int
    max_parallel: int
    max_failures: int


class StrategyRecord(RecordPart):
    """The strategy as it was resolved before anything was changed. Durations in seconds.

    ``excluded`` are the regions that were left out. ``stopped`` says why no new wave began (empty: all did), ``then``
    which command goes on.
    """

    told: tuple[str, ...] = ()
    hosts: int
    max_failures: int
    shares: tuple[ShareRecord, ...] = ()
    pause: float = 0.0
    bake: float = 0.0
    progress_deadline: float = 0.0
    deadline: float | None = None
    after_canary: str = "continue"
    on_exceeded: str = "stop"
    order: str = "unhealthy-first"
    excluded: tuple[str, ...] = ()
    stopped: str = ""
    then: str = ""

    def redacted(self, redact: Callable[[str], str]) -> StrategyRecord:
        return self.model_copy(update={"stopped": redact(self.stopped)})


class WaveRecord(RecordPart):
    """What one wave came to. The outcome is that of its hosts together. None: it did not begin, or did not end."""

    number: int
    role: str = "rest"
    region: str | None = None
    hosts: tuple[str, ...] = ()
    outcome: Outcome | Literal["not_begun"] = "not_begun"
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None


class GroupServiceRecord(RecordPart):
    """Where one service of a group is: the outcome of its own run, what it left, and where it went or is to go."""

    service: str
    run: str
    outcome: Outcome | Literal["not_begun"]
    from_: ReleaseRef = Field(default=ReleaseRef(), alias="from")
    to: ReleaseRef = ReleaseRef()


class GroupRecord(RecordPart):
    """The group that a run is of, or a part of. ``run`` is that of the group.

    ``steps``: the services as they are changed, those of one step at the same time. ``verified_set``: the run that
    verified the target together; None: there was none. ``stopped`` says why no other service was changed. ``then``
    and ``back`` are the commands that leave a mixed state; empty where all services belong together.
    """

    name: str
    run: str
    steps: tuple[tuple[str, ...], ...] = ()
    together: bool = False
    on_failure: str = "stop"
    verified_set: str | None = None
    services: tuple[GroupServiceRecord, ...] = ()
    stopped: str = ""
    then: str = ""
    back: str = ""

    def redacted(self, redact: Callable[[str], str]) -> GroupRecord:
        return self.model_copy(update={"stopped": redact(self.stopped)})


class ShardRef(RecordPart):
    """The shard of a plan that the run carried out, counted from 1."""

    number: int
    of: int


class ShardRecord(RecordPart):
    """What one shard of a merged record came to. A shard without a record is ``unknown``, or did not begin."""

    number: int
    stage: str = "rest"
    hosts: int = 0
    outcome: Outcome | Literal["not_begun", "unknown"] = "unknown"
    run_url: str | None = None
    duration_seconds: float | None = None


class CountRecord(RecordPart):
    """``bad`` events among ``total``."""

    bad: float = 0.0
    total: float = 0.0


class EvidenceRecord(RecordPart):
    """What a metric shows. ``e_worse`` and ``e_not_worse`` are e-values: it takes ``needed`` to decide, at this alpha.

    ``new`` and ``old``: what was compared, in so many ``ticks`` and ``seconds``; ``bursts``: what divided the counts.
    ``slower_than``: seconds from which on a request is bad, where the metric is a latency.
    """

    check: str
    source: str
    baseline: str
    verdict: Literal["worse", "not_worse", "undecided"]
    detail: str = ""
    alpha: float
    needed: float
    e_worse: float
    e_not_worse: float
    new: CountRecord = CountRecord()
    old: CountRecord = CountRecord()
    bursts: float = 1.0
    ticks: int = 0
    seconds: float = 0.0
    slower_than: float | None = None


class ScheduledRecord(RecordPart):
    """When a scheduled rollback was to begin, when it would have been too late, and who asked for it."""

    at: Timestamp
    not_after: Timestamp
    by: str


class DrillWay(RecordPart):
    """One way of a drill. ``seconds_to_healthy``: from its beginning until each check had passed once on each host.

    The way back of the first drill of a command begins with the process, so it includes the connections.
    ``downtime_seconds``: of the host that was down for longest. None: it did not get so far.
    """

    way: Literal["back", "forward"]
    release: str
    seconds_to_healthy: float | None = None
    downtime_seconds: float | None = None


class DrillRecord(RecordPart):
    """What a drill measured, way by way."""

    ways: tuple[DrillWay, ...] = ()

    @property
    def back(self) -> DrillWay | None:
        """The way that a rollback would go."""
        return next((each for each in self.ways if each.way == "back"), None)


class DeploymentRef(RecordPart):
    id: int | None = None
    url: str | None = None


class Record(RecordPart):
    """One rollback. Times are RFC 3339 in UTC, durations are seconds.

    ``approved``: the hash of a preview, or its beginning, that was given for this rollback; another plan is refused.
    The record of a group has the group's name as its ``service``, the hosts of all services, and in ``services`` the
    record of each.
    ``shard``: the record is of one part of a plan; ``shards``: it was merged from the records of these.
    """

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
    superseded_by: Superseder | None = None
    hold: HoldRecord | None = None
    plan: PlanRef | None = None
    approved: str | None = None
    strategy: StrategyRecord | None = None
    waves: tuple[WaveRecord, ...] = ()
    group: GroupRecord | None = None
    services: tuple[Record, ...] = ()
    shard: ShardRef | None = None
    shards: tuple[ShardRecord, ...] = ()
    evidence: tuple[EvidenceRecord, ...] = ()
    scheduled: ScheduledRecord | None = None
    drill: DrillRecord | None = None
    warnings: tuple[str, ...] = ()

    @property
    def rolled_back(self) -> bool:
        """Whether a host runs another release than before because of this run, as far as is known."""
        after = [host for host in self.hosts if host.to.release and host.to.release != host.from_.release]
        return not self.dry_run and any(host.outcome not in ("nothing_to_do", "refused") for host in after)

    @property
    def about(self) -> ServiceId:
        """The service and the environment that the record is of."""
        return ServiceId(self.service, self.environment)

    @property
    def not_chosen(self) -> tuple[RejectedRelease, ...]:
        """The releases that were not chosen. The one that was left is none of them: it is not live any more."""
        return tuple(r for r in self.rejected if not (self.rolled_back and r.release == self.from_.label))

    def redacted(self, redact: Callable[[str], str]) -> Record:
        """Return the record with ``***`` for secrets in what people and hosts wrote. Names stay as they are."""
        return self.model_copy(
            update={
                "reason": redact(self.reason),
                "rejected": tuple(r.model_copy(update={"why": redact(r.why)}) for r in self.rejected),
                "hosts": tuple(host.redacted(redact) for host in self.hosts),
                "evidence": tuple(e.model_copy(update={"detail": redact(e.detail)}) for e in self.evidence),
                "strategy": self.strategy.redacted(redact) if self.strategy else None,
                "group": self.group.redacted(redact) if self.group else None,
                "services": tuple(each.redacted(redact) for each in self.services),
                "warnings": tuple(map(redact, self.warnings)),
            }
        )

    def line(self) -> str:
        """Return the record as one line of JSON for the journal. A record that is too long loses details."""
        text = ""
        for record in (self, self._without_rejected(), self._in_outline(), self._without_hosts()):
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

    def _without_hosts(self) -> Record:
        """Keep one host of each outcome: a record without any host would not count as ended."""
        said = f"the journal names only some of the {len(self.hosts)} hosts: they are too many"
        outline = self._in_outline()
        some = {host.outcome: host for host in outline.hosts}
        return outline.without_names_in_waves().model_copy(
            update={"hosts": tuple(some.values()), "warnings": (*outline.warnings, said)}
        )

    def without_names_in_waves(self) -> Record:
        """Return the record with waves that do not name their hosts."""
        return self.model_copy(update={"waves": tuple(w.model_copy(update={"hosts": ()}) for w in self.waves)})


def schema() -> str:
    """Return the JSON schema of the record; ``make schema`` writes it to ``record.schema.json``."""
    found = Record.model_json_schema(mode="serialization")
    # A record can hold records: they are what the whole document is.
    definitions = found["$defs"]
    whole = {"$defs": definitions, **definitions.pop("Record")}
    text = json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}, indent=2) + "\n"
    return text.replace('"#/$defs/Record"', '"#"')


if __name__ == "__main__":
    sys.stdout.write(schema())
