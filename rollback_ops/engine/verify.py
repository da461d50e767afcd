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
    _Rounds(_probes(asked, checks, units), watch, asked, on_wait).follow(deadline, cancellation)
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
    probes = dict(_probes(_Asked(host, Claim("")), checks, ()))

    def ask(names: tuple[str, ...]) -> Findings:
        findings = _safely(names, probes[names])
        again = any(finding.verdict == "unknown" for finding in findings.values())
        return _safely(names, probes[names]) if again else findings

    for findings in each(probes, ask, within, cancellation).values():
        if not isinstance(findings, RollbackOpsError):
            found |= findings
    return found


def ask_network(host: Host, name: str, check: NetworkProbe) -> Finding:
    """Ask a check that opens a connection, once. It has a timeout of its own."""
    return _safely((name,), _network_probe(_Asked(host, Claim("")), name, check))[name]


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

        Then a service that did not answer shows nothing. A command of ours may take long: only questions about the
        units count.
        """
        now = time.monotonic()
        since = min(now - _MUTE_AFTER, (began + now) / 2)
        return self._heard < since and any(asked_at <= since for asked_at in self._waiting)

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
    """Asks every probe again and again, each on its own thread, so that one that hangs holds up no other.

    A pause ends early when another probe's answer makes one more pass all that lacks (``Watch.pause``).
    """

    def __init__(
        self, probes: list[tuple[tuple[str, ...], Probe]], watch: Watch, asked: _Asked, on_wait: OnWait
    ) -> None:
        self._watch = watch
        self._asked = asked
        self._on_wait = on_wait
        self._changed = threading.Condition()
        self._over = False
        # The first questions of all checks count from the beginning: what passes at once passes together.
        self._left = self._begun(probes, watch.began)

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

    def _begun(self, probes: list[tuple[tuple[str, ...], Probe]], at: float) -> list[tuple[tuple[str, ...], Probe]]:
        """Begin to ask. Returns the probes that no thread could be started for: they are unknown until there is one."""
        return [each for each in probes if not begun(self._ask, *each, at)]

    def _is_decided(self, now: float) -> bool:
        return self._watch.healthy or self._watch.hopeless(now) or self._asked.is_lost

    def _ask(self, names: tuple[str, ...], probe: Probe, asked_at: float) -> None:
        interval = min(first_interval(self._watch.states[name].thresholds) for name in names)
        self._watch.ask(names, asked_at)
        while self._note(names, _safely(names, probe), asked_at, interval):
            interval = longer(interval)
            asked_at = time.monotonic()

    def _note(self, names: tuple[str, ...], findings: Findings, asked_at: float, interval: float) -> bool:
        """Note the findings and pause. Returns whether the probe is to be asked again."""
        with self._changed:
            if self._over:
                return False
            answered_at = time.monotonic()
            self._watch.note(findings, asked_at, answered_at)
            self._changed.notify_all()
            due = answered_at + self._watch.interval(names, interval)
            while not self._over and (pause := self._pause(names, due)) > 0:
                self._changed.wait(pause)
            self._watch.ask(names, time.monotonic())
            return not self._over

    def _pause(self, names: tuple[str, ...], due: float) -> float:
        now = time.monotonic()
        return self._watch.pause(names, due - now, now)


def _safely(names: tuple[str, ...], probe: Probe) -> Findings:
    """Ask a probe. One that raises is unknown, which is never a pass."""
    try:
        return probe()
    except RollbackOpsError as error:
        detail = error.message
    except Exception as error:
        # A defect of one check must neither look like health nor end the others.
        detail = f"the check broke: {type(error).__name__}"
    return dict.fromkeys(names, Finding("unknown", detail))


def _probes(
    asked: _Asked, checks: Mapping[str, HostProbe | NetworkProbe], units: tuple[Unit, ...]
) -> list[tuple[tuple[str, ...], Probe]]:
    """Return the probes: the units, the commands (one operation on the host each), and every network probe."""
    host_probes = {name: check for name, check in checks.items() if _asks_host(check)}
    states = {name: check for name, check in host_probes.items() if check.question is None}
    commands = {name: check for name, check in host_probes.items() if check.question is not None}
    known = [ServiceState(units)] if units else []
    probes = [(tuple(states), _host_probe(asked, states, known))] if states else []
    probes += [(tuple(commands), _host_probe(asked, commands, []))] if commands else []
    probes += [
        ((name,), _network_probe(asked, name, check)) for name, check in checks.items() if opens_connection(check)
    ]
    return probes


def _asks_host(check: HostProbe | NetworkProbe) -> TypeGuard[HostProbe]:
    return hasattr(check, "question")


def _host_probe(asked: _Asked, checks: Mapping[str, HostProbe], known: list[ServiceState]) -> Probe:
    """Return a probe of the checks that run on the host. It first judges the states that are known already."""

    def probe() -> Findings:
        # Read each time: what a check asks may depend on its last answer.
        questions = [check.question for check in checks.values() if check.question is not None]
        seen = known.pop() if known else asked.ask(questions)
        return {name: check.judge(seen.units, seen.answers.get(i)) for i, (name, check) in enumerate(checks.items())}

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
