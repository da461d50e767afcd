"""A command that runs at the other end of an SSH connection, and requests to a command that stays open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic, sleep

import paramiko
from paramiko import ChannelException, SSHException

from rollback_ops.core.errors import ConnectionLost
from rollback_ops.hosts.lines import TICK, OutputReader, Silence, Source, lost, too_slow
from rollback_ops.hosts.ssh.watchdog import GRACE, Watchdog

_PIECE = 65536
_RETRY_PAUSE = 0.05


class RemoteCommand:
    """One session with one command, read as bytes. It has the interface of ``LocalCommand``."""

    def __init__(
        self, transport: paramiko.Transport, command: str, *, retry_for: float = 0.0, listens: bool = False
    ) -> None:
        """Start the command. Its standard input is empty unless it ``listens``.

        A session that sshd refuses is requested again for ``retry_for`` seconds.

        Raises ``SSHException``, ``EOFError`` or ``OSError``, like all of paramiko.
        """
        self._channel = _open_session(transport, retry_for)
        self._channel.settimeout(TICK)
        self._channel.exec_command(command)
        if not listens:
            self._channel.shutdown_write()

    def send(self, data: bytes) -> None:
        """Write to its standard input. Raises ``SSHException``, ``EOFError`` or ``OSError``."""
        self._channel.sendall(data)

    def output(self) -> Iterator[tuple[Source, bytes]]:
        """Yield its output as it comes, until it ends, and ``idle`` about every 0.1 s without output.

        A background process that keeps the output open is waited for at most 2 s without output.
        """
        channel, silence = self._channel, Silence()
        while True:
            while channel.recv_stderr_ready():
                silence.broken()
                yield "stderr", channel.recv_stderr(_PIECE)
            try:
                data = channel.recv(_PIECE)
            except TimeoutError:
                yield "idle", b""
                if silence.is_over(channel.exit_status_ready()):
                    return
                continue
            if not data:
                break
            silence.broken()
            yield "stdout", data
        while channel.recv_stderr_ready():
            yield "stderr", channel.recv_stderr(_PIECE)
        while not channel.status_event.wait(TICK):
            yield "idle", b""

    @property
    def status(self) -> int | None:
        """Its exit status. None when the host did not send one."""
        return self._channel.exit_status if self._channel.exit_status >= 0 else None

    @property
    def open(self) -> bool:
        """Whether its standard input is still open, as far as is known."""
        return not (self._channel.closed or self._channel.eof_received)

    def close(self) -> None:
        with suppress(SSHException, EOFError, OSError):
            self._channel.close()


class RemoteConversation:
    """A command that stays open for several requests, one after the other; implements ``Conversation``.

    Close it after any error: the next output may belong to the request that failed.
    """

    def __init__(self, name: str, transport: paramiko.Transport, remote: RemoteCommand) -> None:
        self._name = name
        self._transport = transport
        self._remote = remote
        self._output = remote.output()

    @property
    def open(self) -> bool:
        return self._transport.is_active() and self._remote.open

    def ask(self, request: bytes, on_line: Callable[[str], bool], timeout: float) -> str:
        """See ``Conversation.ask``."""
        last = _LastLine(on_line)
        reader = OutputReader(last.take)
        with Watchdog(timeout + GRACE, self._transport.close) as watchdog:
            # When the command has already ended, its output still has the reason.
            with suppress(SSHException, EOFError, OSError):
                self._remote.send(request)
            reader.follow(self._until(last), timeout, self._name)
        if not last.came:
            return self._ended(reader, too_slow(self._name, timeout) if watchdog.expired else lost(self._name))
        return reader.errors

    def _ended(self, reader: OutputReader, error: ConnectionLost) -> str:
        """Handle the end before the last line: a lost connection, or a command that ended by itself.

        A login that may not run commands ends like that.
        """
        if self._remote.status is None:
            raise error
        return reader.completed(self._remote.status).stderr

    def _until(self, last: _LastLine) -> Iterator[tuple[Source, bytes]]:
        while not last.came:
            piece = next(self._output, None)
            if piece is None:
                return
            yield piece

    def close(self) -> None:
        """Hang up. Never raises."""
        self._remote.close()


class _LastLine:
    """Hands lines on, and notes whether the last one came."""

    def __init__(self, on_line: Callable[[str], bool]) -> None:
        self._on_line = on_line
        self.came = False

    def take(self, line: str) -> None:
        self.came = self._on_line(line) or self.came


def _open_session(transport: paramiko.Transport, retry_for: float) -> paramiko.Channel:
    # sshd counts sessions that have just ended (MaxSessions) until its next cleanup, which is late on a busy host.
    # Where the first answer takes that long, it says nothing about the next one.
    give_up, refused = monotonic() + retry_for, False
    while True:
        try:
            return transport.open_session()
        except ChannelException:
            if refused and monotonic() > give_up:
                raise
            refused = True
            sleep(_RETRY_PAUSE)
