"""The questions of a verification: each is asked at once, and decides one check or several."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeGuard

from rollback_ops.checks import Dial, HostProbe, NetworkProbe, opens_connection
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import Claim, Finding
from rollback_ops.core.model import HostCommand, ServiceState, Unit
from rollback_ops.core.ports import Host
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.core.watch import Findings

Probe = Callable[[], Findings]

# Seconds.
ANSWER_WITHIN = 5.0
_MUTE_AFTER = 1.0


def ask_once(
    host: Host, checks: Mapping[str, HostProbe | NetworkProbe], within: float, cancellation: Cancellation
) -> dict[str, Finding]:
    """Ask every check once, and once more where it found nothing out: the first question may only note where to begin.

    ``within`` is in seconds. A check without an answer by then is unknown.
    """
    found = dict.fromkeys(checks, Finding("unknown", f"no answer within {within:g} s"))

    def ask(question: Question) -> Findings:
        findings = question.ask()
        again = any(finding.verdict == "unknown" for finding in findings.values())
        return question.ask() if again else findings

    for findings in each(questions_for(AskedHost(host, Claim("")), checks, ()), ask, within, cancellation).values():
        if not isinstance(findings, RollbackOpsError):
            found |= findings
    return found


def ask_network(host: Host, name: str, check: NetworkProbe) -> Finding:
    """Ask a check that opens a connection, once. It has a timeout of its own."""
    return Question((name,), _network_probe(AskedHost(host, Claim("")), name, check)).ask()[name]


class AskedHost:
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
        return each([self.host.name], lambda _: self._observe(), ANSWER_WITHIN, cancellation)[self.host.name] is True

    def _observe(self) -> bool:
        try:
            self.ask()
        except Exception:
            # A defect must not look like an answer.
            return False
        return True


@frozen
class Question:
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


def questions_for(
    asked: AskedHost, checks: Mapping[str, HostProbe | NetworkProbe], units: tuple[Unit, ...]
) -> list[Question]:
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
        questions.append(Question(tuple(of_units.checks), _unit_probe(asked, of_units, known), True, spared, begins))
    if commands:
        questions.append(Question(tuple(commands), _command_probe(asked, commands, of_units)))
    dialled = {name: check for name, check in checks.items() if opens_connection(check)}
    return questions + [Question((name,), _network_probe(asked, name, check)) for name, check in dialled.items()]


def _asks_host(check: HostProbe | NetworkProbe) -> TypeGuard[HostProbe]:
    return hasattr(check, "question")


def _unit_probe(asked: AskedHost, of_units: _Units, known: list[ServiceState]) -> Probe:
    """Return a probe of the units. It first judges the states that are known already."""

    def probe() -> Findings:
        asked_at = time.monotonic()
        return of_units.judge(known.pop() if known else asked.ask(), asked_at)

    return probe


def _command_probe(asked: AskedHost, checks: Mapping[str, HostProbe], of_units: _Units) -> Probe:
    """Return a probe of all commands. The answer of the host has the units, too."""

    def probe() -> Findings:
        asked_at = time.monotonic()
        # Read each time: what a check asks may depend on its last answer.
        questions = [check.question for check in checks.values() if check.question is not None]
        seen = asked.ask(questions)
        found = {name: check.judge(seen.units, seen.answers.get(i)) for i, (name, check) in enumerate(checks.items())}
        return {**of_units.judge(seen, asked_at), **found}

    return probe


def _network_probe(asked: AskedHost, name: str, check: NetworkProbe) -> Probe:
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
