"""``advise``: collect the evidence, and apply the matrix of docs/decisions.md to it. Changes and marks nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from rollback_ops.commands.context import Context
from rollback_ops.commands.run import fleet_of, spec_of
from rollback_ops.config.log_patterns import WARNING
from rollback_ops.config.reason import Reason
from rollback_ops.core.advice import CALLS_FOR_ROLLBACK, Advice, Observation
from rollback_ops.core.advice import advise as by_the_matrix
from rollback_ops.core.changes import Commits
from rollback_ops.core.errors import Exit, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import Verification
from rollback_ops.core.model import Release
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.ports import Progress
from rollback_ops.core.record import EvidenceRecord
from rollback_ops.core.run import RunState
from rollback_ops.core.suggestion import Fact, Suggestion, facts_of
from rollback_ops.core.summary import evidence_summary
from rollback_ops.core.tasks import Cancellation
from rollback_ops.core.templates import Template, templates
from rollback_ops.engine.deployed import Deployed, deployed_on
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.guard import diagnosed, watch
from rollback_ops.engine.metering import world
from rollback_ops.engine.metrics import BRIEFLY, look_at_metrics
from rollback_ops.engine.preflight import choose
from rollback_ops.engine.rollback import survey
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.integrations.git import commits as between

_MOST_TEMPLATES = 20


@frozen
class Advised:
    """The result of ``advise``. ``live`` is the release in question, ``decision`` what a rollback would do.

    ``command`` rolls back as advised; empty where nothing calls for it, or it cannot be done. ``suggestion`` is a
    language model's text, which no code reads. None without one; ``no_suggestion`` says why, where one was requested.
    """

    environment: str
    service: str
    live: str
    advice: Advice
    decision: Plan | NothingToDo | Refusal
    found: Mapping[str, Verification]
    evidence: Sequence[EvidenceRecord]
    logs: Sequence[Template]
    commits: Commits
    lost: Mapping[str, RollbackOpsError] = field(default_factory=dict)
    command: str = ""
    suggestion: Suggestion | None = None
    no_suggestion: str = ""

    @property
    def exit_code(self) -> int:
        """0: nothing calls for a rollback; 2: one is recommended; 1: unknown, or it could not be done."""
        if self.advice.decision == "unknown":
            return Exit.REFUSED
        if self.advice.decision not in CALLS_FOR_ROLLBACK:
            return Exit.OK
        return Exit.VERIFICATION_FAILED if self.command else Exit.REFUSED


def advise(context: Context, progress: Progress, cancellation: Cancellation) -> Advised:
    """Ask the checks, the metrics and the logs about the live release, and say what to do. Raises ``Cancelled``."""
    spec = spec_of(context, Reason("advise: should the live release be rolled back?"))
    with context.closing():
        fleet = fleet_of(context, progress, cancellation)
        state = RunState(spec.info, fleet.names, spec.redact, spec.started_at)
        survey(fleet, state)
        state.watched = watch(spec, fleet, state)
        deployed = deployed_on(state.surveys.values(), spec.selection.order, spec.deployed_at)
        evidence = _metrics(spec, fleet, deployed, context.request.window or BRIEFLY) if state.surveys else ()
        lines = [context.redact(line) for lines in fleet.logs(state.surveys).values() for line in lines]
        decision = choose(spec, fleet, list(state.surveys.values()), {})
    # The decision is made. A model's text comes after it, and changes nothing.
    advice = by_the_matrix(_observed(spec, fleet, state, deployed, evidence, lines))
    found = Advised(
        environment=spec.info.environment,
        service=spec.info.service,
        live=deployed.newest,
        advice=advice,
        decision=decision,
        found=state.watched,
        evidence=evidence,
        logs=templates(lines, _MOST_TEMPLATES),
        commits=_commits(state, decision),
        lost=state.lost,
        command=_command(context, advice, decision),
    )
    return _with_suggestion(context, found, cancellation)


def _metrics(spec: RollbackSpec, fleet: Fleet, deployed: Deployed, seconds: float) -> tuple[EvidenceRecord, ...]:
    fleet.extend(seconds)
    return look_at_metrics(spec.metrics, deployed, world(spec, fleet), seconds)


def _with_suggestion(context: Context, found: Advised, cancellation: Cancellation) -> Advised:
    """Ask the language model of the settings, if there is one. Adds its text, or why there is none."""
    advisor = context.job.advisor
    if advisor is None:
        return found
    from rollback_ops.integrations.advisor import suggest

    said = suggest(
        advisor.url, advisor.model, context.secrets.advisor_key, found.advice.decision, _facts(context, found),
        cancellation,
    )  # fmt: skip
    return replace(found, no_suggestion=said) if isinstance(said, str) else replace(found, suggestion=said)


def _facts(context: Context, found: Advised) -> Sequence[Fact]:
    """Return what a model is told: results of checks, numbers, titles of commits, templates of log lines. Redacted."""
    checks = [
        f"{host}: {check.name}: {check.finding.verdict}: {check.finding.detail}"
        for host, each in found.found.items()
        for check in each.checks
    ]
    parts = (
        ("rule", [rule.says for rule in found.advice.rules if rule.holds]),
        ("metric", list(map(evidence_summary, found.evidence))),
        ("title", [commit.title for commit in found.commits.first]),
        ("log", [f"{each.count} lines: {each.text}" for each in found.logs]),
        ("check", checks),
    )
    return facts_of(parts, context.redact)


def _observed(
    spec: RollbackSpec,
    fleet: Fleet,
    state: RunState,
    deployed: Deployed,
    evidence: Sequence[EvidenceRecord],
    lines: Sequence[str],
) -> Observation:
    unhealthy = any(each.verdict == "unhealthy" for each in state.watched.values())
    diagnosis = diagnosed(spec, fleet, state)[1] if unhealthy else None
    there = [release for each in state.surveys.values() if (release := each.release(each.live.name))]
    return Observation(
        found=state.watched,
        lost={name: error.without(name) for name, error in state.lost.items()},
        trigger=diagnosis.trigger if diagnosis else None,
        failures=diagnosis.evidence if diagnosis else (),
        evidence=evidence,
        degrading=frozenset(name for name, check in spec.metrics.items() if check.latency),
        marked_bad=sorted({f"{each.name}: {each.marked_why or 'no reason was given'}" for each in _bad(there)}),
        age=time.time() - deployed.since if deployed.since else None,
        warnings=sum(re.search(WARNING, line) is not None for line in lines),
    )


def _bad(releases: Sequence[Release]) -> list[Release]:
    return [release for release in releases if release.mark == "bad"]


def _commits(state: RunState, decision: Plan | NothingToDo | Refusal) -> Commits:
    """Return the commits that a rollback would take away."""
    going = decision.with_action("switch") if isinstance(decision, Plan) else ()
    first = next((state.surveys[host.host] for host in going), None)
    if first is None or not isinstance(decision, Plan):
        return Commits(why="nothing would change")
    leaves, target = first.release(first.origin), first.release(decision.target_on(first.host))
    return between(target.revision if target else "", leaves.revision if leaves else "")


def _command(context: Context, advice: Advice, decision: Plan | NothingToDo | Refusal) -> str:
    if advice.decision not in CALLS_FOR_ROLLBACK or not isinstance(decision, Plan):
        return ""
    job, emergency = context.job, " --emergency" if advice.decision == "emergency" else ""
    return f'rollback-ops rollback {job.environment_name} --service {job.service_name}{emergency} --reason "…"'
