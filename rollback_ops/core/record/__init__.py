"""The record: one JSON document that says what one rollback did. ``document`` is all of it, the rest its parts."""

from rollback_ops.core.record.document import READABLE_VERSIONS, SCHEMA_VERSION, Record
from rollback_ops.core.record.evidence import CountRecord, DrillRecord, DrillWay, EvidenceRecord
from rollback_ops.core.record.fleet import (
    PlanRef,
    ShardRecord,
    ShardRef,
    ShardRunRecord,
    ShareRecord,
    StrategyRecord,
    WaveRecord,
)
from rollback_ops.core.record.group import GroupRecord, GroupServiceRecord
from rollback_ops.core.record.hosts import CheckRecord, HostRecord, StepRecord
from rollback_ops.core.record.parts import (
    DeploymentRef,
    HoldRecord,
    HostOutcome,
    Outcome,
    RecordPart,
    RejectedRelease,
    ReleaseRef,
    ScheduledRecord,
    Superseder,
    Timestamp,
)

__all__ = [
    "READABLE_VERSIONS",
    "SCHEMA_VERSION",
    "CheckRecord",
    "CountRecord",
    "DeploymentRef",
    "DrillRecord",
    "DrillWay",
    "EvidenceRecord",
    "GroupRecord",
    "GroupServiceRecord",
    "HoldRecord",
    "HostOutcome",
    "HostRecord",
    "Outcome",
    "PlanRef",
    "Record",
    "RecordPart",
    "RejectedRelease",
    "ReleaseRef",
    "ScheduledRecord",
    "ShardRecord",
    "ShardRef",
    "ShardRunRecord",
    "ShareRecord",
    "StepRecord",
    "StrategyRecord",
    "Superseder",
    "Timestamp",
    "WaveRecord",
]
