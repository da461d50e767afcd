"""Guard: watch what was just deployed, and roll it back when it is unhealthy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from rollback_ops.config.reason import fitting
from rollback_ops.core.errors import Cancelled
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import Claim, Verification
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import AutomaticTrigger, Survey
from rollback_ops.core.order import Ranking
from rollback_ops.core.plan import NothingToDo, Refusal
from rollback_ops.core.ports import Announcer
from rollback_ops.core.record import Record
from rollback_ops.core.recorder import record_of
from rollback_ops.core.references import reference
from rollback_ops.core.rollout import named
from rollback_ops.core.run import RunState
from rollback_ops.core.versions import Versions
from rollback_ops.engine.confirmation import keep, too_early
from rollback_ops.engine.deployed import deployed_on
from rollback_ops.engine.diagnosis import Diagnosis, diagnose, objection
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.metering import world
from rollback_ops.engine.metrics import longest, watch_metrics, with_evidence
from rollback_ops.engine.proof import Proof
from rollback_ops.engine.readiness import few_left
from rollback_ops.engine.rollback import roll_back, survey
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.engine.superseded import note_superseded

Decision = Literal["healthy", "rolled_back", "left_alone", "unknown"]


@frozen
class GuardVerdict:
    """The result of a watch. With a ``trigger``, the ``failed`` release is to be rolled back, for the ``evidence``."""

    decision: Decision
    trigger: AutomaticTrigger | None = None
    failed: str = ""
    evidence: tuple[str, ...] = ()


def guard(
    spec: RollbackSpec, fleet: Fleet, anew: Callable[[], Fleet], max_per_day: int, announcer: Announcer
) -> tuple[Record, Decision]:
    """Watch the live release through its window; mark it good, or roll it back.

    The record is that of the rollback; without one, its hosts have the evidence. A successful rollback also ends with
    exit code 2, because the deployed release is not live. Unknown health neither passes nor causes a rollback.
    """
    state = RunState(spec.info, fleet.names, spec.redact, spec.started_at)
    decision: Decision = "unknown"
    try:
        found = judge(spec, fleet, state, max_per_day)
        if found.trigger:
            record = roll_back(accused(spec, state, found), anew(), announcer)
            return record, "rolled_back" if record.rolled_back else "left_alone"
        decision = found.decision
    except Cancelled as cancelled:
        state.cancelled = cancelled.exit_code
    # After the evidence, which is more important.
    state.warnings += few_left(list(state.surveys.values()), spec.selection)
    return record_of(state), decision


def judge(spec: RollbackSpec, fleet: Fleet, state: RunState, max_per_day: int) -> GuardVerdict:
    """Watch the live release, and keep it where it is healthy. Raises ``Cancelled``.

    Unless the release is to be rolled back, the decision is in the state.
    """
    survey(fleet, state)
    state.watched = watch(spec, fleet, state)
    note_superseded(fleet, state, [name for name, found in state.watched.items() if found.superseded])
    failed, diagnosis = _judge(spec, fleet, state)
    if not state.surveys:
        state.decision = Refusal("no host can be reached")
        return GuardVerdict("unknown")
    if diagnosis is None:
        state.decision = _kept(spec, fleet, state)
        is_kept = isinstance(state.decision, NothingToDo) and not state.superseded
        return GuardVerdict("healthy" if is_kept else "unknown")
    why_not = _why_not(spec, fleet, state, failed, diagnosis, max_per_day)
    if diagnosis.trigger and not why_not:
        return GuardVerdict("rolled_back", diagnosis.trigger, failed, diagnosis.evidence)
    state.warnings += diagnosis.evidence
    state.decision = Refusal(why_not, "Look at the hosts and decide.")
    return GuardVerdict("left_alone" if diagnosis.trigger else "unknown")


def accused(spec: RollbackSpec, state: RunState, found: GuardVerdict) -> RollbackSpec:
    """Return the rollback of the failed release, only where that is still live. Raises ``ValueError`` without one."""
    if found.trigger is None:
        raise ValueError("nothing failed")
    why = f"automatic rollback of {found.failed} ({found.trigger}): {'; '.join(found.evidence)}"
    info = replace(spec.info, trigger=found.trigger, reason=fitting(why).text, guarded=True)
    selection = spec.selection.anew(found.failed, automatic=True)
    return replace(spec, info=info, selection=selection, evidence=state.evidence)


def _kept(spec: RollbackSpec, fleet: Fleet, state: RunState) -> NothingToDo | Refusal:
    """Keep a healthy release. Refuse where an armed host could not be confirmed, because it may still go back."""
    unknown_on = [] if spec.info.dry_run else keep(fleet, state)
    if not unknown_on:
        return NothingToDo("the live release is healthy")
    why = f"the live release was healthy, but it is unknown whether it stays on {named(unknown_on)}"
    return Refusal(why, f"`rollback-ops list {spec.info.environment}` shows what is live, and which hosts are armed.")


def watch(spec: RollbackSpec, fleet: Fleet, state: RunState) -> dict[str, Verification]:
    """Run the checks of the live release on every surveyed host."""
    lives = {name: survey.live.name for name, survey in state.surveys.items()}
    fleet.progress.phase("watch", ", ".join(f"{live or 'nothing'} on {name}" for name, live in lives.items()))
    claims = {name: Claim(spec.info.id, live) for name, live in lives.items()}
    return fleet.verify(Proof(lambda name: spec.checks(lives[name]), spec.thresholds, claims), {})


def _judge(spec: RollbackSpec, fleet: Fleet, state: RunState) -> tuple[str, Diagnosis | None]:
    """Return the release in question, and its diagnosis: None where its checks pass, and no metric says otherwise.

    Metrics are watched only where all checks pass. One that is undecided neither passes nor is a reason to roll back.
    """
    if not all(found.healthy or found.superseded for found in state.watched.values()):
        return diagnosed(spec, fleet, state)
    if not spec.metrics or state.superseded or not state.surveys:
        return "", None
    deployed = deployed_on(state.surveys.values(), spec.selection.order, spec.deployed_at)
    fleet.progress.phase("metrics", f"{', '.join(spec.metrics)} of {deployed.newest}")
    for told in too_early(state, longest(spec.metrics)):
        fleet.progress.phase("armed", told)
        state.warnings.append(told)
    fleet.extend(longest(spec.metrics))
    found = watch_metrics(spec.metrics, deployed, world(spec, fleet))
    state.evidence = found
    judged = {n: each for n, each in state.watched.items() if deployed.lives[n] == deployed.newest}
    state.watched |= {name: with_evidence(each, found) for name, each in judged.items()}
    worse = tuple(f"{each.check}: {each.detail}" for each in found if each.verdict == "worse")
    if worse:
        return deployed.newest, Diagnosis("metric-degraded", worse)
    undecided = tuple(f"{each.check}: {each.detail}" for each in found if each.verdict == "undecided")
    return deployed.newest, Diagnosis(None, undecided) if undecided else None


def diagnosed(spec: RollbackSpec, fleet: Fleet, state: RunState) -> tuple[str, Diagnosis]:
    """Return the unhealthy release (the newest of them, where hosts run different ones) and its diagnosis.

    Hosts whose health is unknown count only where no host is unhealthy: they show nothing about the release. An
    unhealthy host that does not answer any more could not go back, and the rollback would take the others back.
    """
    found = {name: found for name, found in state.watched.items() if not found.healthy}
    unhealthy = [name for name in found if found[name].verdict == "unhealthy"]
    surveys = fleet.survey_again(unhealthy)
    found |= {n: replace(found[n], reachable=False) for n, again in surveys.items() if not isinstance(again, Survey)}
    shown = {name: each for name, each in found.items() if each.verdict == "unhealthy"} or found
    versions = Versions(list(state.surveys.values()))
    ranking = Ranking(versions.labelled(), spec.selection.order, None if versions.are_names else versions.name)
    newest = ranking.latest({versions.label(name, state.surveys[name].live.name) for name in shown})
    return newest[0], diagnose(shown, spec.thresholds)


def _why_not(
    spec: RollbackSpec, fleet: Fleet, state: RunState, failed: str, diagnosis: Diagnosis, max_per_day: int
) -> str:
    """Return why the release is not rolled back; empty when it is."""
    what = failed or "the live release"
    if not diagnosis.trigger:
        return f"the health of {what} is unknown, so it was not rolled back"
    if spec.info.dry_run:
        return f"{what} is unhealthy, and was not rolled back: this is a dry run"
    if not failed:
        return f"{what} is unhealthy, and was not rolled back: no release is live"
    journals = {name: read_journal(lines, spec.info.about)[0] for name, lines in fleet.journals(fleet.names).items()}
    versions = Versions(list(state.surveys.values()))
    lives = {name: survey.live.name for name, survey in state.surveys.items()}
    failing = {
        name: reference(state.surveys[name], lives[name]).identity
        for name, found in state.watched.items()
        if not found.healthy and versions.label(name, lives[name]) == failed
    }
    why = objection(journals, failing, failed, datetime.now(UTC), max_per_day)
    return f"{what} is unhealthy, and was not rolled back: {why}" if why else ""
