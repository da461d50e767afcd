"""The reasons why a run cannot change anything on a host, and the remedies."""

from __future__ import annotations

from collections.abc import Sequence

from rollback_ops.core.model import Live, Survey, Unit
from rollback_ops.core.plan.selection import Selection

NOT_LIVE = {
    "missing": "current does not exist",
    "dangling": "current points at {0}, which does not exist",
    "elsewhere": "current points at {0}, which is none of the releases",
}

_DEPLOYING = "Wait until it has ended. If it ended long ago, remove its lock or link, or use --ignore-deploy-lock."
_TARGET = "Name the release to go to with --backup; `list` shows them."
_DIRECTORY = "Move the directory among the releases and make current a link to it."

OPEN_DRILL = "a drill that went from {0} back to {1} has not gone forward again"


def blockers(survey: Survey, selection: Selection) -> str:
    """Return why nothing may be changed on a host; empty when it may."""
    reasons = [
        f"the unit {unit.name} does not exist: correct `units` in rollback.toml, or install it"
        for unit in survey.units
        if unit.state == "missing"
    ]
    reasons += survey.blockers
    reasons += [f"the unit {unit.name} {unit.blocker}" for unit in survey.units if unit.blocker]
    reasons += [_state_unknown(unit) for unit in survey.units if unit.state == "unknown"]
    if survey.live.state == "directory":
        reasons.append("current is not a link, so it cannot be switched")
    if not selection.emergency:
        reasons += survey.warnings
        reasons += () if selection.ignore_deploy_lock else survey.deploying
        if survey.lease:
            reasons.append(locked(survey))
        if survey.open_drill and not selection.backup:
            reasons.append(drilled(survey))
        if survey.live.state in NOT_LIVE and not (selection.backup or survey.interrupted or survey.blockers):
            reasons.append(not_live(survey.live))
    return "; ".join(reasons)


def _state_unknown(unit: Unit) -> str:
    return f"the state of the unit {unit.name} is unknown{f': {unit.detail}' if unit.detail else ''}"


def locked(survey: Survey) -> str:
    lease = survey.lease
    if lease is None:
        return ""
    left = f", at most {lease.expires_in:.0f} s more" if lease.expires_in else ""
    url = f", {lease.run_url}" if lease.run_url else ""
    return f"locked by {lease.owner or 'another run'} since {lease.since} (run {lease.run}{url}{left})"


def drilled(survey: Survey) -> str:
    """Say that a drill is open on a host; empty where none is."""
    found = survey.open_drill
    return OPEN_DRILL.format(found.start, found.target) if found else ""


def not_live(live: Live) -> str:
    return NOT_LIVE.get(live.state, live.state).format(live.path)


def hint_for(surveys: Sequence[Survey]) -> str:
    """Return what a person can do about the first thing that is in the way."""
    if any(s.blockers for s in surveys):
        return ""
    deploying = any(s.deploying for s in surveys) and not any(s.warnings for s in surveys)
    drill = next((s.open_drill for s in surveys if s.open_drill), None)
    forward = f"`resume` goes forward to {drill.start}; `rollback --to NAME` goes to another release." if drill else ""
    hints = (
        (deploying, _DEPLOYING),
        (any(s.lease for s in surveys), "Wait for it; an --emergency rollback takes the lock over."),
        (drill, forward),
        (any(s.live.state == "directory" for s in surveys), _DIRECTORY),
        (not any(s.releases for s in surveys), "There is no release yet: deploy one first."),
        (any(s.live.state != "release" for s in surveys), _TARGET),
    )
    return next((hint for holds, hint in hints if holds), "")
