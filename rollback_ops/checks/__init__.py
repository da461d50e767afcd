"""The checks: each asks one question and judges from the answer whether the service is healthy.

A check never sleeps and never retries: the loop in ``engine.verify`` does. The agent on the host answers a
``HostProbe``; a ``NetworkProbe`` opens a connection of its own. To add a kind: CONTRIBUTING.md, "A new kind of check".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Protocol, TypeGuard, assert_never

from rollback_ops.checks import command, http, logs, metric, process, tcp
from rollback_ops.config import (
    AskedCheck,
    Check,
    CommandCheck,
    HttpCheck,
    LogsCheck,
    MetricCheck,
    ProcessCheck,
    TcpCheck,
    Verify,
)
from rollback_ops.core.health import Finding, Thresholds
from rollback_ops.core.model import CommandResult, HostCommand, Unit
from rollback_ops.core.ports import Stream

_THRESHOLDS = tuple(field.name for field in fields(Thresholds))

Dial = Callable[[str, int, float], Stream]


class HostProbe(Protocol):
    """A check that the agent answers, together with the state of the units."""

    kind: str

    @property
    def question(self) -> HostCommand | None: ...

    def judge(self, units: tuple[Unit, ...], answered: CommandResult | None) -> Finding: ...


class NetworkProbe(Protocol):
    """A check that opens a connection of its own, from ``source``: ``host`` or ``runner``."""

    kind: str
    source: str

    def probe(self, dial: Dial) -> Finding: ...


def build(settings: Mapping[str, Check], release: str) -> dict[str, HostProbe | NetworkProbe]:
    """Build the checks of a service for one release. ``process`` is always among them."""
    asked = {name: check for name, check in settings.items() if not isinstance(check, MetricCheck)}
    checks = {name: _build(check, release) for name, check in asked.items()}
    if not any(check.kind == "process" for check in checks.values()):
        checks = {"process": process.ProcessChecker(), **checks}
    return checks


def _build(check: AskedCheck, release: str) -> HostProbe | NetworkProbe:
    """Build one check. mypy reports a kind of ``config.Check`` that has no case here."""
    match check:
        case HttpCheck():
            return http.Http(check, release)
        case TcpCheck():
            return tcp.Socket(check, release) if check.address.startswith("/") else tcp.Tcp(check, release)
        case CommandCheck():
            return command.Command(check, release)
        case LogsCheck():
            return logs.Logs(check, release)
        case ProcessCheck():
            return process.ProcessChecker()
        case _:
            assert_never(check)


def metrics(settings: Mapping[str, Check]) -> dict[str, MetricCheck]:
    """Return the checks of kind ``metric``. They have no single answer: ``engine.metrics`` watches them."""
    return {name: check for name, check in settings.items() if isinstance(check, MetricCheck)}


def counters(settings: Mapping[str, Check]) -> dict[str, HostCommand]:
    """Return the questions with which hosts are asked for the counts of metrics."""
    asked = {name: metric.question_of(check) for name, check in metrics(settings).items()}
    return {name: question for name, question in asked.items() if question}


def thresholds(settings: Mapping[str, Check], policy: Verify) -> dict[str, Thresholds]:
    """Return the thresholds of every check: its own, and the service's where it has none."""
    own = {
        name: {f: v for f in _THRESHOLDS if (v := getattr(check, f)) is not None} for name, check in settings.items()
    }
    return {"process": policy.thresholds} | {name: replace(policy.thresholds, **each) for name, each in own.items()}


def before(checks: Mapping[str, HostProbe | NetworkProbe]) -> dict[str, command.Command]:
    """Return the checks that run in the target release before any service is stopped."""
    return {name: check for name, check in checks.items() if isinstance(check, command.Command) and check.before}


def opens_connection(check: HostProbe | NetworkProbe) -> TypeGuard[NetworkProbe]:
    return hasattr(check, "probe")


def after(checks: Mapping[str, HostProbe | NetworkProbe]) -> dict[str, HostProbe | NetworkProbe]:
    """Return the checks that run while the service runs."""
    early = before(checks)
    return {name: check for name, check in checks.items() if name not in early}
