"""What starts and stops a service. A manager is one module here and one line in the table."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from rollback_ops.config import Service
from rollback_ops.core.model import Manager, Unit
from rollback_ops.hosts.managers import compose, custom, supervisor, systemd

_LONGEST_TEXT = 200


# What the state of a unit that runs means, where it would stop and never start again.
UNSTARTABLE = systemd.UNSTARTABLE


class Kind(Protocol):
    """What a manager's module offers. Both are told the service's settings and its name."""

    def commands(self, service: Service, name: str) -> Manager:
        """The command lines for the host. Raises ``UsageError`` where the settings do not suit the manager."""

    def parse(self, service: Service, name: str, text: str) -> tuple[Unit, ...]:
        """The units in what ``Manager.state`` printed. Never raises, whatever the text is."""


KINDS: dict[str, Kind] = {
    "systemd": systemd,
    "systemd-user": systemd,
    "supervisor": supervisor,
    "compose": compose,
    "custom": custom,
}


def build(service: Service, name: str) -> Manager:
    """The command lines that manage the service called ``name``.

    Raises ``UsageError`` for a unit whose name the manager could not have, or would take for several units.
    """
    return KINDS[service.manager].commands(service, name)


def parse(service: Service, name: str, text: str) -> tuple[Unit, ...]:
    """The state of each unit, from what ``Manager.state`` printed on a host.

    The text is not trusted: what is not understood is left out, and a unit of which nothing was said is "unknown".
    """
    return tuple(_printable(unit) for unit in KINDS[service.manager].parse(service, name, text))


def _printable(unit: Unit) -> Unit:
    return replace(unit, name=_clean(unit.name), invocation=_clean(unit.invocation), detail=_clean(unit.detail))


def _clean(text: str) -> str:
    """Fit for one line on a terminal: no control or direction characters, and bounded."""
    return "".join(c if c.isprintable() else " " for c in text[:_LONGEST_TEXT])
