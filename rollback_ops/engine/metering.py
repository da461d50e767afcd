"""Connects the metrics of a run with its hosts, and watches them after a rollback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rollback_ops.config import MetricCheck
from rollback_ops.core.health import CheckResult, Finding, Verification
from rollback_ops.core.order import live_at
from rollback_ops.core.run import Attempt, RunState
from rollback_ops.engine.change import confirmed
from rollback_ops.engine.deployed import Deployed
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.meters import World, unknown
from rollback_ops.engine.metrics import longest, watch_metrics, with_evidence
from rollback_ops.engine.spec import RollbackSpec


def world(spec: RollbackSpec, fleet: Fleet) -> World:
    """Return the sources of the metrics of a run, and its clock."""
    return World(fleet.sample, spec.fetch or unknown, fleet.pause, buckets=spec.buckets)


def watch_restored(spec: RollbackSpec, fleet: Fleet, state: RunState, attempt: Attempt, began: float) -> None:
    """Watch the metrics with ``after_rollback`` of a target whose checks pass everywhere.

    They are compared with the hour before the release became live that was left. ``began`` is when the attempt began,
    in seconds since the epoch. The results become a part of the verification of each host.
    """
    metrics = _wanted(spec)
    running = attempt.running
    if not metrics or not running or attempt.goes_back or spec.selection.emergency or state.unfinished:
        return
    if not all(name in attempt.verified and attempt.verified[name].healthy for name in running):
        return
    target, left_since = attempt.plan.target, _left_since(state)
    if not left_since:
        attempt.verified.update({name: _unknown(attempt.verified[name], metrics) for name in running})
        return
    fleet.progress.phase("metrics", f"{', '.join(metrics)} of {target}")
    fleet.extend(longest(metrics))
    deployed = Deployed(dict.fromkeys(running, target), target, began, compared_until=left_since)
    found = watch_metrics(metrics, deployed, world(spec, fleet))
    state.evidence = (*state.evidence, *found)
    judged = {name: with_evidence(attempt.verified[name], found) for name in running}
    attempt.verified.update(confirmed(fleet, state, attempt, judged))


def _wanted(spec: RollbackSpec) -> Mapping[str, MetricCheck]:
    return {name: check for name, check in spec.metrics.items() if check.after_rollback}


def _unknown(found: Verification, metrics: Mapping[str, MetricCheck]) -> Verification:
    why = Finding("unknown", "nothing says when the release that was left became live, so there is no hour before it")
    return replace(found, healthy=False, checks=(*found.checks, *(CheckResult(n, "metric", why, 0.0) for n in metrics)))


def _left_since(state: RunState) -> float:
    """Return when the release that was left became live first, in seconds since the epoch; 0 where that is unknown."""
    left = (survey.release(survey.origin) for survey in state.surveys.values())
    return min((at for release in left if release and (at := live_at(release))), default=0.0)
