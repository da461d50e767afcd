"""Summarize a record for people: title, status, next steps, and the duration of each step. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rollback_ops.core.revision import short

if TYPE_CHECKING:
    from rollback_ops.core.record import EvidenceRecord, GroupServiceRecord, HoldRecord, Outcome, Record
    from rollback_ops.core.statistics import Statistics


class OutcomeSummary(NamedTuple):
    """The texts that the specification's template asks for ("Notification Template")."""

    title: str
    status: str
    next_steps: tuple[str, ...]


_LOOK = "Look at the hosts and the record of the run"
_SUMMARIES: dict[Outcome, OutcomeSummary] = {
    "succeeded": OutcomeSummary(
        "🔄 Rollback executed",
        "✅ Service restored and operational",
        ("Investigate root cause", "Fix issue in development", "Test thoroughly", "Redeploy when ready"),
    ),
    "nothing_to_do": OutcomeSummary("🔄 Nothing to roll back", "✅ Nothing was changed", ()),
    "verification_failed": OutcomeSummary(
        "🚨 Rolled back, and the verification failed",
        "❌ The restored release is live, and it is not healthy",
        (_LOOK, "Try an older release (--to), or deploy a fix"),
    ),
    "health_unknown": OutcomeSummary(
        "⚠️ Rolled back, and its health is unknown",
        "❔ The restored release is live, and its checks could not be run",
        (_LOOK, "Run rollback-ops verify when the hosts answer again"),
    ),
    "restored": OutcomeSummary(
        "🚨 Rollback failed, and was undone",
        "❌ The release that was live before is live again",
        (_LOOK, "Remove the cause, and roll back again"),
    ),
    "failed": OutcomeSummary("🚨 Rollback failed", "❌ A person is needed now", (_LOOK, "Restore the service by hand")),
    "refused": OutcomeSummary(
        "🚨 Rollback refused",
        "❌ Nothing was changed: the same release is still live",
        ("Read why it was refused", "Remove the cause, and roll back again"),
    ),
    "partial": OutcomeSummary(
        "🚨 Rollback ended differently on different hosts",
        "❌ The hosts do not all run the same release",
        (_LOOK, "Roll back again: hosts that are done are left alone"),
    ),
    "superseded": OutcomeSummary(
        "⚠️ Rollback taken over by somebody else",
        "❌ Another release was made live meanwhile, and was left alone",
        (_LOOK, "Agree on who changes the hosts, and verify what is live"),
    ),
    "cancelled": OutcomeSummary(
        "🚨 Rollback stopped by a signal",
        "❌ Not verified: each host finishes its transaction",
        (_LOOK, "Roll back again if it is still needed"),
    ),
}
_POSSIBLE = OutcomeSummary(
    "🔎 Dry run: a rollback can be done", "✅ Nothing was changed", ("Roll back when it is needed",)
)
_POSSIBLE_IN_PART = OutcomeSummary(
    "🔎 Dry run: a rollback can be done on some of the hosts",
    "⚠️ Nothing was changed, and some hosts cannot be rolled back now",
    ("Read why the other hosts cannot be rolled back, and remove the cause",),
)


def outcome_summary(record: Record) -> OutcomeSummary:
    """Return the texts for the outcome; a success that was not verified is not called a success."""
    if record.drill:
        return _of_drill(record)
    summary = _SUMMARIES[record.outcome]
    if record.group and record.services and record.group.then:
        commands = (f"Go on with {record.group.then}", f"Or go back with {record.group.back}")
        return summary._replace(next_steps=(_LOOK, *commands))
    if record.strategy and record.strategy.then:
        return summary._replace(next_steps=(_LOOK, f"Go on with {record.strategy.then}, or roll back anew"))
    if record.outcome == "succeeded" and verification_summary(record)[0] != "✅":
        steps = (f"Run rollback-ops verify {record.environment} now", *summary.next_steps)
        return summary._replace(status="⚠️ Service started, and not verified yet", next_steps=steps)
    if record.dry_run and record.to.label and record.outcome in ("nothing_to_do", "partial"):
        return _POSSIBLE if record.outcome == "nothing_to_do" else _POSSIBLE_IN_PART
    return summary


def _of_drill(record: Record) -> OutcomeSummary:
    outcome = record.outcome.replace("_", " ")
    if record.outcome == "succeeded":
        return OutcomeSummary("🔄 Drill succeeded", "✅ The release that was live is live again, and healthy", ())
    if record.outcome == "restored":
        status = "❌ A rollback would not have worked. The release that was live is live again"
        return OutcomeSummary("🚨 Drill failed", status, (_LOOK, "Remove the cause before you need a rollback"))
    steps = (_LOOK, f"Run rollback-ops resume {record.environment}")
    return OutcomeSummary(f"🚨 Drill: {outcome}", "❌ Not every host is as it was before: look at them now", steps)


def order_told(record: Record) -> str:
    """Say in which order the services of a group are changed; empty where the record is of no group."""
    steps = record.group.steps if record.group and record.services else ()
    return ", then ".join(" and ".join(step) for step in steps)


def services_told(record: Record) -> list[str]:
    """Say where each service of a group is; empty where the record is of no group."""
    services = record.group.services if record.group and record.services else ()
    return [f"{each.service}: {_way(each, would=record.dry_run)}" for each in services]


def _way(service: GroupServiceRecord, *, would: bool) -> str:
    origin, target = service.from_.label or "nothing", service.to.label
    way = f"{origin} → {target}" if target not in ("", origin) else origin
    # In a dry run, nothing to do means that nothing is in the way.
    silent = would and service.outcome == "nothing_to_do"
    return way if silent else f"{service.outcome.replace('_', ' ')}, {way}"


def held(hold: HoldRecord) -> str:
    """Show the hold that the run set."""
    names = [f"{r.release} ({short(r.revision)})" if r.revision else f"{r.release}" for r in hold.releases]
    return ", ".join(names) or "every deployment"


def target_label(record: Record) -> str:
    """Return the name of the target. It is not live where the rollback was undone."""
    return "Tried" if record.outcome in ("restored", "superseded") else "To"


def verification_summary(record: Record) -> tuple[str, str]:
    """Return a sign and a short text about the verification."""
    checks = [(host.label, check) for host in record.hosts for check in host.checks]
    for outcome, sign in (("failed", "❌"), ("unknown", "❔")):
        found = [f"{check.name} on {host}" for host, check in checks if check.outcome == outcome]
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            return sign, f"{outcome.capitalize()}: {found[0]}{more}"
    passed = sum(check.outcome == "passed" for _, check in checks)
    if record.outcome == "verification_failed":
        return "❌", "Failed"
    if record.outcome in ("health_unknown", "superseded"):
        return "❔", "Unknown"
    if passed:
        return "✅", f"Passed ({passed} check{'s' * (passed > 1)})"
    return "⚠️", "Skipped" if checks else "Not done"


class StepDuration(NamedTuple):
    """Duration and target of a step, in seconds. ``host`` is the slowest one; empty for the total."""

    name: str
    seconds: float
    target: float
    host: str = ""


# The specification's table ("Performance Targets"), in seconds.
_TARGETS = {"find": 1.0, "stop": 5.0, "switch": 1.0, "start": 10.0, "verify": 20.0}
_TOTAL_TARGETS = {"emergency": 20.0, "standard": 40.0, "targeted": 40.0}


def step_durations(record: Record) -> list[StepDuration]:
    """Return the slowest duration of each step, in order, and the total; nothing for fewer than two steps."""
    slowest: dict[str, StepDuration] = {}
    for host in record.hosts:
        for step in host.steps:
            if step.name in _TARGETS and step.outcome != "skipped":
                took = StepDuration(step.name, step.seconds, _TARGETS[step.name], host.label)
                slowest[step.name] = max(slowest.get(step.name, took), took, key=lambda each: each.seconds)
    total = StepDuration("total", record.duration_seconds, _TOTAL_TARGETS[record.mode])
    return [*slowest.values(), total] if len(slowest) > 1 else []


def evidence_summary(found: EvidenceRecord) -> str:
    """Say what a metric shows, in one line: the counts, the e-values, what a verdict needs, and α."""
    compared = f"{_share(found.new.bad, found.new.total)} now, {_share(found.old.bad, found.old.total)} before"
    strength = f"e-value {found.e_worse:.3g} for worse, {found.e_not_worse:.3g} for not worse"
    verdict = found.verdict.replace("_", " ")
    return f"{found.check}: {verdict}: {compared}; {strength}; a verdict needs {found.needed:g} (α {found.alpha:g})"


def _share(bad: float, total: float) -> str:
    return f"{bad:g} of {total:g} bad" if total else "nothing counted"


# DORA's figures cannot see these.
RECOVERY_UNSEEN = "when users felt it, and outages without a deployment"


def fail_rate(found: Statistics) -> str:
    """Say how many deployments a rollback left, of those that are known."""
    rate = found.change_failures
    if rate is None:
        return f"{found.failed_deployments} deployments were left by a rollback"
    share, low, high = (f"{100 * each:.1f} %" for each in (rate.share, *rate.exact))
    return f"{rate.failed} of {rate.total} {rate.name} were left by a rollback: {share} (95 %: {low} to {high})"


def fail_rate_unseen(found: Statistics) -> str:
    """Say what the change fail rate cannot see."""
    rate = found.change_failures
    missing = "how many there were" if rate is None else "deployments that are no longer there"
    return f"{missing}, and failures that were fixed forward"
