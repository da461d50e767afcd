"""TCP connections that the host opens for us (``direct-tcpip``), and the reasons for refusals."""

from __future__ import annotations

import errno
import os
import socket
import threading
from ipaddress import ip_address
from typing import Any

import paramiko
from paramiko import ChannelException, Message, SSHException
from paramiko.common import OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

from rollback_ops.core.text import one_line
from rollback_ops.hosts.lines import lost
from rollback_ops.hosts.ssh.negotiation import NegotiatingTransport

# sshd sends the text of getaddrinfo (gai_strerror of glibc and of musl) in SSH_MSG_CHANNEL_OPEN_FAILURE.
_UNRESOLVED = {
    "Name or service not known": socket.EAI_NONAME,
    "No address associated with hostname": socket.EAI_NONAME,
    "Temporary failure in name resolution": socket.EAI_AGAIN,
    "Non-recoverable failure in name resolution": socket.EAI_FAIL,
    "Name does not resolve": socket.EAI_NONAME,
    "Try again": socket.EAI_AGAIN,
}
# It also sends the text of strerror (of glibc and of musl) for a connection that it could not open.
_NOT_OPENED = {
    "Connection refused": errno.ECONNREFUSED,
    "Connection timed out": errno.ETIMEDOUT,
    "Operation timed out": errno.ETIMEDOUT,
    "No route to host": errno.EHOSTUNREACH,
    "Host is unreachable": errno.EHOSTUNREACH,
    "Network is unreachable": errno.ENETUNREACH,
    "Network unreachable": errno.ENETUNREACH,
    "Permission denied": errno.EACCES,
    "Operation not permitted": errno.EPERM,
}
_LONGEST_REASON = 100


class ForwardingTransport(NegotiatingTransport):
    """Keeps the reason why each channel was refused. paramiko drops its text, and mixes up those of two threads."""

    def __init__(self, sock: Any, **options: Any) -> None:
        super().__init__(sock, **options)
        self._opening = threading.local()
        self._refusals: dict[int, ChannelException] = {}

    def forward(self, host: str, port: int, timeout: float) -> paramiko.Channel:
        """Open a connection from the host. ``timeout`` is in seconds.

        Raises ``ChannelException`` with sshd's code and text, ``SSHException``, ``EOFError`` or ``OSError``.
        """
        self._opening.number = None
        try:
            return self.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=timeout)
        except SSHException as error:
            raise self._refusals.pop(self._opening.number, error) from None

    def _next_channel(self) -> int:
        self._opening.number = super()._next_channel()  # type: ignore[misc]
        return int(self._opening.number)

    def _parse_channel_open_failure(self, message: Message) -> None:
        number, code, text = message.get_int(), message.get_int(), message.get_text()
        self._refusals[number] = ChannelException(code, text)
        message.rewind()
        super()._parse_channel_open_failure(message)  # type: ignore[misc]


class ForwardedStream:
    """A TCP connection that the host opened. ``name`` is the host's.

    When our SSH connection is lost, it raises ``ConnectionLost``: only the service's own end is an end of the stream.
    """

    def __init__(self, channel: paramiko.Channel, name: str) -> None:
        self._channel = channel
        self._name = name

    def sendall(self, data: bytes, /) -> None:
        try:
            self._channel.sendall(data)
        except OSError:
            if self._lost:
                raise lost(self._name) from None
            raise

    def recv(self, size: int, /) -> bytes:
        data = self._channel.recv(size)
        if not data and self._lost:
            raise lost(self._name)
        return data

    @property
    def _lost(self) -> bool:
        # sshd announces the end of a connection (SSH_MSG_CHANNEL_EOF, RFC 4254, 5.3) before it closes the channel.
        return self._channel.closed and not self._channel.eof_received

    def settimeout(self, seconds: float | None, /) -> None:
        self._channel.settimeout(seconds)

    def close(self) -> None:
        self._channel.close()


def refusal(error: ChannelException, host: str, port: int) -> OSError:
    """Translate sshd's refusal of a connection to ``host`` and ``port`` into the error of a connection from here.

    Returns ``PermissionError`` when sshd or a firewall does not allow it, ``socket.gaierror`` when the host cannot
    resolve the name, and ``ConnectionAbortedError`` for a reason that is not known here.
    """
    if error.code == OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED:
        return PermissionError("sshd forbids the connection (AllowTcpForwarding or PermitOpen in its sshd_config)")
    reason = one_line(error.text, _LONGEST_REASON)
    if error.text in _UNRESOLVED:
        return socket.gaierror(_UNRESOLVED[error.text], f"the host cannot resolve {host}: {reason}")
    if number := _NOT_OPENED.get(error.text):
        return OSError(number, os.strerror(number))
    if not error.text and _needs_no_dns(host):
        # Servers other than OpenSSH's give no reason. An address needs no DNS, so the name was not the problem.
        return ConnectionRefusedError(f"the host could not connect to {host} port {port}")
    return ConnectionAbortedError(f"the host could not connect to {host} port {port}: {reason or 'it gave no reason'}")


def _needs_no_dns(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
