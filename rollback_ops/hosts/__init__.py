"""Reaches hosts, and runs the agent there. Only ``hosts.ssh`` uses Fabric and paramiko."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rollback_ops.config import Service
from rollback_ops.core.errors import UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Manager, ServiceId, Unit
from rollback_ops.core.tasks import AT_ONCE
from rollback_ops.hosts.agent.bundle import render
from rollback_ops.hosts.agent.client import AgentHost
from rollback_ops.hosts.agent.restricted import PLACE
from rollback_ops.hosts.connections import Connections
from rollback_ops.hosts.transport import Transport

if TYPE_CHECKING:
    from rollback_ops.hosts.ssh.host_keys import KnownHosts
    from rollback_ops.hosts.ssh.identity import LoginIdentity

__all__ = ["SshCredentials", "import_the_rest", "machine", "on_servers", "on_this_machine", "plain_address"]

# Seconds: the agent keeps the limit of the transaction by itself; the runner waits this much longer.
_MARGIN = 4.0
# How often threads take turns (seconds). The login runs in one thread while another imports modules; with Python's
# usual interval it would wait 5 ms at each packet. But every waiting thread wakes at this interval, and hundreds that
# wake 2,000 times a second take most of a processor. So only a few hosts get the short interval.
_FEW_HOSTS = 4
_SHORT_INTERVAL, _USUAL_INTERVAL = 0.0005, 0.005


@frozen
class SshCredentials:
    """How to log in: key, certificate and known_hosts as text, or the user's OpenSSH configuration under ``home``."""

    home: Path
    key: str = ""
    passphrase: str = ""
    certificate: str = ""
    known_hosts: str = ""


def on_servers(
    addresses: Sequence[str],
    gateways: Sequence[str],
    login: SshCredentials,
    about: ServiceId,
    service: Service,
    manager: Manager,
    parse_units: Callable[[str], tuple[Unit, ...]],
    *,
    restricted: bool = False,
    connections: int = AT_ONCE,
) -> list[AgentHost]:
    """Return the servers of a service. Each connects when it is first used, ``connections`` at the same time.

    With a ``restricted`` key, the break-glass program that is installed there answers instead of the agent.
    Raises ``UsageError`` for a key, known_hosts or SSH configuration that cannot be used.
    """
    from rollback_ops.hosts.ssh.transport import SshTransport

    sys.setswitchinterval(_SHORT_INTERVAL if len(addresses) <= _FEW_HOSTS else _USUAL_INTERVAL)
    identity, trust = _identity(login), _trust(login)
    shared = Connections(connections)
    text, place = render(about, service, manager), f"{service.root}/{PLACE}" if restricted else ""
    return [
        _host(
            SshTransport(address, gateways, identity, trust, service.limits.connect),
            text,
            about,
            service,
            parse_units,
            place,
            shared,
        )
        for address in addresses
    ]


def import_the_rest() -> None:
    """Import what logs in, once the first packets are sent. The threads of the hosts would take longer for it."""
    if ssh := sys.modules.get("rollback_ops.hosts.ssh"):
        ssh.import_fabric()


def machine(address: str, login: SshCredentials) -> Transport:
    """Return one server without a service in the settings. Raises ``UsageError`` as ``on_servers`` does."""
    from rollback_ops.hosts.ssh.transport import SshTransport

    return SshTransport(address, (), _identity(login), _trust(login))


def plain_address(address: str, login: SshCredentials) -> tuple[str, bool]:
    """Return the address that another machine needs for this one; see ``LoginIdentity.plain_address``."""
    return _identity(login).plain_address(address)


def on_this_machine(
    about: ServiceId, service: Service, manager: Manager, parse_units: Callable[[str], tuple[Unit, ...]]
) -> list[AgentHost]:
    """Return this machine as the only host, without SSH."""
    from rollback_ops.hosts.local import LocalTransport

    return [_host(LocalTransport(), render(about, service, manager), about, service, parse_units)]


def _trust(login: SshCredentials) -> KnownHosts:
    from rollback_ops.hosts.ssh.host_keys import KnownHosts

    return KnownHosts.from_text(login.known_hosts) if login.known_hosts else KnownHosts.of_person(login.home)


def _identity(login: SshCredentials) -> LoginIdentity:
    from rollback_ops.hosts.ssh.identity import LoginIdentity

    if login.key:
        return LoginIdentity.from_text(login.key, login.passphrase, login.certificate)
    if login.certificate:
        hint = "Without it, put the certificate next to your key as …-cert.pub, or name it with CertificateFile."
        raise UsageError("ROLLBACK_SSH_CERTIFICATE was given without ROLLBACK_SSH_KEY", hint)
    return LoginIdentity.of_person(login.home)


def _host(
    transport: Transport,
    text: str,
    about: ServiceId,
    service: Service,
    parse_units: Callable[[str], tuple[Unit, ...]],
    place: str = "",
    connections: Connections | None = None,
) -> AgentHost:
    within = service.limits.total + service.traffic_time + _MARGIN
    return AgentHost(transport, text, parse_units, within, place, about, connections)
