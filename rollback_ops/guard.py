"""Guard: watch what was just deployed, and roll it back when it is not well, with the trigger that it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from rollback_ops import history
from rollback_ops.chronicle import Chronicle
from rollback_ops.crew import Crew
from rollback_ops.errors import Cancelled, Exit
from rollback_ops.model import Finding, Mark, Pace, Trigger, Verification
from rollback_ops.order import Order
from rollback_ops.plan import NothingToDo, Refusal, Wish, natural
from rollback_ops.ports import Progress
from rollback_ops.reason import fitting
from rollback_ops.record import Record
from rollback_ops.rollback import look, roll_back
from rollback_ops.verdict import record_of

# The nearer to the cause, the earlier: a database that is gone also makes the health check fail.
_FROM_CAUSE_TO_EFFECT: tuple[Trigger, ...] = (
    "config-invalid",
    "database-unreachable",
    "process-crash",
    "log-error",
    "health-timeout",
    "verification-failed",
)
_BY_PEOPLE: tuple[Trigger, ...] = ("manual", "workflow")


def guard(order: Order, crew: Crew, anew: Callable[[], Crew], max_per_day: int, progress: Progress) -> Record:
    """Watch what is live through its window; mark it good, or roll it back.

    The record is that of the rollback; where there is none, its hosts carry the evidence. A rollback that
    worked ends with exit code 2 all the same: what was deployed is not what is live.
    """
    chronicle = Chronicle(order.heading, crew.names)
    try:
        look(crew, chronicle, progress)
        chronicle.watched = _watch(order, crew, chronicle, progress)
        verdict = judge(chronicle.watched, order.paces)
        if verdict:
            failed = _failed(chronicle)
            why_not = _objection(crew, failed, max_per_day)
            if not why_not:
                return _rolled_back(order, verdict, failed, anew(), progress)
            chronicle.warnings += verdict.evidence
            chronicle.decision = Refusal(
                f"{failed} is not well, and is not rolled back: {why_not}", "A person should look."
            )
        elif chronicle.surveys:
            chronicle.decision = NothingToDo("what is live is well")
            _mark_good(order, crew, chronicle)
        else:
            chronicle.decision = Refusal("no host can be reached")
    except Cancelled as cancelled:
        chronicle.cancelled = cancelled.exit_code
    return record_of(chronicle)


def _watch(order: Order, crew: Crew, chronicle: Chronicle, progress: Progress) -> dict[str, Verification]:
    lives = {name: survey.live.name for name, survey in chronicle.surveys.items()}
    progress.phase("watch", ", ".join(f"{live or 'nothing'} on {name}" for name, live in lives.items()))
    return crew.verify(lives, lambda name: order.checks(lives[name]), order.paces, order.heading.run)


def _failed(chronicle: Chronicle) -> str:
    """The release that is not well; where hosts run different ones, the newest of those."""
    unwell = [chronicle.surveys[name].live.name for name, found in chronicle.watched.items() if not found.healthy]
    return max(unwell, key=natural)


def _objection(crew: Crew, failed: str, max_per_day: int) -> str:
    if not failed:
        return "no release is live"
    records, _ = history.read(crew.journals())
    return objection(records, failed, datetime.now(UTC), max_per_day)


def _rolled_back(order: Order, verdict: Verdict, failed: str, crew: Crew, progress: Progress) -> Record:
    evidence = "; ".join(verdict.evidence)
    reason = fitting(f"automatic: {verdict.trigger.replace('-', ' ')} of {failed}: {evidence}").text
    heading = replace(order.heading, trigger=verdict.trigger, reason=reason)
    record = roll_back(replace(order, heading=heading, wish=Wish(if_current=failed)), crew, progress)
    worked = record.outcome == "succeeded"
    return record.model_copy(update={"exit_code": Exit.VERIFICATION_FAILED}) if worked else record


def _mark_good(order: Order, crew: Crew, chronicle: Chronicle) -> None:
    marks: dict[str, dict[str, Mark]] = {name: {survey.live.name: "good"} for name, survey in chronicle.surveys.items()}
    errors = crew.record(order.heading.run, marks, "")
    chronicle.warnings += [f"{name}: it could not be marked good: {error.message}" for name, error in errors.items()]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why what is live is not well: the trigger of the rollback, and the evidence in words, the gravest first."""

    trigger: Trigger
    evidence: tuple[str, ...]


def judge(found: Mapping[str, Verification], paces: Mapping[str, Pace]) -> Verdict | None:
    """The verdict on several hosts; None where all of them are well."""
    grave: list[tuple[int, str]] = []
    for host, verification in found.items():
        for check in () if verification.healthy else verification.checks:
            if check.finding.verdict != "passed":
                trigger = paces[check.name].trigger or check.finding.trigger
                words = f"{host}: {check.name}: {_said(check.finding)}"
                grave.append((_FROM_CAUSE_TO_EFFECT.index(trigger), words))
        if not verification.healthy and all(c.finding.verdict == "passed" for c in verification.checks):
            grave.append((_FROM_CAUSE_TO_EFFECT.index("health-timeout"), f"{host}: not well for long enough in time"))
    if not grave:
        return None
    grave.sort(key=lambda pair: pair[0])
    return Verdict(_FROM_CAUSE_TO_EFFECT[grave[0][0]], tuple(words for _, words in grave))


def objection(records: Iterable[Record], release: str, now: datetime, max_per_day: int) -> str:
    """Why no automatic rollback away from this release may be started, or nothing.

    Never twice for one release, and never more often than so many times in 24 hours: what comes and goes
    by itself all day is not a release's fault.
    """
    automatic = [r for r in records if r.trigger not in _BY_PEOPLE]
    earlier = next((r for r in automatic if r.from_.release == release), None)
    if earlier:
        return f"{release} was rolled back automatically before (run {earlier.id}), and is live again"
    recent = [r for r in automatic if now - datetime.fromisoformat(r.started_at) < timedelta(days=1)]
    if len(recent) >= max_per_day:
        return f"there were {len(recent)} automatic rollbacks within 24 hours already (max_per_day is {max_per_day})"
    return ""


def _said(finding: Finding) -> str:
    return finding.detail or finding.verdict
