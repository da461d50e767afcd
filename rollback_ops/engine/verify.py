"""Verification: runs all checks repeatedly under one deadline.

The words and their order are Nomad's: a service is healthy when every check has passed for ``min_healthy_time`` without
a break, within ``healthy_deadline``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from rollback_ops.checks import HostProbe, NetworkProbe
from rollback_ops.core.health import CheckResult, Claim, Thresholds, Verification
from rollback_ops.core.model import Unit
from rollback_ops.core.ports import Host
from rollback_ops.core.tasks import Cancellation, begun
from rollback_ops.core.watch import CheckState, Findings, Watch, first_interval, longer
from rollback_ops.engine.questions import ANSWER_WITHIN, AskedHost, Question, questions_for

# Takes the seconds so far, the seconds in all, and what is missing.
OnWait = Callable[[float, float, str], None]

_LOOK_EVERY = 0.1
# Seconds. The answer to commands also has the units' states. These are asked by themselves only where it takes so long:
# two operations on one host at the same time need two sessions. In a short verification it is a quarter of its time, so
# that a host that answers nothing is told from a command that takes long (``AskedHost.is_mute``).
_ALONE_AFTER = 2.0
_ALONE_AFTER_PART = 0.25


def in_silence(seconds: float, within: float, missing: str) -> None:
    """Show nothing while a verification waits."""


def verify(
    host: Host,
    checks: Mapping[str, HostProbe | NetworkProbe],
    thresholds: Mapping[str, Thresholds],
    within: float,
    claim: Claim,
    cancellation: Cancellation,
    units: tuple[Unit, ...] = (),
    on_wait: OnWait = in_silence,
) -> Verification:
    """Run the checks until the service is healthy, is certainly not, the claim is lost, or the deadline has passed.

    Ends within the smaller of the longest ``healthy_deadline`` and ``within`` seconds, whatever a check does.
    ``thresholds`` has those of every check. Every question to the host renews the lease of the claim's run, and says
    whether the claim still holds; once it does not, the checks would judge another release. ``units`` are the units'
    states that the host has just reported: they save the first question. ``on_wait`` is told, several times a second,
    how long the verification has gone on, for how long it may, and what it waits for.
    """
    began = time.monotonic()
    watch = Watch.of({name: thresholds[name] for name in checks}, began)
    deadline = min(watch.deadline, began + within)
    asked = AskedHost(host, claim)
    alone_after = min(_ALONE_AFTER, _ALONE_AFTER_PART * (deadline - began))
    rounds = _Rounds(questions_for(asked, checks, units), watch, asked, on_wait, alone_after)
    rounds.follow(deadline, cancellation)
    healthy, seconds = watch.healthy, time.monotonic() - began
    ended = any(state.ended for state in watch.states.values())
    silent = not ended and asked.is_mute(max(began, time.monotonic() - 2 * ANSWER_WITHIN))
    reachable = healthy or (not silent and asked.answers(cancellation))
    return Verification(
        healthy and not asked.is_lost, seconds, _checked(checks, watch, began + seconds), reachable, asked.is_lost
    )


def _checked(checks: Mapping[str, HostProbe | NetworkProbe], watch: Watch, ended: float) -> tuple[CheckResult, ...]:
    # A healthy verification does not wait for answers that would come too late to count.
    at = watch.began if watch.healthy else ended
    return tuple(_result(name, check.kind, watch.states[name], watch.began, at) for name, check in checks.items())


def _result(name: str, kind: str, state: CheckState, began: float, ended: float) -> CheckResult:
    seconds = 0.0 if state.first_passed is None else state.first_passed - began
    return CheckResult(name, kind, state.verdict(ended), seconds, state.setbacks)


class _Rounds:
    """Asks every question again and again, each on its own thread, so that one that hangs holds up no other.

    A pause ends early when another question's answer makes one more pass all that lacks (``Watch.pause``).
    """

    def __init__(
        self, questions: Sequence[Question], watch: Watch, asked: AskedHost, on_wait: OnWait, alone_after: float
    ) -> None:
        self._watch = watch
        self._alone_after = alone_after
        self._asked = asked
        self._on_wait = on_wait
        self._changed = threading.Condition()
        self._over = False
        # The first questions of all checks count from the beginning: what passes at once passes together.
        self._left = self._begun(questions, watch.began)

    def follow(self, deadline: float, cancellation: Cancellation) -> None:
        """Wait until the service is healthy, is certainly not, or the deadline has passed. Raises ``Cancelled``."""
        with self._changed:
            try:
                while not (self._is_decided(now := time.monotonic()) or now >= deadline):
                    cancellation.check()
                    self._left = self._begun(self._left, now)
                    self._on_wait(now - self._watch.began, deadline - self._watch.began, self._watch.missing)
                    self._changed.wait(min(_LOOK_EVERY, max(0.0, deadline - now)))
            finally:
                # Later answers do not count.
                self._over = True
                self._changed.notify_all()

    def _begun(self, questions: Sequence[Question], at: float) -> list[Question]:
        """Begin to ask. Returns what no thread could be started for: its checks are unknown until there is one."""
        return [each for each in questions if not begun(self._ask, each, at)]

    def _is_decided(self, now: float) -> bool:
        return self._watch.healthy or self._watch.hopeless(now) or self._asked.is_lost

    def _ask(self, question: Question, asked_at: float) -> None:
        interval = min(first_interval(self._watch.states[name].thresholds) for name in question.names)
        if not question.begins:
            if not self._rest(question, 0.0):
                return
            asked_at = time.monotonic()
        self._watch.ask(question.names, asked_at)
        while self._note(question, question.ask(), asked_at, interval):
            interval = longer(interval)
            asked_at = time.monotonic()

    def _note(self, question: Question, findings: Findings, asked_at: float, interval: float) -> bool:
        """Note the findings and pause. Returns whether the question is to be asked again."""
        with self._changed:
            if self._over:
                return False
            answered_at = time.monotonic()
            self._watch.note(findings, asked_at, answered_at)
            self._changed.notify_all()
            pause = self._watch.interval(question.names, interval)
            # A host that answers slowly, perhaps among many others, is not asked all the time how its units are.
            pause = max(pause, answered_at - asked_at) if question.of_units else pause
        return self._rest(question, answered_at + pause)

    def _rest(self, question: Question, due: float) -> bool:
        """Wait until the question is due. Returns whether it is to be asked."""
        with self._changed:
            while not self._over and (pause := self._pause(question, due)) > 0:
                self._changed.wait(pause)
            self._watch.ask(question.names, time.monotonic())
            return not self._over

    def _pause(self, question: Question, due: float) -> float:
        now = time.monotonic()
        if question.spared:
            return self._watch.heard(question.names) + self._alone_after - now
        return self._watch.pause(question.names, due - now, now)
