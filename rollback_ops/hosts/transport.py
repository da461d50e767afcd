"""The port of ``hosts``: how to run commands on a machine, over SSH or locally."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rollback_ops.core.frozen import frozen
from rollback_ops.core.ports import Stream


@frozen
class Completed:
    """How a command ended. ``stderr`` has the last 4,000 characters of its standard error."""

    status: int
    stderr: str = ""


class Conversation(Protocol):
    """A command that stays open and answers requests."""

    @property
    def open(self) -> bool:
        """Whether another request can be sent, as far as is known."""

    def ask(self, request: bytes, on_line: Callable[[str], bool], timeout: float) -> str:
        """Send a request, and hand over each line until ``on_line`` returns True for the last one; see ``execute``.

        Returns the last 4,000 characters of standard error. Raises ``BadAnswer``, and ``ConnectionLost`` when the
        command ended, or ``timeout`` seconds passed, before the last line.
        """

    def close(self) -> None:
        """Hang up. Never raises."""


class Transport(Protocol):
    """One machine that runs commands."""

    @property
    def name(self) -> str:
        """The host as it is written in the settings."""

    def execute(self, command: str, on_line: Callable[[str], None], timeout: float) -> Completed:
        """Run one shell command line with no standard input, handing over each line it prints.

        A line is decoded as UTF-8 (bad bytes replaced) and comes without its newline; a line
        longer than 64 KiB, or more than 16 MiB in all, is a ``BadAnswer``.

        Raises ``HostUnreachable`` (or a subclass) when no connection could be opened, ``ConnectionLost`` when the
        connection ended, or ``timeout`` seconds passed, before the exit status came.
        """

    def converse(self, command: str, timeout: float) -> Conversation | None:
        """Start a command that stays open. Returns None where separate commands are just as fast.

        Raises as ``execute`` does.
        """

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        """Open a TCP connection from the machine. ``timeout`` is in seconds.

        Raises ``OSError``: ``ConnectionRefusedError`` or ``TimeoutError`` because of the port, ``socket.gaierror`` for
        a name that does not resolve, ``PermissionError`` when sshd does not allow the connection, and
        ``ConnectionResetError`` when our own connection to the machine was lost. The stream raises ``ConnectionLost``
        when that is lost later.
        """

    def close(self) -> None:
        """Close the connection. Never raises."""
