"""The notes on releases, and the hold, that a run leaves on a host when it has ended. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from rollback_ops.core.health import Health, Verification
from rollback_ops.core.hold import HoldPolicy
from rollback_ops.core.model import PERSONAL_TRIGGERS, HeldRelease, Hold, Note
from rollback_ops.core.run import Attempt, RunState

# Failed checks that a host's line, or a note, names. The record has all of them.
_MOST_EVIDENCE = 3


def notes_of(state: RunState, host: str) -> dict[str, tuple[Note, str]]:
    """Return the notes on the releases of a host, each with the reason.

    A release that passed its verification is good; one that failed it, or did not start, is bad. The release that the
    host left is bad only where there is evidence against it; else the note says that it was left.
    """
    notes: dict[str, tuple[Note, str]] = {}
    if host in state.superseded or state.info.trigger == "drill":
        return notes
    for attempt in state.forward:
        result, target = attempt.switched.get(host), attempt.plan.target_on(host)
        if result and result.target_is_live and (note := _note_of_left(state, host, attempt)):
            notes[_left(state, host)] = note, state.redact(_why_left(state, host))
        if result and result.outcome == "not_started":
            notes[target] = "bad", state.redact(result.reason or "it did not start")
        if (found := attempt.verified.get(host)) and (proven := note_of(found)):
            notes[target] = proven, state.redact("; ".join(evidence(found)))
    if any(attempt.goes_back for attempt in state.attempts):
        notes.pop(_left(state, host), None)
    return notes


def hold_after(state: RunState, policy: HoldPolicy) -> Hold | None:
    """Return the hold of this run, on the releases that hosts left for an older one; None without any."""
    left = {ref: None for host in state.touched if (ref := _went_back_from(state, host))}
    if policy.after_rollback == "none" or not left or state.info.trigger == "drill":
        return None
    now = datetime.now(UTC).timestamp()
    releases = () if policy.after_rollback == "all" else tuple(left)
    info = state.info
    return Hold(info.id, info.actor, state.redact(info.reason), now, now + policy.seconds, releases)


def _went_back_from(state: RunState, host: str) -> HeldRelease | None:
    last, left = state.last(host), state.surveys[host].release(_left(state, host)) if host in state.surveys else None
    if last is None or left is None or host in state.superseded or last.goes_back:
        return None
    forward = any(each.host == host and each.forward for each in last.plan.hosts)
    gone = last.switched[host].target_is_live and last.plan.target_on(host) != left.name
    return HeldRelease(left.name, left.revision) if gone and not forward else None


def _note_of_left(state: RunState, host: str, attempt: Attempt) -> Note | None:
    """Return the note on the release that the host left for the attempt's target; None without one.

    A failure that was seen is evidence, and a person may say that it is bad. A person who goes to a newer release
    says nothing about the one that is left.
    """
    left, target = _left(state, host), attempt.plan.target_on(host)
    if left in ("", target):
        return None
    accused = not state.blameless and (state.info.guarded or state.info.trigger not in PERSONAL_TRIGGERS)
    if state.info.bad or accused or _was_down(state, host) or state.failed_before.get(host):
        return "bad"
    return None if any(each.host == host and each.forward for each in attempt.plan.hosts) else "left"


def _why_left(state: RunState, host: str) -> str:
    shown = "; ".join(state.failed_before.get(host, ())[:_MOST_EVIDENCE])
    return f"{state.info.reason} ({shown})" if shown else state.info.reason


def _was_down(state: RunState, host: str) -> bool:
    """Return whether the survey found the service down: stopped, failed, or started again after a crash.

    After an interrupted rollback this is False: that rollback stopped the service.
    """
    units = () if state.surveys[host].interrupted else state.surveys[host].units
    return any(u.state in ("stopped", "failed") or (u.state == "starting" and u.restarts) for u in units)


def _left(state: RunState, host: str) -> str:
    return state.surveys[host].origin if host in state.surveys else ""


def note_of(verification: Verification) -> Note | None:
    """Return the note of a verification on its release; None when the health is unknown."""
    notes: dict[Health, Note] = {"healthy": "good", "unhealthy": "bad"}
    return notes.get(verification.verdict)


def evidence(verification: Verification) -> list[str]:
    """Return a few findings against the release, failed checks first."""
    if verification.healthy:
        return []
    order = ("failed", "unknown")
    against = [check for check in verification.checks if check.finding.verdict in order]
    against.sort(key=lambda check: order.index(check.finding.verdict))
    return [f"{check.name}: {check.finding.detail or check.finding.verdict}" for check in against[:_MOST_EVIDENCE]]
