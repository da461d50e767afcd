"""This machine, without SSH (``--local``)."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from rollback_ops.core.ports import Stream
from rollback_ops.hosts.lines import OutputReader
from rollback_ops.hosts.local_command import LocalCommand
from rollback_ops.hosts.transport import Completed

_SECRETS = ("ROLLBACK_", "ACTIONS_", "GITHUB_TOKEN", "GH_TOKEN")


class LocalTransport:
    """Runs commands with ``sh`` as our own user, without our secrets in their environment."""

    def __init__(self, name: str = "localhost", environment: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._environment = _without_secrets(os.environ if environment is None else environment)

    @property
    def name(self) -> str:
        return self._name

    def execute(self, command: str, on_line: Callable[[str], None], timeout: float) -> Completed:
        """Run one shell command line; see ``Transport.execute``. A command that takes too long gets SIGHUP."""
        process, reader = LocalCommand(command, self._environment), OutputReader(on_line)
        try:
            reader.follow(process.output(), timeout, self._name)
        except BaseException:
            process.hang_up()
            raise
        process.close()
        return reader.completed(process.status)

    def converse(self, command: str, timeout: float) -> None:
        """Return None: a command costs no login here, so there is nothing to keep open."""

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        """Open a TCP connection from this machine. Raises ``OSError``."""
        return socket.create_connection((host, port), timeout)

    def close(self) -> None:
        """Do nothing: no connection stays open between commands."""


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    # A service that is started from here keeps its environment as long as it runs.
    return {name: value for name, value in environment.items() if not name.startswith(_SECRETS)}
