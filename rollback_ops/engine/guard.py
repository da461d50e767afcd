"""Guard: watch what was just deployed, and roll it back when it is not well, with the trigger that it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from rollback_ops.config.reason import fitting
from rollback_ops.core.errors import Cancelled
from rollback_ops.core.health import Thresholds, Verification
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import AutomaticTrigger, Mark, Survey, Trigger
from rollback_ops.core.outcome import record_of
from rollback_ops.core.plan import NothingToDo, Refusal, Selection, natural
from rollback_ops.core.ports import Progress
from rollback_ops.core.record import Record
from rollback_ops.core.run import RunState
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.rollback import look, roll_back
from rollback_ops.engine.spec import RollbackSpec

# The nearer to the cause, the earlier: a database that is gone also makes the health check fail.
_FROM_CAUSE_TO_EFFECT: tuple[AutomaticTrigger, ...] = (
    "config-invalid",
    "database-unreachable",
    "process-crash",
    "log-error",
    "health-timeout",
    "verification-failed",
)
_BY_PEOPLE: tuple[Trigger, ...] = ("manual", "workflow")


def guard(spec: RollbackSpec, fleet: Fleet, anew: Callable[[], Fleet], max_per_day: int, progress: Progress) -> Record:
    """Watch what is live through its window; mark it good, or roll it back.

    The record is that of the rollback; where there is none, its hosts carry the evidence. A rollback that
    worked ends with exit code 2 all the same: what was deployed is not what is live. What could not be found
    out is neither a pass nor a reason to roll back.
    """
    state = RunState(spec.info, fleet.names)
    try:
        look(fleet, state, progress)
        state.watched = _watch(spec, fleet, state, progress)
        if not state.surveys:
            state.decision = Refusal("no host can be reached")
        elif all(found.healthy for found in state.watched.values()):
            state.decision = NothingToDo("what is live is well")
            if not spec.info.dry_run:
                _mark_good(spec, fleet, state)
        else:
            return _unhealthy(spec, fleet, anew, state, max_per_day, progress)
    except Cancelled as cancelled:
        state.cancelled = cancelled.exit_code
    return record_of(state)


def _watch(spec: RollbackSpec, fleet: Fleet, state: RunState, progress: Progress) -> dict[str, Verification]:
    lives = {name: survey.live.name for name, survey in state.surveys.items()}
    progress.phase("watch", ", ".join(f"{live or 'nothing'} on {name}" for name, live in lives.items()))
    return fleet.verify(lives, lambda name: spec.checks(lives[name]), spec.thresholds, spec.info.run, {})


def _unhealthy(
    spec: RollbackSpec, fleet: Fleet, anew: Callable[[], Fleet], state: RunState, max_per_day: int, progress: Progress
) -> Record:
    """Roll back, or say why not."""
    unhealthy = [name for name, found in state.watched.items() if not found.healthy]
    # A host that cannot be asked any more does not show how the release is; the others would go back without it.
    there = [name for name, found in fleet.survey_again(unhealthy).items() if isinstance(found, Survey)]
    verdict = judge({name: state.watched[name] for name in there or unhealthy}, spec.thresholds)
    # Where hosts run different releases, the newest of those.
    failed = max((state.surveys[name].live.name for name in there or unhealthy), key=natural)
    what = failed or "what is live"
    if there and verdict.trigger:
        why_not = _objection(fleet, failed, max_per_day)
        if not why_not:
            return _rolled_back(spec, verdict.trigger, verdict.evidence, failed, anew(), progress)
        told = f"{what} is not well, and is not rolled back: {why_not}"
    else:
        told = f"nobody can say whether {what} is well, so it is not rolled back"
    state.warnings += verdict.evidence
    state.decision = Refusal(told, "A person should look.")
    return record_of(state)


def _objection(fleet: Fleet, failed: str, max_per_day: int) -> str:
    if not failed:
        return "no release is live"
    records, _ = read_journal(fleet.journals())
    return objection(records, failed, datetime.now(UTC), max_per_day)


def _rolled_back(
    spec: RollbackSpec,
    trigger: AutomaticTrigger,
    evidence: tuple[str, ...],
    failed: str,
    fleet: Fleet,
    progress: Progress,
) -> Record:
    reason = fitting(f"automatic: {trigger.replace('-', ' ')} of {failed}: {'; '.join(evidence)}").text
    info = replace(spec.info, trigger=trigger, reason=reason, guarded=True)
    return roll_back(replace(spec, info=info, selection=Selection(if_current=failed)), fleet, progress)


def _mark_good(spec: RollbackSpec, fleet: Fleet, state: RunState) -> None:
    marks: dict[str, dict[str, Mark]] = {name: {survey.live.name: "good"} for name, survey in state.surveys.items()}
    errors = fleet.record(spec.info.run, marks, "")
    state.warnings += [f"{name}: it could not be marked good: {error.message}" for name, error in errors.items()]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why what is live is not well: the trigger of the rollback, and the evidence in words, the gravest first.

    Without a trigger nothing is proven, and the evidence is what could not be found out.
    """

    trigger: AutomaticTrigger | None
    evidence: tuple[str, ...]


def judge(found: Mapping[str, Verification], thresholds: Mapping[str, Thresholds]) -> Diagnosis:
    """The verdict on hosts of which at least one is not well."""
    failed: list[tuple[int, str]] = []
    late: list[str] = []
    unknown: list[str] = []
    for host, verification in found.items():
        if verification.healthy:
            continue
        for check in verification.checks:
            finding, words = check.finding, f"{host}: {check.name}: {check.finding.detail or check.finding.verdict}"
            if finding.verdict == "failed":
                trigger = thresholds[check.name].trigger or finding.trigger
                failed.append((_FROM_CAUSE_TO_EFFECT.index(trigger), words))
            elif finding.verdict == "unknown":
                # One that never answered was asked in vain; the others could not be asked.
                (late if finding.trigger == "health-timeout" else unknown).append(words)
        if verification.checks and all(check.finding.verdict == "passed" for check in verification.checks):
            setbacks = [f"{host}: {c.name} failed for a while" for c in verification.checks if c.setbacks]
            late += setbacks
            # What passes, and has not failed, was only asked too slowly to be proven.
            unknown += [] if setbacks else [f"{host}: well, and not watched for long enough in time"]
    if failed:
        failed.sort(key=lambda pair: pair[0])
        return Diagnosis(_FROM_CAUSE_TO_EFFECT[failed[0][0]], tuple(words for _, words in failed))
    return Diagnosis("health-timeout", tuple(late)) if late else Diagnosis(None, tuple(unknown))


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
