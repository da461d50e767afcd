"""Shared by the tests of all transports."""

from __future__ import annotations

from pathlib import Path

from rollback_ops.hosts.transport import Transport


def run(transport: Transport, command: str, timeout: float = 60.0) -> tuple[int, list[str], str]:
    """The status, the lines and the errors of a command."""
    lines: list[str] = []
    done = transport.execute(command, lines.append, timeout)
    return done.status, lines, done.stderr


def alive(pid: int) -> bool:
    """Whether a process of this machine still runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
