"""Connect one hop of a route: TCP, host key and authentication, under one deadline."""

from __future__ import annotations

import logging
import random
import time
from socket import gaierror
from typing import TYPE_CHECKING, Any

from paramiko import ChannelException, SSHException
from paramiko.common import OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
from paramiko.ssh_exception import IncompatiblePeer

from rollback_ops.core.errors import HostUnreachable
from rollback_ops.core.text import one_line
from rollback_ops.hosts.ssh import import_fabric
from rollback_ops.hosts.ssh.auth import KeyAuthentication
from rollback_ops.hosts.ssh.forwarding import ForwardingTransport, refusal
from rollback_ops.hosts.ssh.host_keys import HostKeys, KnownHostsPolicy
from rollback_ops.hosts.ssh.identity import Hop, LoginIdentity
from rollback_ops.hosts.ssh.negotiation import NegotiatingTransport
from rollback_ops.hosts.ssh.tcp import connect_tcp
from rollback_ops.hosts.ssh.watchdog import Watchdog

if TYPE_CHECKING:
    from fabric.connection import Connection

# Otherwise paramiko's threads print tracebacks for errors that also reach us as exceptions.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_LONGEST_REASON = 200
_PAUSE = (0.1, 0.4)
_FAILURES = (OSError, EOFError, UnicodeError, SSHException)


class CutOff(HostUnreachable):
    """The connection was refused, or cut before the login. The only failure that is tried a second time."""


class Handshake:
    """Connects one hop. ``seconds`` is the limit for all of it, from the first packet to the accepted key."""

    def __init__(self, hop: Hop, identity: LoginIdentity, known: HostKeys, seconds: float) -> None:
        self._hop = hop
        self._identity = identity
        self._known = known
        self._seconds = hop.settings.connect_timeout or seconds

    def open(self, gateway: ForwardingTransport | None) -> Connection:
        """Connect, directly or through ``gateway``. A host that closes the connection is tried once more.

        Raises ``HostUnreachable``, or its subclasses for a host key or a key of ours that is not accepted.
        """
        deadline = time.monotonic() + self._seconds
        try:
            return self._attempt(gateway, deadline)
        except CutOff:
            pause = random.uniform(*_PAUSE)  # noqa: S311 - spreads the load; not a secret
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
        return self._attempt(gateway, deadline)

    def _attempt(self, gateway: ForwardingTransport | None, deadline: float) -> Connection:
        try:
            sock = self._connect(gateway, deadline - time.monotonic())
        except _FAILURES as error:
            raise self._not_connected(error) from None
        # Imported now that sshd has something to do: it starts a process for the connection. A busy runner may take
        # long for it, which is not the host's fault.
        began = time.monotonic()
        import_fabric()
        deadline += time.monotonic() - began
        connection = self._connection(sock)
        connection.client.set_missing_host_key_policy(KnownHostsPolicy(self._known, self._hop.label))
        with Watchdog(deadline - time.monotonic(), connection.client.close) as watchdog:
            try:
                connection.open()
            except (*_FAILURES, HostUnreachable) as error:
                transport = connection.client.get_transport()
                connection.client.close()
                sock.close()
                if watchdog.expired:
                    raise self._silent() from None
                if isinstance(error, HostUnreachable):
                    raise
                raise self._broken(error, transport) from None
        return connection

    def _connect(self, gateway: ForwardingTransport | None, seconds: float) -> Any:
        address = (self._hop.settings.host, self._hop.settings.port)
        if gateway is None:
            return connect_tcp(*address, seconds)
        return gateway.forward(*address, seconds)

    def _connection(self, sock: Any) -> Connection:
        from fabric.config import Config
        from fabric.connection import Connection

        settings = self._hop.settings
        return Connection(
            host=settings.host,
            user=settings.user,
            port=settings.port,
            # Lazy: otherwise Fabric executes ~/.fabric.py. One for each host: a configuration is not thread-safe.
            config=Config(lazy=True),
            gateway=False,
            connect_kwargs={
                "sock": sock,
                "transport_factory": self._transport,
                "auth_strategy": KeyAuthentication(self._hop, self._identity),
            },
        )

    def _transport(self, sock: Any, **options: Any) -> ForwardingTransport:
        transport = ForwardingTransport(sock, **options)
        security = transport.get_security_options()
        security.key_types = self._known.preferred(security.key_types)
        # The watchdog ends a handshake that takes too long; paramiko's own limits come later.
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = self._seconds + 1
        return transport

    def _silent(self) -> HostUnreachable:
        hint = f"Is it up, and does every firewall on the way let port {self._hop.settings.port} through?"
        return HostUnreachable(f"{self._hop.label}: no answer within {self._seconds:g} s", hint)

    def _not_connected(self, error: Exception) -> HostUnreachable:
        label, host, port = self._hop.label, self._hop.settings.host, self._hop.settings.port
        if isinstance(error, ChannelException):
            return self._not_passed_on(error)
        if isinstance(error, TimeoutError) or str(error) == "Timeout opening channel.":
            return self._silent()
        if isinstance(error, ConnectionRefusedError):
            return CutOff(
                f"{label}: connection refused by {host} port {port}", "Is sshd running, and is this its port?"
            )
        if isinstance(error, gaierror | UnicodeError):
            return HostUnreachable(
                f"{label}: the name {host!r} cannot be resolved{_because(error)}", "Check its spelling, and the DNS."
            )
        reason = error.strerror if isinstance(error, OSError) else None
        hint = "Is it up, and is this its address?"
        return HostUnreachable(
            f"{label}: {host} port {port}: {reason or 'the connection to its gateway was lost'}", hint
        )

    def _broken(self, error: Exception, transport: NegotiatingTransport | None) -> HostUnreachable:
        label = self._hop.label
        if transport and isinstance(error, IncompatiblePeer):
            mismatch, hint = transport.mismatch()
            return HostUnreachable(f"{label}: {mismatch or error}", hint)
        if transport and transport.remote_version.startswith("SSH-"):
            return CutOff(f"{label}: the connection broke during the handshake{_because(error)}")
        said = f", and said: {transport.greeting}" if transport and transport.greeting else ""
        hint = "" if said else "It is not an SSH server, or it takes no more logins now (MaxStartups in sshd_config)."
        return CutOff(f"{label}: port {self._hop.settings.port} closed the connection before SSH began{said}", hint)

    def _not_passed_on(self, error: ChannelException) -> HostUnreachable:
        label, host, port = self._hop.label, self._hop.settings.host, self._hop.settings.port
        if error.code == OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED:
            hint = "AllowTcpForwarding and PermitOpen in its sshd_config decide; a key's `restrict` does too."
            return HostUnreachable(f"{label}: its gateway does not pass connections on to {host} port {port}", hint)
        cause = refusal(error, host, port)
        if isinstance(cause, gaierror):
            hint = "Check its spelling, and the DNS of the gateway."
            return HostUnreachable(f"{label}: its gateway cannot resolve the name {host!r}{_because(cause)}", hint)
        if isinstance(cause, ConnectionRefusedError):
            hint = "Is sshd running there, and is this its port?"
            return CutOff(f"{label}: {host} port {port} refused the connection from its gateway", hint)
        hint = "Is it up, seen from the gateway?"
        return CutOff(f"{label}: its gateway cannot reach {host} port {port}{_because(cause)}", hint)


def _because(error: Exception) -> str:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return f" ({one_line(reason, _LONGEST_REASON)})" if reason else ""
