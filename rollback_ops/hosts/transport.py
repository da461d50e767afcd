"""The port of this room: how a command reaches a machine, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rollback_ops.ports import Stream


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended. ``stderr`` is the last 4,000 characters that it wrote there."""

    status: int
    stderr: str = ""


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

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        """Open a TCP connection as the machine sees it. Raises ``OSError`` when refused."""

    def close(self) -> None:
        """Let go of the connection. Never raises."""
