"""A host that is reached over SSH, through Fabric: its host key is known, and every wait has a limit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from paramiko import ChannelException, SSHException

from rollback_ops.core.errors import ConnectionLost, HostUnreachable
from rollback_ops.core.ports import Stream
from rollback_ops.hosts.lines import OutputReader, lost, too_slow
from rollback_ops.hosts.ssh.channel import RemoteCommand, RemoteConversation
from rollback_ops.hosts.ssh.forwarding import ForwardedStream, ForwardingTransport, refusal
from rollback_ops.hosts.ssh.handshake import Handshake
from rollback_ops.hosts.ssh.host_keys import KnownHosts
from rollback_ops.hosts.ssh.identity import Hop, LoginIdentity
from rollback_ops.hosts.ssh.watchdog import GRACE, Watchdog
from rollback_ops.hosts.transport import Completed, Conversation

if TYPE_CHECKING:
    from fabric.connection import Connection

# sshd's defaults: MaxSessions 10 on one connection, of which one is the conversation's, and one may have just ended;
# from 10 logins at once (MaxStartups) it drops some.
_MOST_SESSIONS = 8
_MOST_HANDSHAKES = 8
_PARAMIKO_FAILURES = (SSHException, EOFError, OSError)
_handshakes: dict[tuple[tuple[str, int], ...], threading.BoundedSemaphore] = {}


class SshTransport:
    """One host behind any number of gateways. The host key of each is verified.

    It connects when it is first used, and again after the connection was lost. Threads may share it.
    """

    def __init__(
        self,
        host: str,
        gateways: Sequence[str],
        identity: LoginIdentity,
        trust: KnownHosts,
        connect_timeout: float = 5.0,
    ) -> None:
        """Prepare the route. ``gateways`` are outermost first; ``connect_timeout`` is in seconds, for each hop.

        Raises ``UsageError`` for an address or an SSH configuration that cannot be parsed.
        """
        self._name = host
        self._route = identity.route(host, gateways)
        self._identity = identity
        self._trust = trust
        self._connect_timeout = connect_timeout
        self._chain: list[Connection] = []
        self._connecting = threading.Lock()
        self._sessions = threading.BoundedSemaphore(_MOST_SESSIONS)

    @property
    def name(self) -> str:
        return self._name

    def connect(self) -> None:
        """Open the connection, unless it is open. Raises ``HostUnreachable`` or a subclass."""
        self._connected()

    def execute(self, command: str, on_line: Callable[[str], None], timeout: float) -> Completed:
        """Run one shell command line; see ``Transport.execute``. ``timeout`` (seconds) does not include the login."""
        transport, reader = self._connected(), OutputReader(on_line)
        with self._sessions, Watchdog(timeout + GRACE, transport.close) as watchdog:
            remote = self._start(transport, command, min(timeout, self._connect_timeout))
            try:
                reader.follow(remote.output(), timeout, self._name)
            finally:
                remote.close()
        if remote.status is None:
            raise too_slow(self._name, timeout) if watchdog.expired else lost(self._name)
        return reader.completed(remote.status)

    def converse(self, command: str, timeout: float) -> Conversation:
        """Start a command that stays open. ``timeout`` (seconds) does not include the login."""
        transport = self._connected()
        remote = self._start(transport, command, min(timeout, self._connect_timeout), listens=True)
        return RemoteConversation(self._name, transport, remote)

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        """Open a TCP connection from the host; see ``Transport.dial``. Raises ``HostUnreachable`` too."""
        transport = self._connected()
        try:
            channel = transport.forward(host, port, timeout)
        except ChannelException as error:
            raise refusal(error, host, port) from None
        except _PARAMIKO_FAILURES:
            if transport.is_active():
                raise TimeoutError(f"no answer from {host} port {port} within {timeout:g} s") from None
            raise ConnectionResetError(f"the connection to {self._name} was lost") from None
        channel.settimeout(timeout)
        return ForwardedStream(channel, self._name)

    def close(self) -> None:
        """Close the connection. Never raises."""
        # Outermost first: behind a gateway that does not answer, closing the inner connections would have to wait.
        for connection in self._chain:
            with suppress(Exception):
                connection.client.close()
        self._chain = []

    def _connected(self) -> ForwardingTransport:
        with self._connecting:
            transport = _transport_of(self._chain[-1]) if self._chain else None
            if transport is None or not transport.is_active():
                self.close()
                transport = self._open_route()
            return transport

    def _open_route(self) -> ForwardingTransport:
        transport: ForwardingTransport | None = None
        try:
            for position, hop in enumerate(self._route, 1):
                known = self._trust.about(hop.known_as, hop.settings.known_hosts_files)
                with _handshake_slot(self._route[:position]):
                    connection = Handshake(hop, self._identity, known, self._connect_timeout).open(transport)
                self._chain.append(connection)
                transport = _transport_of(connection)
        except BaseException:
            self.close()
            raise
        if transport is None:
            # The time for the login was over just as it succeeded.
            self.close()
            raise HostUnreachable(f"{self._name}: the connection was closed right after the login")
        return transport

    def _start(
        self, transport: ForwardingTransport, command: str, seconds: float, *, listens: bool = False
    ) -> RemoteCommand:
        """Start a command. A connection that does not start it within ``seconds`` is closed as lost.

        Raises ``HostUnreachable`` when the host refuses the command, ``ConnectionLost`` when it does not answer.
        """
        with Watchdog(seconds, transport.close) as watchdog:
            try:
                # Half of the time: the watchdog would end the other sessions, too.
                return RemoteCommand(transport, command, retry_for=seconds / 2, listens=listens)
            except _PARAMIKO_FAILURES:
                refused = transport.is_active()
        if refused:
            hint = "This user may not run commands on the host, or has too many open sessions (MaxSessions)."
            raise HostUnreachable(f"{self._name}: refused to run a command", hint)
        if watchdog.expired:
            raise ConnectionLost(f"{self._name}: no answer within {seconds:g} s on a connection that was open")
        raise lost(self._name)


def _transport_of(connection: Connection) -> ForwardingTransport | None:
    transport = connection.client.get_transport()
    return transport if isinstance(transport, ForwardingTransport) else None


def _handshake_slot(route: Sequence[Hop]) -> threading.BoundedSemaphore:
    """Return the semaphore of one sshd: at most 8 handshakes at a time, for all hosts behind it."""
    key = tuple((hop.settings.host, hop.settings.port) for hop in route)
    return _handshakes.setdefault(key, threading.BoundedSemaphore(_MOST_HANDSHAKES))
