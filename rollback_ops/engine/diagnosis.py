"""Diagnoses an unhealthy release, and decides whether an automatic rollback is allowed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import Thresholds, Verification
from rollback_ops.core.identity import ReleaseIdentity
from rollback_ops.core.model import PERSONAL_TRIGGERS, AutomaticTrigger
from rollback_ops.core.record import HostOutcome, Record

# From cause to effect: a database that is gone also makes the health check fail.
_FROM_CAUSE_TO_EFFECT: tuple[AutomaticTrigger, ...] = (
    "config-invalid",
    "database-unreachable",
    "process-crash",
    "log-error",
    "health-timeout",
    "verification-failed",
    "metric-degraded",
)
# The outcomes of hosts on which a run changed nothing.
_LEFT_ALONE: tuple[HostOutcome, ...] = ("nothing_to_do", "refused", "unreachable")


@frozen
class Diagnosis:
    """Why a release is unhealthy: the trigger for its rollback, and the evidence, the nearest to the cause first.

    Without a trigger nothing is proven, and the evidence names what is unknown.
    """

    trigger: AutomaticTrigger | None
    evidence: tuple[str, ...]


def diagnose(found: Mapping[str, Verification], thresholds: Mapping[str, Thresholds]) -> Diagnosis:
    """Diagnose hosts of which at least one is not healthy."""
    failed: list[tuple[int, str]] = []
    late: list[str] = []
    unknown: list[str] = []
    for host, verification in found.items():
        if verification.healthy:
            continue
        if verification.verdict == "unknown":
            unknown += _unknown(host, verification)
            continue
        for check in verification.checks:
            finding, words = check.finding, f"{host}: {check.name}: {check.finding.detail or check.finding.verdict}"
            if finding.verdict == "failed":
                trigger = thresholds[check.name].trigger or finding.trigger
                failed.append((_FROM_CAUSE_TO_EFFECT.index(trigger), words))
            elif check.failed:
                failed_before = f"{host}: {check.name}: it failed for a while"
                late.append(failed_before if finding.verdict == "passed" else words)
    if failed:
        failed.sort(key=lambda pair: pair[0])
        return Diagnosis(_FROM_CAUSE_TO_EFFECT[failed[0][0]], tuple(words for _, words in failed))
    return Diagnosis("health-timeout", tuple(late)) if late else Diagnosis(None, tuple(unknown))


def _unknown(host: str, verification: Verification) -> list[str]:
    """Return what is unknown about a host."""
    if verification.superseded:
        return [f"{host}: another release was made live meanwhile"]
    lost = [] if verification.reachable else [f"{host}: it does not answer any more"]
    unknown = [check for check in verification.checks if check.finding.verdict == "unknown"]
    told = lost + [f"{host}: {check.name}: {check.finding.detail or 'unknown'}" for check in unknown]
    if told or not verification.checks:
        return told or [f"{host}: it could not be verified"]
    return [f"{host}: its checks pass, but not for long enough to show that it is healthy"]


def objection(
    journals: Mapping[str, Iterable[Record]],
    failing: Mapping[str, ReleaseIdentity],
    release: str,
    now: datetime,
    max_per_day: int,
) -> str:
    """Return why no automatic rollback away from this release may start; empty when it may.

    ``journals``: the records of each host. ``failing``: the identity of the release on each host where it is unhealthy.
    A release is rolled back automatically once on each host: a host that an earlier rollback left alone still needs
    its own, and so does another release of the same name. A service is rolled back automatically at most
    ``max_per_day`` times in 24 hours: a failure that comes and goes all day is not caused by a release.
    """
    counted = (*PERSONAL_TRIGGERS, "drill")
    automatic = {h: [r for r in records if r.trigger not in counted] for h, records in journals.items()}
    earlier = next((r for host, it in failing.items() for r in automatic.get(host, ()) if _tried(r, host, it)), None)
    if earlier:
        return f"{release} was rolled back automatically before (run {earlier.id}), and is live again"
    runs = {r.id: r for records in automatic.values() for r in records}
    recent = [r for r in runs.values() if now - datetime.fromisoformat(r.started_at) < timedelta(days=1)]
    if len(recent) >= max_per_day:
        return f"there were {len(recent)} automatic rollbacks within 24 hours already (max_per_day is {max_per_day})"
    return ""


def _tried(record: Record, host: str, release: ReleaseIdentity) -> bool:
    """Return whether this run took the host away from the release, even if it had to go back.

    A record of very many hosts names only some of them.
    """
    own = next((found for found in record.hosts if found.host == host), None)
    if own is None:
        return record.from_.identity.is_same_as(release)
    return own.from_.identity.is_same_as(release) and own.outcome not in _LEFT_ALONE
