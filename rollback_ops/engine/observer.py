"""Runs the checks of hosts that are done again, while other hosts are not changed yet."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from rollback_ops.checks import HostProbe, NetworkProbe
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.health import CheckResult, Finding, Thresholds, Verification
from rollback_ops.core.tasks import begun
from rollback_ops.engine.fleet import Fleet

Checks = Callable[[str], Mapping[str, HostProbe | NetworkProbe]]

# Seconds between two rounds of questions.
_ASK_EVERY = 1.0


class Observer:
    """Runs the checks of the hosts that it was given, round after round, in a thread of its own.

    A host has become unhealthy when a check failed as often in a row as its ``failure_threshold`` says, or has hard
    evidence. A check that could not be run shows nothing. ``news`` is set when a host has become unhealthy.
    """

    def __init__(self, fleet: Fleet, checks: Checks, thresholds: Mapping[str, Thresholds]) -> None:
        self._fleet = fleet
        self._checks = checks
        self._thresholds = thresholds
        self._hosts: set[str] = set()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._found: dict[str, Verification] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._begun = False

    def __enter__(self) -> Observer:
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def add(self, hosts: Iterable[str]) -> None:
        """Observe these hosts from now on."""
        with self._lock:
            self._hosts |= set(hosts)
        self._begin()

    def _begin(self) -> None:
        """Begin, where that was not possible before: this machine may have had no thread left."""
        self._begun = self._begun or begun(self._run)

    def take(self) -> dict[str, Verification]:
        """Return the hosts that have become unhealthy since this was called last."""
        with self._lock:
            found, self._found = self._found, {}
            self._hosts -= set(found)
            return found

    def _run(self) -> None:
        while not self._over.wait(_ASK_EVERY):
            with self._lock:
                names = sorted(self._hosts - set(self._found))
            try:
                answers = self._fleet.ask_once(names, self._checks) if names else {}
            except RollbackOpsError:
                # A signal came. The main thread gets it, too.
                return
            for name, found in answers.items():
                if not isinstance(found, RollbackOpsError):
                    self._judge(name, found)

    def _judge(self, host: str, findings: Mapping[str, Finding]) -> None:
        against = [name for name, finding in findings.items() if self._counts(host, name, finding)]
        if not against or self._over.is_set():
            return
        kinds = {name: check.kind for name, check in self._checks(host).items()}
        results = tuple(CheckResult(name, kinds[name], finding, 0.0) for name, finding in findings.items())
        with self._lock:
            self._found[host] = Verification(False, 0.0, results)

    def _counts(self, host: str, name: str, finding: Finding) -> bool:
        """Count a finding. Returns whether the findings now show that the host is unhealthy."""
        if finding.verdict == "passed":
            self._failures[host, name] = 0
        if finding.verdict != "failed":
            return False
        self._failures[host, name] += 1
        return finding.final or self._failures[host, name] >= self._thresholds[name].failure_threshold
