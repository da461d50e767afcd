"""The managers, which start and stop a service. Each is one module here and one line in ``KINDS``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Protocol, cast

from rollback_ops.config import Check, Service
from rollback_ops.core.model import Manager, StateReader, Unit
from rollback_ops.core.text import one_line

_LONGEST_TEXT = 200


class Kind(Protocol):
    """The interface of a manager's module. Both functions get the settings and the name of the service."""

    READER: StateReader

    def commands(self, service: Service, name: str) -> Manager:
        """Return the command lines for the host. Raises ``UsageError`` for settings that the manager cannot use."""

    def parse(self, service: Service, name: str, text: str) -> tuple[Unit, ...]:
        """Return the units in the output of ``Manager.state``. Never raises, whatever the text is."""


# The module of each. Only the one that is needed is imported: the survey begins sooner.
KINDS = {
    "systemd": "systemd",
    "systemd-user": "systemd",
    "supervisor": "supervisor",
    "compose": "compose",
    "pm2": "pm2",
    "custom": "custom",
    "none": "none",
}


def _kind(service: Service) -> Kind:
    return cast(Kind, import_module(f"{__name__}.{KINDS[service.manager]}"))


def build(service: Service, name: str) -> Manager:
    """Return the command lines that manage the service called ``name``.

    Raises ``UsageError`` for a unit name that the manager does not allow, or would read as several units.
    """
    return _kind(service).commands(service, name)


def with_checks(service: Service, name: str) -> Service:
    """Return the service with the checks of its manager added. A check of the settings with the same name stays."""
    if service.manager != "compose":
        return service
    from rollback_ops.hosts.managers import compose

    own: Mapping[str, Check] = compose.checks(service, name)
    return service.model_copy(update={"checks": {**own, **service.checks}})


def reader(service: Service) -> StateReader:
    """Return the rules with which break-glass reads the output of ``Manager.state``."""
    return _kind(service).READER


def parse(service: Service, name: str, text: str) -> tuple[Unit, ...]:
    """Return the state of each unit, from the output of ``Manager.state`` on a host.

    The text is not trusted: lines that are not understood are ignored, and a unit without a line is "unknown".
    """
    return tuple(_printable(unit) for unit in _kind(service).parse(service, name, text))


def _printable(unit: Unit) -> Unit:
    name, invocation, detail, blocker = (
        one_line(text, _LONGEST_TEXT, spaces=True) for text in (unit.name, unit.invocation, unit.detail, unit.blocker)
    )
    return replace(unit, name=name, invocation=invocation, detail=detail, blocker=blocker)
