"""The types of a verification: thresholds, findings and results. All are frozen; durations are in seconds."""

from __future__ import annotations

from typing import Literal

from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import AutomaticTrigger, ServiceState

Verdict = Literal["passed", "failed", "unknown"]
Health = Literal["healthy", "unhealthy", "unknown"]


@frozen
class Finding:
    """The answer of one check. ``final``: hard evidence; waiting longer would not change it.

    ``trigger``: the trigger of a rollback because of this finding. ``down``: the service does not run, or crashes again
    and again. ``silent``: no answer came in time, which counts only while the host itself answers.
    """

    verdict: Verdict
    detail: str = ""
    final: bool = False
    trigger: AutomaticTrigger = "verification-failed"
    down: bool = False
    silent: bool = False


@frozen
class Thresholds:
    """How often a check is asked, and what its answers must be like to count (seconds, and answers in a row).

    ``interval`` is that of the first questions; it grows a little, up to 0.4 s or itself. ``fail_fast``: failing
    ``failure_threshold`` times in a row ends the verification, before the first pass too. ``trigger``, where there
    is one, is said instead of the finding's own.
    """

    interval: float = 0.1
    min_healthy_time: float = 3.0
    healthy_deadline: float = 20.0
    success_threshold: int = 1
    failure_threshold: int = 3
    fail_fast: bool = False
    trigger: AutomaticTrigger | None = None


@frozen
class CheckResult:
    """The final result of one check. ``seconds``: from the beginning of the verification until it first passed.

    ``setbacks``: how often it failed so many times in a row that its window had to begin anew.
    """

    name: str
    kind: str
    finding: Finding
    seconds: float
    setbacks: int = 0

    @property
    def failed(self) -> bool:
        """Whether the check shows that the service is unhealthy: it failed, failed for a while, or got no answer.

        A check that could not be asked shows nothing.
        """
        unanswered = self.finding.verdict == "unknown" and self.finding.trigger == "health-timeout"
        return self.finding.verdict == "failed" or self.setbacks > 0 or unanswered


@frozen
class Claim:
    """The conditions of a verification: ``release`` is live (None: any may be), ``run`` has the lease if ``leased``."""

    run: str
    release: str | None = None
    leased: bool = False

    def is_lost(self, seen: ServiceState) -> bool:
        """Return whether another release is live, or another run has the host. A missing answer means no."""
        moved = self.release is not None and seen.live not in (None, self.release)
        return moved or (self.leased and seen.held is False)


@frozen
class Verification:
    """The result of the verification of one host. ``seconds`` is how long it took.

    ``reachable``: the host still answered when it ended. An unreachable host shows nothing about its service.
    ``superseded``: somebody else took the host over meanwhile, so the checks judged another release.
    """

    healthy: bool
    seconds: float
    checks: tuple[CheckResult, ...] = ()
    reachable: bool = True
    superseded: bool = False

    @property
    def verdict(self) -> Health:
        """Healthy, unhealthy (a check shows it), or unknown (no check shows either)."""
        if self.superseded:
            return "unknown"
        if self.healthy:
            return "healthy"
        return "unhealthy" if self.reachable and any(check.failed for check in self.checks) else "unknown"

    @property
    def down(self) -> bool:
        """Whether the service does not run, or crashes again and again."""
        return any(check.finding.down for check in self.checks)
