"""Verification: all checks, asked again and again under one deadline.

The words and their order are Nomad's: a service is healthy when every check has passed for
``min_healthy_time`` without a break, and that must come to be within ``healthy_deadline``.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from rollback_ops.checks import Dial, Look, Visit
from rollback_ops.errors import RollbackOpsError
from rollback_ops.fleet import Cancellation
from rollback_ops.model import Checked, Finding, Verification
from rollback_ops.ports import Host
from rollback_ops.settings import Verify

Findings = Mapping[str, Finding]
Probe = Callable[[], Findings]

_FIRST_INTERVAL = 0.1
_LONGEST_INTERVAL = 0.4
_BACK_OFF = 1.3


@dataclass
class Watch:
    """The evidence so far, and what it means. Pure: it is told the time, in seconds."""

    names: tuple[str, ...]
    min_healthy_time: float
    last: dict[str, Finding] = field(default_factory=dict)
    passing_since: dict[str, float] = field(default_factory=dict)
    passed_at: dict[str, float] = field(default_factory=dict)
    first_passed: dict[str, float] = field(default_factory=dict)

    def note(self, findings: Findings, asked_at: float, answered_at: float) -> None:
        """Take in what was found. A pass counts from when it was asked for, which is the earlier time."""
        for name, finding in findings.items():
            self.last[name] = finding
            if finding.verdict == "passed":
                self.passing_since.setdefault(name, asked_at)
                self.first_passed.setdefault(name, answered_at)
                self.passed_at[name] = asked_at
            else:
                self.passing_since.pop(name, None)

    @property
    def healthy(self) -> bool:
        goal = self.goal
        return goal is not None and all(self.passed_at[name] >= goal for name in self.names)

    @property
    def hopeless(self) -> bool:
        return any(finding.final and finding.verdict == "failed" for finding in self.last.values())

    @property
    def goal(self) -> float | None:
        """When all will have passed for long enough, if nothing changes; None while one does not pass."""
        if len(self.passing_since) < len(self.names):
            return None
        return max(self.passing_since.values(), default=0.0) + self.min_healthy_time


def verify(
    host: Host, checks: Mapping[str, Look | Visit], policy: Verify, within: float, run: str, cancellation: Cancellation
) -> Verification:
    """Ask until the host's service is healthy, is certainly not, or the deadline has passed.

    Ends within the smaller of ``healthy_deadline`` and ``within`` seconds, whatever a check does.
    """
    began = time.monotonic()
    deadline = began + min(policy.healthy_deadline, within)
    watch = Watch(tuple(checks), policy.min_healthy_time)
    rounds = _Rounds(_probes(host, checks, run), watch, began)
    try:
        while not (watch.healthy or watch.hopeless):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            cancellation.check()
            rounds.take(min(left, _FIRST_INTERVAL))
    finally:
        rounds.stop()
    return Verification(watch.healthy, time.monotonic() - began, _checked(checks, watch, began))


def _checked(checks: Mapping[str, Look | Visit], watch: Watch, began: float) -> tuple[Checked, ...]:
    no_answer = Finding("unknown", "no answer before the deadline")
    return tuple(
        Checked(
            name, check.kind, watch.last.get(name, no_answer), max(0.0, watch.first_passed.get(name, began) - began)
        )
        for name, check in checks.items()
    )


class _Rounds:
    """Every probe in a thread of its own, so that one that hangs holds up no other."""

    def __init__(self, probes: list[tuple[tuple[str, ...], Probe]], watch: Watch, began: float) -> None:
        self._watch = watch
        self._began = began
        self._results: queue.SimpleQueue[tuple[Findings, float, float]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        for names, probe in probes:
            threading.Thread(target=self._ask, args=(names, probe), daemon=True).start()

    def take(self, within: float) -> None:
        try:
            self._watch.note(*self._results.get(timeout=within))
        except queue.Empty:
            return

    def stop(self) -> None:
        self._stopped.set()

    def _ask(self, names: tuple[str, ...], probe: Probe) -> None:
        interval, asked_at = _FIRST_INTERVAL, self._began
        while not self._stopped.is_set():
            self._results.put((_safely(names, probe), asked_at, time.monotonic()))
            self._stopped.wait(self._pause(interval))
            interval, asked_at = min(interval * _BACK_OFF, _LONGEST_INTERVAL), time.monotonic()

    def _pause(self, interval: float) -> float:
        """Until the next round, or until the moment at which one more pass is all that is missing."""
        goal = self._watch.goal
        left = interval if goal is None else goal - time.monotonic()
        return min(interval, left) if left > 0 else interval


def _safely(names: tuple[str, ...], probe: Probe) -> Findings:
    """A probe that breaks has found nothing out: that is never a pass."""
    try:
        return probe()
    except RollbackOpsError as error:
        detail = error.message
    except Exception as error:
        # A defect of one check must neither look like health nor end the others.
        detail = f"the check broke: {type(error).__name__}"
    return dict.fromkeys(names, Finding("unknown", detail))


def _probes(host: Host, checks: Mapping[str, Look | Visit], run: str) -> list[tuple[tuple[str, ...], Probe]]:
    """The questions of one round: the units, the commands (one remote operation each), and every visit."""
    looks = {name: check for name, check in checks.items() if _is_look(check)}
    states = {name: check for name, check in looks.items() if check.question is None}
    commands = {name: check for name, check in looks.items() if check.question is not None}
    probes = [(tuple(group), _look(host, group, run)) for group in (states, commands) if group]
    probes += [((name,), _visit(host, name, check)) for name, check in checks.items() if _is_visit(check)]
    return probes


def _is_look(check: Look | Visit) -> TypeGuard[Look]:
    return hasattr(check, "question")


def _is_visit(check: Look | Visit) -> TypeGuard[Visit]:
    return hasattr(check, "probe")


def _look(host: Host, checks: Mapping[str, Look], run: str) -> Probe:
    questions = [check.question for check in checks.values() if check.question is not None]

    def probe() -> Findings:
        seen = host.ask(run, questions)
        return {name: check.judge(seen.units, seen.answers.get(i)) for i, (name, check) in enumerate(checks.items())}

    return probe


def _visit(host: Host, name: str, check: Visit) -> Probe:
    dial: Dial = host.dial if check.source == "host" else _dial_from_here
    return lambda: {name: check.probe(dial)}


def _dial_from_here(host: str, port: int, timeout: float) -> socket.socket:
    return socket.create_connection((host, port), timeout)
