"""Verification: runs all checks repeatedly under one deadline.

The words and their order are Nomad's: a service is healthy when every check has passed for ``min_healthy_time`` without
a break, within ``healthy_deadline``.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeGuard

from rollback_ops.checks import Dial, HostProbe, NetworkProbe, opens_connection
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import CheckResult, Claim, Finding, Thresholds, Verification
from rollback_ops.core.model import HostCommand, ServiceState, Unit
from rollback_ops.core.ports import Host
from rollback_ops.core.tasks import Cancellation, begun, each
from rollback_ops.core.watch import CheckState, Findings, Watch, first_interval, longer

Probe = Callable[[], Findings]
# Takes the seconds so far, the seconds in all, and what is missing.
OnWait = Callable[[float, float, str], None]

_LOOK_EVERY = 0.1
_ANSWER_WITHIN = 5.0
_MUTE_AFTER = 1.0
# Seconds. The answer to commands also has the units' states. These are asked by themselves only where it takes so long:
# two operations on one host at the same time need two sessions. In a short verification it is a quarter of its time, so
# that a host that answers nothing is told from a command that takes long (``_Asked.is_mute``).
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
    asked = _Asked(host, claim)
    alone_after = min(_ALONE_AFTER, _ALONE_AFTER_PART * (deadline - began))
    rounds = _Rounds(_questions(asked, checks, units), watch, asked, on_wait, alone_after)
    rounds.follow(deadline, cancellation)
    healthy, seconds = watch.healthy, time.monotonic() - began
    ended = any(state.ended for state in watch.states.values())
    silent = not ended and asked.is_mute(max(began, time.monotonic() - 2 * _ANSWER_WITHIN))
    reachable = healthy or (not silent and asked.answers(cancellation))
    return Verification(
        healthy and not asked.is_lost, seconds, _checked(checks, watch, began + seconds), reachable, asked.is_lost
    )


def ask_once(
    host: Host, checks: Mapping[str, HostProbe | NetworkProbe], within: float, cancellation: Cancellation
) -> dict[str, Finding]:
    """Ask every check once, and once more where it found nothing out: the first question may only note where to begin.

    ``within`` is in seconds. A check without an answer by then is unknown.
    """
    found = dict.fromkeys(checks, Finding("unknown", f"no answer within {within:g} s"))

    def ask(question: _Question) -> Findings:
        findings = question.ask()
        again = any(finding.verdict == "unknown" for finding in findings.values())
        return question.ask() if again else findings

    for findings in each(_questions(_Asked(host, Claim("")), checks, ()), ask, within, cancellation).values():
        if not isinstance(findings, RollbackOpsError):
            found |= findings
    return found


def ask_network(host: Host, name: str, check: NetworkProbe) -> Finding:
    """Ask a check that opens a connection, once. It has a timeout of its own."""
    return _Question((name,), _network_probe(_Asked(host, Claim("")), name, check)).ask()[name]


class _Asked:
    """Asks a host for a run, and notes whether the run's claim is lost."""

    def __init__(self, host: Host, claim: Claim) -> None:
        self.host = host
        self.is_lost = False
        self._claim = claim
        # When the questions that have no answer yet were asked, and the latest one that was answered.
        self._waiting: list[float] = []
        self._heard = 0.0

    def ask(self, questions: Sequence[HostCommand] = ()) -> ServiceState:
        asked_at = time.monotonic()
        self._waiting += [] if questions else [asked_at]
        seen = self.host.ask(self._claim.run, questions)
        self._heard = max(self._heard, asked_at)
        if not questions:
            self._waiting.remove(asked_at)
        self.is_lost = self.is_lost or self._claim.is_lost(seen)
        return seen

    def is_mute(self, began: float) -> bool:
        """Return whether the host itself was silent for half of the time since ``began``, and for a second at least.

        Then a service that did not answer shows nothing. A command of ours may take long: only a question about the
        units shows it, one that has waited for a second.
        """
        now = time.monotonic()
        since = min(now - _MUTE_AFTER, (began + now) / 2)
        return self._heard < since and any(asked_at <= now - _MUTE_AFTER for asked_at in self._waiting)

    def answers(self, cancellation: Cancellation) -> bool:
        """Return whether the host still answers. Otherwise the checks that were asked through it show nothing."""
        return each([self.host.name], lambda _: self._observe(), _ANSWER_WITHIN, cancellation)[self.host.name] is True

    def _observe(self) -> bool:
        try:
            self.ask()
        except Exception:
            # A defect must not look like an answer.
            return False
        return True


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
        self, questions: Sequence[_Question], watch: Watch, asked: _Asked, on_wait: OnWait, alone_after: float
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

    def _begun(self, questions: Sequence[_Question], at: float) -> list[_Question]:
        """Begin to ask. Returns what no thread could be started for: its checks are unknown until there is one."""
        return [each for each in questions if not begun(self._ask, each, at)]

    def _is_decided(self, now: float) -> bool:
        return self._watch.healthy or self._watch.hopeless(now) or self._asked.is_lost

    def _ask(self, question: _Question, asked_at: float) -> None:
        interval = min(first_interval(self._watch.states[name].thresholds) for name in question.names)
        if not question.begins:
            if not self._rest(question, 0.0):
                return
            asked_at = time.monotonic()
        self._watch.ask(question.names, asked_at)
        while self._note(question, question.ask(), asked_at, interval):
            interval = longer(interval)
            asked_at = time.monotonic()

    def _note(self, question: _Question, findings: Findings, asked_at: float, interval: float) -> bool:
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

    def _rest(self, question: _Question, due: float) -> bool:
        """Wait until the question is due. Returns whether it is to be asked."""
        with self._changed:
            while not self._over and (pause := self._pause(question, due)) > 0:
                self._changed.wait(pause)
            self._watch.ask(question.names, time.monotonic())
            return not self._over

    def _pause(self, question: _Question, due: float) -> float:
        now = time.monotonic()
        if question.spared:
            return self._watch.heard(question.names) + self._alone_after - now
        return self._watch.pause(question.names, due - now, now)


@frozen
class _Question:
    """What is asked at once, and decides the checks of ``names``.

    ``of_units``: it asks a host for its units only. ``spared``: another question's answer has these findings, too, so
    that it is asked by itself only where they do not come; and at the beginning only where it ``begins``.
    """

    names: tuple[str, ...]
    probe: Probe
    of_units: bool = False
    spared: bool = False
    begins: bool = True

    def ask(self) -> Findings:
        """Ask. What raises is unknown, which is never a pass."""
        try:
            return self.probe()
        except RollbackOpsError as error:
            detail = error.message
        except Exception as error:
            # A defect of one check must neither look like health nor end the others.
            detail = f"the check broke: {type(error).__name__}"
        return dict.fromkeys(self.names, Finding("unknown", detail))


class _Units:
    """Judges the units' states by the checks that need nothing else. Two questions may bring them."""

    def __init__(self, checks: Mapping[str, HostProbe]) -> None:
        self.checks = checks
        self._latest = 0.0
        self._turn = threading.Lock()

    def judge(self, seen: ServiceState, asked_at: float) -> Findings:
        """Return the findings. There are none where the answer to a later question was judged already."""
        with self._turn:
            if asked_at < self._latest:
                return {}
            self._latest = asked_at
            return {name: check.judge(seen.units, None) for name, check in self.checks.items()}


def _questions(
    asked: _Asked, checks: Mapping[str, HostProbe | NetworkProbe], units: tuple[Unit, ...]
) -> list[_Question]:
    """Return the questions: one for the units, one for all commands, and one for each network probe.

    What is known already of the units is the first answer to theirs.
    """
    host_probes = {name: check for name, check in checks.items() if _asks_host(check)}
    of_units = _Units({name: check for name, check in host_probes.items() if check.question is None})
    commands = {name: check for name, check in host_probes.items() if check.question is not None}
    known = [ServiceState(units)] if units else []
    questions = []
    if of_units.checks:
        spared = bool(commands)
        begins = bool(known) or not spared
        questions.append(_Question(tuple(of_units.checks), _unit_probe(asked, of_units, known), True, spared, begins))
    if commands:
        questions.append(_Question(tuple(commands), _command_probe(asked, commands, of_units)))
    dialled = {name: check for name, check in checks.items() if opens_connection(check)}
    return questions + [_Question((name,), _network_probe(asked, name, check)) for name, check in dialled.items()]


def _asks_host(check: HostProbe | NetworkProbe) -> TypeGuard[HostProbe]:
    return hasattr(check, "question")


def _unit_probe(asked: _Asked, of_units: _Units, known: list[ServiceState]) -> Probe:
    """Return a probe of the units. It first judges the states that are known already."""

    def probe() -> Findings:
        asked_at = time.monotonic()
        return of_units.judge(known.pop() if known else asked.ask(), asked_at)

    return probe


def _command_probe(asked: _Asked, checks: Mapping[str, HostProbe], of_units: _Units) -> Probe:
    """Return a probe of all commands. The answer of the host has the units, too."""

    def probe() -> Findings:
        asked_at = time.monotonic()
        # Read each time: what a check asks may depend on its last answer.
        questions = [check.question for check in checks.values() if check.question is not None]
        seen = asked.ask(questions)
        found = {name: check.judge(seen.units, seen.answers.get(i)) for i, (name, check) in enumerate(checks.items())}
        return {**of_units.judge(seen, asked_at), **found}

    return probe


def _network_probe(asked: _Asked, name: str, check: NetworkProbe) -> Probe:
    dial: Dial = asked.host.dial if check.source == "host" else _dial_from_here

    def probe() -> Findings:
        began = time.monotonic()
        finding = check.probe(dial)
        if finding.silent and asked.is_mute(began):
            finding = Finding("unknown", f"{finding.detail}; the host itself did not answer either")
        return {name: finding}

    return probe


def _dial_from_here(host: str, port: int, timeout: float) -> socket.socket:
    return socket.create_connection((host, port), timeout)
