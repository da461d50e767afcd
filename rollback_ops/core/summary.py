"""What a record comes to, for people: its title, its status, what to do next, and what took how long. Pure."""

from __future__ import annotations

from typing import NamedTuple

from rollback_ops.core.record import Outcome, Record


class OutcomeText(NamedTuple):
    """The words of the specification's template ("Notification Template")."""

    title: str
    status: str
    next_steps: tuple[str, ...]


_LOOK = "Look at the hosts and the record of the run"
_ENDINGS: dict[Outcome, OutcomeText] = {
    "succeeded": OutcomeText(
        "🔄 Rollback executed",
        "✅ Service restored and operational",
        ("Investigate root cause", "Fix issue in development", "Test thoroughly", "Redeploy when ready"),
    ),
    "nothing_to_do": OutcomeText("🔄 Nothing to roll back", "✅ Nothing was changed", ()),
    "verification_failed": OutcomeText(
        "🚨 Rolled back, and the verification failed",
        "❌ The restored release is live, and it is not well",
        (_LOOK, "Try an older release (--to), or deploy a fix"),
    ),
    "restored": OutcomeText(
        "🚨 Rollback failed, and was taken back",
        "❌ What was live before is live again",
        (_LOOK, "Remove what stood in the way, and roll back again"),
    ),
    "failed": OutcomeText("🚨 Rollback failed", "❌ A person is needed now", (_LOOK, "Bring the service back by hand")),
    "refused": OutcomeText(
        "🚨 Rollback refused",
        "❌ Nothing was changed: what was live before is still live",
        ("Read why it was refused", "Remove what stood in the way, and roll back again"),
    ),
    "partial": OutcomeText(
        "🚨 Rollback ended differently on its hosts",
        "❌ The hosts do not all run the same release",
        (_LOOK, "Roll back again: hosts that are done are left alone"),
    ),
    "cancelled": OutcomeText(
        "🚨 Rollback stopped by a signal",
        "❌ Not verified: each host finishes what it has begun",
        (_LOOK, "Roll back again if it is still needed"),
    ),
}
_POSSIBLE = OutcomeText(
    "🔎 Dry run: a rollback can be done", "✅ Nothing was changed", ("Roll back when it is needed",)
)


def ending_of(record: Record) -> OutcomeText:
    ending = _ENDINGS[record.outcome]
    if record.outcome == "succeeded" and verification_of(record)[0] != "✅":
        steps = (f"Run rollback-ops verify {record.environment} now", *ending.next_steps)
        return ending._replace(status="⚠️ Service started, and nobody has verified it yet", next_steps=steps)
    return _POSSIBLE if record.dry_run and record.outcome == "nothing_to_do" and record.to.release else ending


def verification_of(record: Record) -> tuple[str, str]:
    """A sign and words."""
    checks = [(host.host, check) for host in record.hosts for check in host.checks]
    failed = [f"{check.name} on {host}" for host, check in checks if check.outcome in ("failed", "unknown")]
    if failed:
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        return "❌", f"Failed: {failed[0]}{more}"
    passed = sum(check.outcome == "passed" for _, check in checks)
    if record.outcome == "verification_failed":
        return "❌", "Failed"
    if passed:
        return "✅", f"Passed ({passed} check{'s' * (passed > 1)})"
    return "⚠️", "Skipped" if checks else "Not done"


class StepTime(NamedTuple):
    """Seconds against the specification's target. ``host``: the slowest; empty for the whole."""

    name: str
    seconds: float
    target: float
    host: str = ""


# The specification's table ("Performance Targets"), in seconds.
_TARGETS = {"find": 1.0, "stop": 5.0, "switch": 1.0, "start": 10.0, "verify": 20.0}
_TOTAL_TARGETS = {"emergency": 20.0, "standard": 40.0, "targeted": 40.0}


def times(record: Record) -> list[StepTime]:
    """The slowest of each step, in their order, and the whole; none where hardly anything was done."""
    slowest: dict[str, StepTime] = {}
    for host in record.hosts:
        for step in host.steps:
            if step.name in _TARGETS and step.outcome != "skipped":
                took = StepTime(step.name, step.seconds, _TARGETS[step.name], host.host)
                slowest[step.name] = max(slowest.get(step.name, took), took, key=lambda each: each.seconds)
    total = StepTime("total", record.duration_seconds, _TOTAL_TARGETS[record.mode])
    return [*slowest.values(), total] if len(slowest) > 1 else []
