"""TCP connections without delays, which end within 10 s when the peer has disappeared."""

from __future__ import annotations

import socket
from time import monotonic

# Linux has all of these options. On other systems, the missing ones are not set.
_OPTIONS = {
    (socket.IPPROTO_TCP, "TCP_NODELAY"): 1,
    (socket.SOL_SOCKET, "SO_KEEPALIVE"): 1,
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE"): 5,
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL"): 5,
    (socket.IPPROTO_TCP, "TCP_KEEPCNT"): 2,
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT"): 10_000,
}
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class QuickAckSocket(socket.socket):
    """Acknowledges received data at once (TCP_QUICKACK, see tcp(7)).

    sshd writes two small packets when a login succeeds. By Nagle's algorithm the second one waits until the first is
    acknowledged, and the kernel delays that by 40 ms: longer than the rest of the login.
    """

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        data = super().recv(size, flags)
        if _QUICKACK is not None:
            self.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return data


def connect_tcp(host: str, port: int, timeout: float) -> QuickAckSocket:
    """Connect to the first address of ``host`` that answers, within ``timeout`` seconds in all.

    A peer that has disappeared ends the connection within 10 s, also during a write. Raises ``OSError``.
    """
    deadline = monotonic() + timeout
    # A name in bytes is not encoded again: to import the codec for international names takes 3 ms.
    name = host.encode() if host.isascii() else host
    addresses = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        share = (deadline - monotonic()) / (len(addresses) - position)
        connection = QuickAckSocket(family, kind, protocol)
        try:
            connection.settimeout(max(share, 0.01))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            _set_options(connection)
            return connection
    raise failure


def _set_options(connection: socket.socket) -> None:
    for (level, name), value in _OPTIONS.items():
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(level, option, value)
