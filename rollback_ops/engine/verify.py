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
from dataclasses import replace
from typing import TypeGuard

from rollback_ops.checks import Dial, HostProbe, NetworkProbe
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.health import CheckResult, Finding, Thresholds, Verification
from rollback_ops.core.model import Observation, Unit
from rollback_ops.core.ports import Host
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.core.watch import CheckState, Findings, Watch, longer

Probe = Callable[[], Findings]

_LOOK_EVERY = 0.1
_ANSWER_WITHIN = 5.0


def verify(
    host: Host,
    checks: Mapping[str, HostProbe | NetworkProbe],
    thresholds: Mapping[str, Thresholds],
    within: float,
    run: str,
    cancellation: Cancellation,
    units: tuple[Unit, ...] = (),
) -> Verification:
    """Ask until the host's service is healthy, is certainly not, or the deadline has passed.

    Ends within the smaller of the longest ``healthy_deadline`` and ``within`` seconds, whatever a check does.
    ``paces`` has every check's; ``run`` keeps its lease on the host while it is verified. ``units``, where they
    are known as of now, save the first look at them.
    """
    began = time.monotonic()
    watch = Watch.of({name: thresholds[name] for name in checks}, began)
    deadline = min(watch.deadline, began + within)
    rounds = _Rounds(_probes(host, checks, run, units), watch)
    try:
        while not (watch.healthy or watch.hopeless(now := time.monotonic()) or now >= deadline):
            cancellation.check()
            rounds.take(min(_LOOK_EVERY, max(0.0, deadline - now)))
    finally:
        rounds.stop()
    found = Verification(watch.healthy, time.monotonic() - began, _checked(checks, watch))
    return found if found.healthy or _answers(host, cancellation) else replace(found, reachable=False)


def _answers(host: Host, cancellation: Cancellation) -> bool:
    """Whether the host still answers: what was asked through a host that does not, shows nothing."""
    answered = each([host.name], lambda _: _observe(host), _ANSWER_WITHIN, cancellation)[host.name]
    return answered is True


def _observe(host: Host) -> bool:
    try:
        host.ask("", ())
    except Exception:
        # A defect must not look like an answer.
        return False
    return True


def _checked(checks: Mapping[str, HostProbe | NetworkProbe], watch: Watch) -> tuple[CheckResult, ...]:
    return tuple(_last_word(name, check.kind, watch.states[name], watch.began) for name, check in checks.items())


def _last_word(name: str, kind: str, state: CheckState, began: float) -> CheckResult:
    finding = state.last or Finding("unknown", "no answer before the deadline", trigger="health-timeout")
    seconds = 0.0 if state.first_passed is None else state.first_passed - began
    return CheckResult(name, kind, finding, seconds, state.setbacks)


class _Rounds:
    """Every probe in a thread of its own, so that one that hangs holds up no other."""

    def __init__(self, probes: list[tuple[tuple[str, ...], Probe]], watch: Watch) -> None:
        self._watch = watch
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
        interval = min(self._watch.states[name].thresholds.interval for name in names)
        # All count as asked when the verification began: what passes at once passes together.
        asked_at = self._watch.began
        while not self._stopped.is_set():
            self._results.put((_safely(names, probe), asked_at, time.monotonic()))
            self._stopped.wait(self._watch.pause(names, interval, time.monotonic()))
            interval = longer(interval)
            asked_at = time.monotonic()


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


def _probes(
    host: Host, checks: Mapping[str, HostProbe | NetworkProbe], run: str, units: tuple[Unit, ...]
) -> list[tuple[tuple[str, ...], Probe]]:
    """The questions of one round: the units, the commands (one remote operation each), and every visit."""
    looks = {name: check for name, check in checks.items() if _is_look(check)}
    states = {name: check for name, check in looks.items() if check.question is None}
    commands = {name: check for name, check in looks.items() if check.question is not None}
    known = [Observation(units)] if units else []
    probes = [(tuple(states), _look(host, states, run, known))] if states else []
    probes += [(tuple(commands), _look(host, commands, run, []))] if commands else []
    probes += [((name,), _visit(host, name, check)) for name, check in checks.items() if _is_visit(check)]
    return probes


def _is_look(check: HostProbe | NetworkProbe) -> TypeGuard[HostProbe]:
    return hasattr(check, "question")


def _is_visit(check: HostProbe | NetworkProbe) -> TypeGuard[NetworkProbe]:
    return hasattr(check, "probe")


def _look(host: Host, checks: Mapping[str, HostProbe], run: str, known: list[Observation]) -> Probe:
    """What is known already is judged first, and then the host is asked."""

    def probe() -> Findings:
        # Asked for each time: what a check wants to know may depend on the last answer.
        questions = [check.question for check in checks.values() if check.question is not None]
        seen = known.pop() if known else host.ask(run, questions)
        return {name: check.judge(seen.units, seen.answers.get(i)) for i, (name, check) in enumerate(checks.items())}

    return probe


def _visit(host: Host, name: str, check: NetworkProbe) -> Probe:
    dial: Dial = host.dial if check.source == "host" else _dial_from_here
    return lambda: {name: check.probe(dial)}


def _dial_from_here(host: str, port: int, timeout: float) -> socket.socket:
    return socket.create_connection((host, port), timeout)
