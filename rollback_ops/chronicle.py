"""What happened so far, and the record that it makes: the facts go in as they become known."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rollback_ops.errors import BadAnswer, Exit, RollbackOpsError
from rollback_ops.model import Mark, Release, Survey, SwitchResult, Verification
from rollback_ops.plan import HostPlan, NothingToDo, Plan, Refusal, Rejected
from rollback_ops.record import (
    CheckRecord,
    HostOutcome,
    HostRecord,
    Mode,
    Outcome,
    Record,
    RejectedRelease,
    ReleaseRef,
    StepRecord,
    Trigger,
)

EXIT_CODES: dict[Outcome, Exit] = {
    "succeeded": Exit.OK,
    "nothing_to_do": Exit.OK,
    "refused": Exit.REFUSED,
    "verification_failed": Exit.VERIFICATION_FAILED,
    "restored": Exit.RESTORED,
    "failed": Exit.FAILED,
    "partial": Exit.PARTIAL,
}


@dataclass(frozen=True, slots=True)
class Heading:
    """What is known of a rollback before it begins. ``mode`` follows from what was asked."""

    run: str
    service: str
    environment: str
    mode: Mode
    trigger: Trigger
    reason: str
    actor: str
    run_url: str = ""
    dry_run: bool = False


@dataclass
class Chronicle:
    """The facts of one rollback, host by host."""

    heading: Heading
    host_names: Sequence[str]
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    surveys: dict[str, Survey] = field(default_factory=dict)
    lost: dict[str, RollbackOpsError] = field(default_factory=dict)
    decision: Plan | NothingToDo | Refusal | None = None
    switched: dict[str, SwitchResult] = field(default_factory=dict)
    verified: dict[str, Verification] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    cancelled: int = 0

    @property
    def target(self) -> str:
        return self.decision.target if isinstance(self.decision, Plan) else ""

    @property
    def origin(self) -> str:
        """What most hosts ran when it began."""
        return _common([_reference(s, s.origin) for s in self.surveys.values()]).release or ""

    def marks(self, host: str) -> dict[str, Mark]:
        """What a host is to remember: the release it was taken away from is bad, a verified one good."""
        marks: dict[str, Mark] = {}
        result = self.switched.get(host)
        left = self.surveys[host].origin if host in self.surveys else ""
        if result and result.outcome in ("switched", "not_started") and left and left != self.target:
            marks[left] = "bad"
        if result and result.outcome == "not_started":
            marks[self.target] = "bad"
        if verification := self.verified.get(host):
            marks[self.target] = "good" if verification.healthy else "bad"
        return marks

    def record(self) -> Record:
        """The record as of now."""
        finished_at = self.finished_at or datetime.now(UTC)
        hosts = tuple(self._host(name) for name in self.host_names)
        outcome = self._outcome(hosts)
        rejected: tuple[Rejected, ...] = () if isinstance(self.decision, NothingToDo | None) else self.decision.rejected
        heading = self.heading
        return Record(
            id=heading.run,
            service=heading.service,
            environment=heading.environment,
            mode=heading.mode,
            dry_run=heading.dry_run,
            trigger=heading.trigger,
            reason=heading.reason,
            actor=heading.actor,
            run_url=heading.run_url or None,
            started_at=rfc3339(self.started_at),
            finished_at=rfc3339(finished_at),
            duration_seconds=round((finished_at - self.started_at).total_seconds(), 3),
            outcome=outcome,
            exit_code=self.cancelled or EXIT_CODES[outcome],
            from_=_common([host.from_ for host in hosts]),
            to=self._to(),
            rejected=tuple(RejectedRelease(release=r.release, why=r.why) for r in rejected),
            hosts=hosts,
            warnings=tuple(self.warnings),
        )

    def _to(self) -> ReleaseRef:
        plan = self.decision
        return (
            ReleaseRef(release=plan.target, revision=plan.revision or None) if isinstance(plan, Plan) else ReleaseRef()
        )

    def _outcome(self, hosts: Sequence[HostRecord]) -> Outcome:
        if self.cancelled:
            return "cancelled"
        if isinstance(self.decision, Refusal | None):
            return "refused"
        return overall([host.outcome for host in hosts])

    def _host(self, name: str) -> HostRecord:
        outcome, detail = self._host_outcome(name)
        survey, result, verification = self.surveys.get(name), self.switched.get(name), self.verified.get(name)
        live = result.live if result else survey.live.name if survey else ""
        return HostRecord(
            host=name,
            outcome=outcome,
            from_=_reference(survey, survey.origin) if survey else ReleaseRef(),
            to=_reference(survey, live),
            downtime_seconds=result.downtime if result else None,
            steps=tuple(
                StepRecord(name=s.name, seconds=s.seconds, outcome=s.outcome, detail=s.detail)
                for s in (result.steps if result else ())
            ),
            checks=tuple(
                CheckRecord(
                    name=c.name,
                    kind=c.kind,
                    outcome=c.finding.verdict,
                    detail=c.finding.detail,
                    seconds=round(c.seconds, 3),
                )
                for c in (verification.checks if verification else ())
            ),
            detail=detail,
        )

    def _host_outcome(self, name: str) -> tuple[HostOutcome, str]:
        if error := self.lost.get(name):
            # Nothing was asked of it but to look at itself.
            detail = error.message.removeprefix(f"{name}: ")
            return ("refused" if isinstance(error, BadAnswer) else "unreachable"), detail
        if result := self.switched.get(name):
            return self._switch_outcome(name, result)
        match self.decision:
            case Plan() as plan:
                return self._planned_outcome(next(p for p in plan.hosts if p.host == name))
            case NothingToDo(why=why):
                return "nothing_to_do", why
            case Refusal() as refusal:
                return "refused", refusal.about(name)
        return "cancelled", ""

    def _planned_outcome(self, plan: HostPlan) -> tuple[HostOutcome, str]:
        """What a host came to that was not switched, or not yet."""
        if plan.action == "exclude":
            return "refused", plan.why
        if plan.host in self.verified and not self.verified[plan.host].healthy:
            return "verification_failed", plan.why
        if plan.action == "leave" or self.heading.dry_run:
            return "nothing_to_do", plan.why
        return "cancelled", plan.why

    def _switch_outcome(self, name: str, result: SwitchResult) -> tuple[HostOutcome, str]:
        if result.outcome == "switched":
            verification = self.verified.get(name)
            return ("verification_failed" if verification and not verification.healthy else "succeeded"), result.reason
        words: dict[str, HostOutcome] = {
            "refused": "refused",
            "put_back": "restored",
            "unknown": "unknown",
        }
        return words.get(result.outcome, "failed"), " | ".join(filter(None, (result.reason, *result.log_tail[-3:])))


def new_run() -> str:
    """An identity for a run, which sorts by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def overall(outcomes: Sequence[HostOutcome]) -> Outcome:
    """One word for all hosts. Hosts where there was nothing to do are left out, unless they are all."""
    words: dict[HostOutcome, Outcome] = {
        "succeeded": "succeeded",
        "verification_failed": "verification_failed",
        "restored": "restored",
        "failed": "failed",
        "unknown": "failed",
        "refused": "refused",
        "unreachable": "refused",
        "cancelled": "cancelled",
    }
    met = {words[outcome] for outcome in outcomes if outcome != "nothing_to_do"}
    if len(met) > 1 or (met == {"refused"} and "nothing_to_do" in outcomes):
        return "partial"
    return met.pop() if met else "nothing_to_do"


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _reference(survey: Survey | None, name: str) -> ReleaseRef:
    release: Release | None = survey.release(name) if survey else None
    return ReleaseRef(release=name or None, revision=(release.revision or None) if release else None)


def _common(references: Sequence[ReleaseRef]) -> ReleaseRef:
    """What most hosts came from."""
    known = [reference for reference in references if reference.release]
    return max(known, key=known.count) if known else ReleaseRef()
