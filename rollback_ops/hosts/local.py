"""This machine, reached without SSH: what ``--local`` means."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from rollback_ops.core.ports import Stream
from rollback_ops.hosts.child import Child
from rollback_ops.hosts.lines import Relay
from rollback_ops.hosts.transport import Completed

_SECRETS = ("ROLLBACK_", "ACTIONS_", "GITHUB_TOKEN", "GH_TOKEN")


class LocalTransport:
    """Commands run by ``sh`` as the person who runs us, without our secrets in their environment."""

    def __init__(self, name: str = "localhost", environment: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._environment = _without_secrets(os.environ if environment is None else environment)

    @property
    def name(self) -> str:
        return self._name

    def execute(self, command: str, on_line: Callable[[str], None], timeout: float) -> Completed:
        """Run one shell command line; see ``Transport.execute``. A command that takes too long is hung up on."""
        child, relay = Child(command, self._environment), Relay(on_line)
        try:
            relay.follow(child.output(), timeout, self._name)
        except BaseException:
            child.hang_up()
            raise
        child.close()
        return relay.completed(child.status)

    def converse(self, command: str, timeout: float) -> None:
        """Here a command costs no login: one after the other will do."""

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        """A TCP connection from here. Raises ``OSError`` when refused."""
        return socket.create_connection((host, port), timeout)

    def close(self) -> None:
        """Nothing is held open between commands."""


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    # A service that is started from here keeps its environment for as long as it lives.
    return {name: value for name, value in environment.items() if not name.startswith(_SECRETS)}
