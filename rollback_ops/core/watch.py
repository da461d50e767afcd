"""The answers of the checks so far, and the verdict that follows. Pure: the caller gives the time, in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rollback_ops.core.health import Finding, Thresholds

Findings = Mapping[str, Finding]

# Seconds. A service that is coming up is asked often at first: each poll costs milliseconds, and waiting is downtime.
_FIRST_INTERVAL = 0.02
_USUAL_INTERVAL = 0.1
_LONGEST_INTERVAL = 0.4
_BACK_OFF = 1.3
# After this time without an answer, earlier answers of a check no longer count.
_SILENCE = 1.0


def first_interval(thresholds: Thresholds) -> float:
    """Return the first interval: 20 ms, or the ``interval`` of a check that is to be asked less often than usual."""
    return thresholds.interval if thresholds.interval > _USUAL_INTERVAL else min(_FIRST_INTERVAL, thresholds.interval)


def longer(interval: float) -> float:
    """Return the interval that follows this one: it grows by 1.3, up to 0.4 s or itself."""
    return max(interval, min(interval * _BACK_OFF, _LONGEST_INTERVAL))


@dataclass
class CheckState:
    """How one check has answered lately. ``since`` is None while the check does not count as passing.

    ``failures`` counts what did not pass since the last pass, ``failed`` what failed without another answer between.
    ``heard``: when the last answer came. ``unanswered_since``: when it was asked, while there is no answer yet.
    """

    thresholds: Thresholds
    passes: int = 0
    failures: int = 0
    failed: int = 0
    since: float | None = None
    passed_at: float = 0.0
    first_passed: float | None = None
    last: Finding | None = None
    heard: float = 0.0
    setbacks: int = 0
    unanswered_since: float | None = None

    def note(self, finding: Finding, asked_at: float, answered_at: float) -> None:
        self.last, self.heard, self.unanswered_since = finding, answered_at, None
        self.failed = self.failed + 1 if finding.verdict == "failed" else 0
        if finding.verdict == "passed":
            self.passes, self.failures = self.passes + 1, 0
            if self.passes >= self.thresholds.success_threshold:
                self.since = asked_at if self.since is None else self.since
                self.first_passed = answered_at if self.first_passed is None else self.first_passed
                self.passed_at = asked_at
        else:
            # The failure threshold applies only after the first pass.
            self.passes, self.failures = 0, self.failures + 1
            self.setbacks += self.failures == self.thresholds.failure_threshold and finding.verdict == "failed"
            if self.failures >= self.thresholds.failure_threshold:
                self.since = None

    def verdict(self, now: float) -> Finding:
        """Return the verdict on the check now. A check that has stopped answering is unknown, whatever it said."""
        if self.last is None:
            return Finding("unknown", "no answer before the deadline", trigger="health-timeout")
        silence = 0.0 if self.unanswered_since is None else now - self.unanswered_since
        if self.last.verdict == "passed" and silence >= _SILENCE:
            return Finding("unknown", f"no answer for {silence:.1f} s; before that: {self.last.detail or 'it passed'}")
        return self.last

    @property
    def ended(self) -> bool:
        """Whether there is hard evidence: no later answer would change the verdict."""
        fast = self.thresholds.fail_fast and self.failed >= self.thresholds.failure_threshold
        return fast or (self.last is not None and self.last.final and self.last.verdict == "failed")


@dataclass
class Watch:
    """All checks of one host, from ``began`` on."""

    began: float
    states: dict[str, CheckState] = field(default_factory=dict)

    @classmethod
    def of(cls, thresholds: Mapping[str, Thresholds], began: float) -> Watch:
        return cls(began, {name: CheckState(thresholds) for name, thresholds in thresholds.items()})

    def ask(self, names: Iterable[str], now: float) -> None:
        """Note that checks are asked now."""
        for name in names:
            self.states[name].unanswered_since = now

    def note(self, findings: Findings, asked_at: float, answered_at: float) -> None:
        """Note findings. A pass counts from when the check was asked, which is the earlier time."""
        for name, finding in findings.items():
            self.states[name].note(finding, asked_at, answered_at)

    def heard(self, names: Iterable[str]) -> float:
        """Return when the last answer of these checks came; when the verification began, where there is none yet."""
        return max(self.began, *(self.states[name].heard for name in names))

    @property
    def together_since(self) -> float | None:
        """The time since which all checks pass without a break; None while one does not."""
        times = [state.since for state in self.states.values()]
        known = [time for time in times if time is not None]
        return max(known, default=self.began) if len(known) == len(times) else None

    def goal(self, name: str) -> float | None:
        """Return when a check will have passed for long enough, together with all others, if nothing changes."""
        since = self.together_since
        return None if since is None else since + self.states[name].thresholds.min_healthy_time

    def pause(self, names: Iterable[str], interval: float, now: float) -> float:
        """Return the seconds until these checks are asked again: ``interval``, or less when one pass is all that lacks.

        0 when that pass would count already: a check that was asked before the last other one passed is asked at once.
        """
        missing = [goal for name in names if (goal := self._missing(name)) is not None]
        return min(interval, max(0.0, max(missing) - now)) if missing else interval

    def interval(self, names: Iterable[str], interval: float) -> float:
        """Return the interval at which these checks are asked: their own one, at least, once all of them pass.

        Until then they are asked often. After that, each answer only shows that nothing has changed.
        """
        states = [self.states[name] for name in names]
        if any(state.since is None or state.failures for state in states):
            return interval
        return max(interval, min(state.thresholds.interval for state in states))

    def _missing(self, name: str) -> float | None:
        """Return the time at which one more pass of the check is all that lacks; None when something else lacks too."""
        state, goal = self.states[name], self.goal(name)
        return goal if goal is not None and state.failures == 0 and state.passed_at < goal else None

    @property
    def healthy(self) -> bool:
        return all(
            (goal := self.goal(name)) is not None and state.failures == 0 and state.passed_at >= goal
            for name, state in self.states.items()
        )

    @property
    def missing(self) -> str:
        """Say what a verification waits for: the first check that does not pass, or time without a failure."""
        for name, state in self.states.items():
            if state.since is None or state.failures:
                return f"{name}: {state.last.detail or state.last.verdict}" if state.last else f"{name}: no answer yet"
        return "all checks pass"

    def hopeless(self, now: float) -> bool:
        """Return whether hard evidence is there, or a check does not pass at its own deadline."""
        return any(
            s.ended or (s.since is None and now >= self.began + s.thresholds.healthy_deadline)
            for s in self.states.values()
        )

    @property
    def deadline(self) -> float:
        """When all must be healthy."""
        return self.began + max((s.thresholds.healthy_deadline for s in self.states.values()), default=0.0)
