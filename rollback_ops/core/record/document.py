"""The whole record, and the line that the journal has of it."""

from collections.abc import Callable
from typing import Self

from pydantic import Field

from rollback_ops.core.model import Mode, ServiceId, Trigger
from rollback_ops.core.record.evidence import DrillRecord, EvidenceRecord
from rollback_ops.core.record.fleet import PlanRef, ShardRecord, ShardRef, StrategyRecord, WaveRecord
from rollback_ops.core.record.group import GroupRecord
from rollback_ops.core.record.hosts import HostRecord
from rollback_ops.core.record.parts import (
    DeploymentRef,
    HoldRecord,
    Outcome,
    RecordPart,
    RejectedRelease,
    ReleaseRef,
    ScheduledRecord,
    Superseder,
    Timestamp,
)

SCHEMA_VERSION = 2
# Records of these versions can be read.
READABLE_VERSIONS = (1, 2)
# Bytes of a line in the journal. The line travels to a host inside one command of at most 120,000 bytes.
_LONGEST_LINE = 48_000


class Record(RecordPart, defer_build=False):
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
    services: "tuple[Record, ...]" = ()
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
        """The releases that were not chosen. The release that was left is not among them."""
        return tuple(r for r in self.rejected if not (self.rolled_back and r.release == self.from_.label))

    def redacted(self, redact: Callable[[str], str]) -> Self:
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

    def _without_rejected(self) -> Self:
        if not self.rejected:
            return self
        said = f"the journal leaves out why {len(self.rejected)} releases were not chosen: they are too many"
        return self.model_copy(update={"rejected": (), "warnings": (*self.warnings, said)})

    def _in_outline(self) -> Self:
        said = "the journal leaves out the steps and checks of the hosts: they are too many"
        outline = self._without_rejected()
        hosts = tuple(HostRecord(host=h.host, outcome=h.outcome, from_=h.from_, to=h.to) for h in self.hosts)
        return outline.model_copy(update={"hosts": hosts, "warnings": (*outline.warnings, said)})

    def _without_hosts(self) -> Self:
        """Keep one host of each outcome: a record without any host would not count as ended."""
        said = f"the journal names only some of the {len(self.hosts)} hosts: they are too many"
        outline = self._in_outline()
        some = {host.outcome: host for host in outline.hosts}
        return outline.without_names_in_waves().model_copy(
            update={"hosts": tuple(some.values()), "warnings": (*outline.warnings, said)}
        )

    def without_names_in_waves(self) -> Self:
        """Return the record with waves that do not name their hosts."""
        return self.model_copy(update={"waves": tuple(w.model_copy(update={"hosts": ()}) for w in self.waves)})
