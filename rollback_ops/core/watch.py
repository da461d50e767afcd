"""The evidence of a verification so far, and what it means. Pure: it is told the time, in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rollback_ops.core.health import Finding, Thresholds

Findings = Mapping[str, Finding]

_LONGEST_INTERVAL = 0.4
_BACK_OFF = 1.3


def longer(interval: float) -> float:
    """The interval that follows this one: it grows a little, up to 0.4 s or itself."""
    return max(interval, min(interval * _BACK_OFF, _LONGEST_INTERVAL))


@dataclass
class CheckState:
    """How one check has answered lately. ``since`` is None while it does not count as passing."""

    thresholds: Thresholds
    passes: int = 0
    failures: int = 0
    since: float | None = None
    passed_at: float = 0.0
    first_passed: float | None = None
    last: Finding | None = None
    setbacks: int = 0

    def note(self, finding: Finding, asked_at: float, answered_at: float) -> None:
        self.last = finding
        if finding.verdict == "passed":
            self.passes, self.failures = self.passes + 1, 0
            if self.passes >= self.thresholds.success_threshold:
                self.since = asked_at if self.since is None else self.since
                self.first_passed = answered_at if self.first_passed is None else self.first_passed
                self.passed_at = asked_at
        else:
            # One that has not passed yet has nothing to be forgiven.
            self.passes, self.failures = 0, self.failures + 1
            self.setbacks += self.failures == self.thresholds.failure_threshold and finding.verdict == "failed"
            if self.failures >= self.thresholds.failure_threshold:
                self.since = None


@dataclass
class Watch:
    """All checks of one host, from ``began`` on."""

    began: float
    states: dict[str, CheckState] = field(default_factory=dict)

    @classmethod
    def of(cls, thresholds: Mapping[str, Thresholds], began: float) -> Watch:
        return cls(began, {name: CheckState(thresholds) for name, thresholds in thresholds.items()})

    def note(self, findings: Findings, asked_at: float, answered_at: float) -> None:
        """Take in what was found. A pass counts from when it was asked for, which is the earlier time."""
        for name, finding in findings.items():
            self.states[name].note(finding, asked_at, answered_at)

    @property
    def together_since(self) -> float | None:
        """Since when all checks pass, without a break; None while one does not."""
        times = [state.since for state in self.states.values()]
        known = [time for time in times if time is not None]
        return max(known, default=self.began) if len(known) == len(times) else None

    def goal(self, name: str) -> float | None:
        """When a check will have passed for long enough, together with all others, if nothing changes."""
        since = self.together_since
        return None if since is None else since + self.states[name].thresholds.min_healthy_time

    def pause(self, names: Iterable[str], interval: float, now: float) -> float:
        """Until the next round, or until the moment at which one more pass is all that is missing."""
        goals = [goal for name in names if (goal := self.goal(name)) is not None]
        left = max(goals, default=0.0) - now
        return min(interval, left) if left > 0 else interval

    @property
    def healthy(self) -> bool:
        return all(
            (goal := self.goal(name)) is not None and state.failures == 0 and state.passed_at >= goal
            for name, state in self.states.items()
        )

    def hopeless(self, now: float) -> bool:
        """Whether hard evidence is there, or a check does not pass at its own deadline."""
        return any(
            (s.last is not None and s.last.final and s.last.verdict == "failed")
            or (s.since is None and now >= self.began + s.thresholds.healthy_deadline)
            for s in self.states.values()
        )

    @property
    def deadline(self) -> float:
        """When all must be healthy."""
        return self.began + max((s.thresholds.healthy_deadline for s in self.states.values()), default=0.0)
