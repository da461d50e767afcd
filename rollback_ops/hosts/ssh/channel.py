"""A command that runs at the other end of an SSH connection, and what it prints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from time import monotonic, sleep

from paramiko import Channel, ChannelException, SSHException, Transport

from rollback_ops.hosts.child import LINGER, TICK, Source

_PIECE = 65536
_REFUSED_FOR = 1.0
_PAUSE = 0.05


class RemoteCommand:
    """One session with one command, read as bytes. Its shape is that of ``Child``."""

    def __init__(self, transport: Transport, command: str, *, listens: bool = False) -> None:
        """Run it, with nothing on its standard input unless it ``listens``.

        Raises ``SSHException``, ``EOFError`` or ``OSError``, as all of paramiko does.
        """
        self._channel = _open_session(transport)
        self._channel.settimeout(TICK)
        self._channel.exec_command(command)
        if not listens:
            self._channel.shutdown_write()

    def send(self, data: bytes) -> None:
        """Give it something to read. Raises ``SSHException``, ``EOFError`` or ``OSError``."""
        self._channel.sendall(data)

    def output(self) -> Iterator[tuple[Source, bytes]]:
        """What it prints, as it comes, until it has ended; ``idle`` about every 0.1 s in which nothing came.

        Something that it left behind, and that holds its output open, is waited for 2 s.
        """
        channel, heard = self._channel, monotonic()
        while True:
            while channel.recv_stderr_ready():
                heard = monotonic()
                yield "stderr", channel.recv_stderr(_PIECE)
            try:
                data = channel.recv(_PIECE)
            except TimeoutError:
                yield "idle", b""
                if channel.exit_status_ready() and monotonic() - heard > LINGER:
                    return
                continue
            if not data:
                break
            heard = monotonic()
            yield "stdout", data
        while channel.recv_stderr_ready():
            yield "stderr", channel.recv_stderr(_PIECE)
        while not channel.status_event.wait(TICK):
            yield "idle", b""

    @property
    def status(self) -> int | None:
        """Its exit status; None when the host never told."""
        return self._channel.exit_status if self._channel.exit_status >= 0 else None

    @property
    def open(self) -> bool:
        """Whether it can be given something to read still, as far as is known."""
        return not (self._channel.closed or self._channel.eof_received)

    def close(self) -> None:
        with suppress(SSHException, EOFError, OSError):
            self._channel.close()


def _open_session(transport: Transport) -> Channel:
    # sshd goes on counting sessions that have just ended (MaxSessions) until it next tidies up.
    give_up = monotonic() + _REFUSED_FOR
    while True:
        try:
            return transport.open_session()
        except ChannelException:
            if monotonic() > give_up:
                raise
            sleep(_PAUSE)
