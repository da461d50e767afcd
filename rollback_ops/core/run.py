"""One run: the facts that are known before it begins (``RunInfo``), and its state so far (``RunState``)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import Verification
from rollback_ops.core.model import (
    Hold,
    Mode,
    ServiceId,
    Survey,
    SwitchResult,
    Trigger,
)
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.record import DrillRecord, EvidenceRecord, GroupRecord, PlanRef, Superseder
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.rollout import Rollout, Wave
from rollback_ops.core.stored_plan import StoredPlan

if TYPE_CHECKING:
    from rollback_ops.core.fleet_plan import PinnedShard


@frozen
class ScheduledTime:
    """When a rollback was to begin, until when it was valid (RFC 3339, UTC), and who asked for it."""

    at: str
    not_after: str
    by: str


@frozen
class RunInfo:
    """The facts of a run that are known before it begins. Made once, and carried from there on.

    ``guarded``: the run takes back what was just deployed, so even a rollback that worked is no success of the
    deployment. ``bad``: a person says that what is left is bad. ``approved``: the beginning of the hash of the one plan
    that may be carried out; empty: any. ``scheduled``: somebody asked for it before.
    """

    id: str
    service: str
    environment: str
    mode: Mode
    trigger: Trigger
    reason: str
    actor: str
    run_url: str = ""
    dry_run: bool = False
    scheduled: ScheduledTime | None = None
    guarded: bool = False
    bad: bool = False
    approved: str = ""

    @property
    def about(self) -> ServiceId:
        return ServiceId(self.service, self.environment)

    def facts(self) -> dict[str, Any]:
        """Return the fields that the record and the journal's intent share, under their names there."""
        shared = asdict(self) | {"run_url": self.run_url or None}
        del shared["guarded"], shared["bad"]
        if not self.approved:
            del shared["approved"]
        return shared


@dataclass
class Attempt:
    """One plan as it was carried out: the first one, or one that followed because its target was unhealthy.

    ``goes_back``: the attempt puts every host back on the release that the run started from. ``waves``: the steps in
    which its hosts are changed; without any, all are at the same time.
    """

    plan: Plan
    goes_back: bool = False
    switched: dict[str, SwitchResult] = field(default_factory=dict)
    verified: dict[str, Verification] = field(default_factory=dict)
    waves: Sequence[Wave] = ()

    @property
    def running(self) -> list[str]:
        """The hosts that run its target, as far as they know."""
        started = [name for name, result in self.switched.items() if result.outcome == "switched"]
        there = [h.host for h in self.plan.with_action("leave") if h.source.name == h.target]
        return started + there

    def serves(self, host: str) -> bool:
        """Return whether the host was found healthy, and gets its traffic again where it was changed."""
        found, result = self.verified.get(host), self.switched.get(host)
        return found is not None and found.healthy and not (result and result.undrained)

    @property
    def failed(self) -> bool:
        """Whether a host shows that the target is unhealthy. A host that cannot be asked shows nothing."""
        return bool(self.unhealthy) or any(result.outcome == "not_started" for result in self.switched.values())

    @property
    def locked_out(self) -> bool:
        """Whether nothing was changed, and another run had the lock of a host."""
        results = self.switched.values()
        return all(result.outcome == "refused" for result in results) and any(result.locked for result in results)

    @property
    def taken_over(self) -> list[str]:
        """The hosts that somebody else took over before their transaction could be carried out."""
        return [name for name, result in self.switched.items() if result.outcome == "superseded"]

    @property
    def unhealthy(self) -> list[str]:
        """The hosts whose verification showed that the service is unhealthy."""
        return [name for name, verification in self.verified.items() if verification.verdict == "unhealthy"]


@dataclass
class WaveRun:
    """A wave that began. ``finished_at`` is None until all of its hosts are verified."""

    wave: Wave
    started_at: datetime
    finished_at: datetime | None = None


@dataclass
class RunState:
    """The state of one run so far, host by host. ``cancelled`` is the exit code of the signal that ended it.

    ``superseded`` has the hosts that somebody else took over from this run, and who did. ``locked_out``: how often
    another run took the lock between the survey and the switch. ``rollout`` has the waves,
    where hosts are not changed all at once, ``waves`` those that began, and ``stopped`` why no new one does.
    ``stored`` is the plan for the hosts' journals (``plan_is_stored``: in one of them at least, where ``resume`` finds
    it); the run that ``resumes`` one has found it there. ``earlier``: where this run continues an interrupted
    one, the release that each host left in that one; a way back leads there.
    ``regions`` maps hosts to their region, where there are any. ``group`` is the group that the service is changed
    with, and ``blameless``: it goes back because of another service, so nothing speaks against what is left.
    ``failed_before`` has, by host, the failed checks of the release that it left, from before the service was stopped.
    ``pinned`` is the shard of a larger plan that the run carries out, as it ``resumes`` a plan.
    """

    info: RunInfo
    host_names: Sequence[str]
    redact: Redactor = field(default_factory=Redactor)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    surveys: dict[str, Survey] = field(default_factory=dict)
    lost: dict[str, RollbackOpsError] = field(default_factory=dict)
    decision: Plan | NothingToDo | Refusal | None = None
    attempts: list[Attempt] = field(default_factory=list)
    watched: dict[str, Verification] = field(default_factory=dict)
    logs: dict[str, Sequence[str]] = field(default_factory=dict)
    skipped: tuple[tuple[str, str], ...] = ()
    superseded: dict[str, Superseder] = field(default_factory=dict)
    hold: Hold | None = None
    plan: PlanRef | None = None
    rollout: Rollout | None = None
    regions: Mapping[str, str] = field(default_factory=dict)
    waves: list[WaveRun] = field(default_factory=list)
    group: GroupRecord | None = None
    blameless: bool = False
    failed_before: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    evidence: tuple[EvidenceRecord, ...] = ()
    drill: DrillRecord | None = None
    stopped: str = ""
    restores: bool = False
    stored: StoredPlan | None = None
    plan_is_stored: bool = False
    resumes: bool = False
    earlier: Mapping[str, str] = field(default_factory=dict)
    pinned: PinnedShard | None = None
    warnings: list[str] = field(default_factory=list)
    cancelled: int = 0
    locked_out: int = 0

    @property
    def origin(self) -> str:
        """The release that most hosts ran when the run began."""
        origins = [survey.origin for survey in self.surveys.values() if survey.origin]
        return max(origins, key=origins.count, default="")

    @property
    def forward(self) -> list[Attempt]:
        """The attempts that went to another release, not back."""
        return [attempt for attempt in self.attempts if not attempt.goes_back]

    @property
    def unfinished(self) -> bool:
        """Whether waves are left that another run could go on with."""
        begun = {run.wave.number for run in self.waves if run.finished_at}
        left = self.rollout and any(wave.number not in begun for wave in self.rollout.waves)
        return bool(left) and not self.info.dry_run and not any(attempt.goes_back for attempt in self.attempts)

    @property
    def then(self) -> str:
        """The command that goes on with the waves that are left; empty where none are."""
        if not self.unfinished or self.stored is None:
            return ""
        if self.pinned:
            return self.pinned.again
        if self.resumes or self.plan_is_stored:
            return f"rollback-ops resume {self.info.environment}"
        return f"rollback-ops rollback {self.info.environment} --to {self.stored.target}"

    @property
    def changing(self) -> list[str]:
        """The hosts that are changed now: those of the last wave, or of the last attempt."""
        attempt = self.attempts[-1]
        hosts = [host.host for host in attempt.plan.with_action("switch")]
        if self.waves and not attempt.goes_back:
            return [host for host in hosts if host in self.waves[-1].wave.hosts]
        return hosts

    def last(self, host: str) -> Attempt | None:
        """Return the last attempt in which the host was switched."""
        return next((a for a in reversed(self.attempts) if host in a.switched), None)

    @property
    def touched(self) -> list[str]:
        """The hosts on which anything was changed."""
        changed = {n for a in self.attempts for n, r in a.switched.items() if r.outcome not in ("refused", "unknown")}
        return [name for name in self.host_names if name in changed]

    @property
    def at_work(self) -> list[str]:
        """The hosts whose last transaction may still be going on: how it ended is unknown."""
        last = {name: each for name in self.host_names if (each := self.last(name))}
        return [name for name, each in last.items() if each.switched[name].outcome == "unknown"]

    @property
    def left_alone(self) -> list[str]:
        """The hosts that were verified and not changed, because they ran the target already."""
        verified = {name for attempt in self.attempts for name in attempt.verified}
        return [name for name in self.host_names if name in verified and self.last(name) is None]


def new_run() -> str:
    """Return the id of a new run. Ids sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def run_time(run: str) -> float:
    """Return when a run began, in seconds since the epoch, from its id; 0 when the id has no time."""
    try:
        return datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def rfc3339(moment: datetime) -> str:
    """Format a time as RFC 3339 in UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
