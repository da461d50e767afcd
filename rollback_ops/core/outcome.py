"""The outcome of a run: of each host, and of all of them together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rollback_ops.core.errors import BadAnswer, Exit
from rollback_ops.core.health import Health, Verification
from rollback_ops.core.model import SwitchOutcome
from rollback_ops.core.notes import evidence
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.record import HostOutcome, HostRecord, Outcome, Superseder
from rollback_ops.core.run import Attempt, RunInfo, RunState

EXIT_CODES: dict[Outcome, Exit] = {
    "succeeded": Exit.OK,
    "nothing_to_do": Exit.OK,
    "refused": Exit.REFUSED,
    "verification_failed": Exit.VERIFICATION_FAILED,
    "health_unknown": Exit.VERIFICATION_FAILED,
    "restored": Exit.RESTORED,
    "failed": Exit.FAILED,
    "partial": Exit.PARTIAL,
    "superseded": Exit.SUPERSEDED,
}
# The detail of a host whose run was killed before the host's transaction ended.
KILLED = "rollback-ops was killed before this host finished"
_HEALTH_OUTCOMES: dict[Health, HostOutcome] = {
    "healthy": "succeeded",
    "unhealthy": "verification_failed",
    "unknown": "health_unknown",
}
_OF_ALL: dict[HostOutcome, Outcome] = {
    "succeeded": "succeeded",
    "verification_failed": "verification_failed",
    "health_unknown": "health_unknown",
    "restored": "restored",
    "failed": "failed",
    "unknown": "failed",
    "refused": "refused",
    "unreachable": "refused",
    "superseded": "superseded",
    "cancelled": "cancelled",
    "not_begun": "partial",
}


def run_outcome(state: RunState, hosts: Sequence[HostRecord]) -> Outcome:
    """Return the outcome of the whole run."""
    if state.cancelled:
        return "cancelled"
    if isinstance(state.decision, Refusal | None):
        return "refused"
    return overall([host.outcome for host in hosts])


def exit_code_of(info: RunInfo, outcome: Outcome) -> Exit:
    """Return the exit code of a run. A guard that had to roll back does not end with 0."""
    return Exit.VERIFICATION_FAILED if info.guarded and outcome == "succeeded" else EXIT_CODES[outcome]


def overall(outcomes: Sequence[HostOutcome]) -> Outcome:
    """Return one outcome for all hosts. Hosts with nothing to do count only when all are like that."""
    met = {_OF_ALL[outcome] for outcome in outcomes if outcome != "nothing_to_do"}
    if met - {"partial"} in ({"restored"}, {"refused"}):
        # Hosts whose wave did not begin are unchanged, as these are.
        met -= {"partial"}
    if met == {"verification_failed", "health_unknown"}:
        return "verification_failed"
    if len(met) > 1 or (met == {"refused"} and "nothing_to_do" in outcomes):
        return "partial"
    return met.pop() if met else "nothing_to_do"


def host_outcome(state: RunState, name: str) -> tuple[HostOutcome, str]:
    """Return the outcome of a host, and its detail. Raises ``ValueError`` for a host that the plan does not have."""
    superseder = state.superseded.get(name)
    if superseder:
        return "superseded", _taken_over(superseder)
    drilled = state.drill and state.attempts and name in state.attempts[0].switched
    return _drilled(state, name) if drilled else _own_outcome(state, name)


def outcome_of(verification: Verification) -> HostOutcome:
    """Return the outcome of a host whose release was verified."""
    if verification.superseded:
        return "superseded"
    return _HEALTH_OUTCOMES[verification.verdict]


def _own_outcome(state: RunState, name: str) -> tuple[HostOutcome, str]:
    if error := state.lost.get(name):
        # Only its survey was requested.
        detail = error.message.removeprefix(f"{name}: ")
        return ("refused" if isinstance(error, BadAnswer) else "unreachable"), detail
    if attempt := state.last(name):
        outcome, detail = _switch_outcome(attempt, name, state.logs.get(name, ()))
        unproven = state.cancelled and outcome == "succeeded" and name not in attempt.verified
        return outcome, detail or ("it was not verified" if unproven else "")
    match state.decision:
        case Plan() as plan:
            return _planned_outcome(state, plan, name)
        case NothingToDo(why=why):
            return "nothing_to_do", why
        case Refusal() as refusal:
            return "refused", refusal.about(name)
    return "cancelled", ""


def _planned_outcome(state: RunState, plan: Plan, name: str) -> tuple[HostOutcome, str]:
    """Return the outcome of a host that was not switched, or not yet."""
    host = plan.on(name)
    if host is None:
        raise ValueError(f"the plan does not have {name}")
    if host.action == "exclude":
        return "refused", host.why
    verified = next((a.verified[name] for a in reversed(state.attempts) if name in a.verified), None)
    if verified and not verified.healthy:
        return outcome_of(verified), host.why
    if host.action == "leave" or state.info.dry_run:
        return "nothing_to_do", host.why
    if state.group and not any(attempt.switched for attempt in state.attempts):
        return "not_begun", f"the group {state.group.name} stopped before this service"
    if state.rollout:
        return "not_begun", "its wave did not begin"
    return "cancelled", host.why


def _switch_outcome(attempt: Attempt, name: str, logs: Sequence[str]) -> tuple[HostOutcome, str]:
    result = attempt.switched[name]
    verification = attempt.verified.get(name)
    against = evidence(verification) if verification else []
    detail = " | ".join(filter(None, (result.reason, result.undrained, *against, *(*logs, *result.log_tail)[-3:])))
    # A service that runs and gets no traffic counts as down.
    outcome: SwitchOutcome = "failed" if result.undrained else result.outcome
    match outcome:
        case "switched" if attempt.goes_back:
            why = next((host.why for host in attempt.plan.hosts if host.host == name), "")
            return "restored", f"{why or 'the target was unhealthy'}; {result.live} was started again"
        case "switched":
            return _proven(attempt, name), detail
        case "still_starting" if not attempt.goes_back:
            return "health_unknown", detail
        case "refused" | "unknown":
            return ("failed" if attempt.goes_back else outcome), detail
        case "put_back":
            return "restored", detail
    return "failed", detail


def _proven(attempt: Attempt, name: str) -> HostOutcome:
    verification = attempt.verified.get(name)
    if verification is None:
        return "succeeded"
    return "failed" if verification.verdict == "unhealthy" and verification.down else outcome_of(verification)


def _drilled(state: RunState, name: str) -> tuple[HostOutcome, str]:
    """Return the outcome of a host of a drill. It succeeded where both ways did, and its checks passed on both."""
    there, *then = state.attempts
    logs = state.logs.get(name, ())
    outcome, detail = _switch_outcome(there, name, logs)
    forward = next((attempt for attempt in then if name in attempt.switched), None)
    if forward is None:
        again = f"it was not taken forward again: run `rollback-ops resume {state.info.environment}`"
        left = there.switched[name].target_is_live or outcome == "unknown"
        return ("failed", " | ".join(filter(None, (detail, again)))) if left else (outcome, detail)
    ended, why = _switch_outcome(replace(forward, goes_back=False), name, logs)
    if ended != "succeeded":
        return ended, why
    if outcome != "succeeded":
        return "restored", detail or f"{there.plan.target} was not healthy"
    if state.cancelled:
        return "restored", "the drill was stopped by a signal"
    return "succeeded", ""


def _taken_over(by: Superseder) -> str:
    """Say what took the host over, and that it was left alone."""
    who = ", ".join(filter(None, (by.run and f"run {by.run}", by.actor, by.run_url)))
    what = f"{by.release} was made live" if by.release else "it was taken over"
    return f"{what} meanwhile{f' ({who})' if who else ''}, and was left alone"
