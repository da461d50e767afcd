"""Several requests to one command at the other end of an SSH connection, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from paramiko import SSHException, Transport

from rollback_ops.core.errors import ConnectionLost
from rollback_ops.hosts.child import Source
from rollback_ops.hosts.lines import Relay, lost, too_slow
from rollback_ops.hosts.ssh.channel import RemoteCommand
from rollback_ops.hosts.ssh.watchdog import GRACE, Watchdog


class RemoteConversation:
    """A command that goes on. After any error it is to be closed: what it says next may belong to the last request."""

    def __init__(self, name: str, transport: Transport, remote: RemoteCommand) -> None:
        self._name = name
        self._transport = transport
        self._remote = remote
        self._output = remote.output()

    @property
    def open(self) -> bool:
        return self._transport.is_active() and self._remote.open

    def ask(self, request: bytes, on_line: Callable[[str], bool], timeout: float) -> str:
        """See ``Conversation.ask``."""
        last = _Last(on_line)
        relay = Relay(last.line)
        with Watchdog(timeout + GRACE, self._transport.close) as watchdog:
            # What has ended already still says why.
            with suppress(SSHException, EOFError, OSError):
                self._remote.send(request)
            relay.follow(self._until(last), timeout, self._name)
        if not last.came:
            return self._ended(relay, too_slow(self._name, timeout) if watchdog.barked else lost(self._name))
        return relay.errors

    def _ended(self, relay: Relay, error: ConnectionLost) -> str:
        """It ended before its last line: with the connection, or by itself, as a login that runs no commands does."""
        if self._remote.status is None:
            raise error
        return relay.completed(self._remote.status).stderr

    def _until(self, last: _Last) -> Iterator[tuple[Source, bytes]]:
        while not last.came:
            piece = next(self._output, None)
            if piece is None:
                return
            yield piece

    def close(self) -> None:
        """Hang up. Never raises."""
        self._remote.close()


class _Last:
    """Hands lines on, and notes whether the last one came."""

    def __init__(self, on_line: Callable[[str], bool]) -> None:
        self._on_line = on_line
        self.came = False

    def line(self, line: str) -> None:
        self.came = self._on_line(line) or self.came
