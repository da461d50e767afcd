"""The port of this room: how a command reaches a machine, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rollback_ops.core.ports import Stream


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended. ``stderr`` is the last 4,000 characters that it wrote there."""

    status: int
    stderr: str = ""


class Conversation(Protocol):
    """A command that goes on, and answers what it is sent."""

    @property
    def open(self) -> bool:
        """Whether it can be sent anything still, as far as is known."""

    def ask(self, request: bytes, on_line: Callable[[str], bool], timeout: float) -> str:
        """Send a request, and hand over each line until ``on_line`` says that it was the last; see ``execute``.

        What came on standard error meanwhile, the last 4,000 characters. Raises ``BadAnswer``, and
        ``ConnectionLost`` when the command ended, or ``timeout`` seconds passed, before the last line.
        """

    def close(self) -> None:
        """Hang up. Never raises."""


class Transport(Protocol):
    """One machine that commands can be run on."""

    @property
    def name(self) -> str:
        """What people call the machine: the host as it is written in the settings."""

    def execute(self, command: str, on_line: Callable[[str], None], timeout: float) -> Completed:
        """Run one shell command line with no standard input, handing over each line it prints.

        A line is decoded as UTF-8 (bad bytes replaced) and comes without its newline; a line
        longer than 64 KiB, or more than 16 MiB in all, is a ``BadAnswer``.

        Raises ``HostUnreachable`` (or a kind of it) when there is no connection to start with,
        ``ConnectionLost`` when it ended, or ``timeout`` seconds passed, before the exit status came.
        """

    def converse(self, command: str, timeout: float) -> Conversation | None:
        """Start a command that goes on; None where that is no better than one command after the other.

        Raises as ``execute`` does.
        """

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        """Open a TCP connection as the machine sees it. Raises ``OSError`` when refused."""

    def close(self) -> None:
        """Let go of the connection. Never raises."""
