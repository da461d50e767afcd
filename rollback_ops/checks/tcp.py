"""The ``tcp`` check: test that a port or a Unix socket accepts connections (a database, a broker)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

from rollback_ops.checks.connecting import not_connected
from rollback_ops.config import TcpCheck
from rollback_ops.config.types import fill
from rollback_ops.core.health import Finding
from rollback_ops.core.model import CommandResult, HostCommand, Unit
from rollback_ops.core.ports import Stream


class Tcp:
    kind = "tcp"

    def __init__(self, settings: TcpCheck, release: str) -> None:
        self.source: str = settings.source
        self._address = fill(settings.address, {"release": release})
        host, _, port = self._address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._timeout = settings.timeout

    def probe(self, dial: Callable[[str, int, float], Stream]) -> Finding:
        try:
            dial(self._host, self._port, self._timeout).close()
        except (OSError, UnicodeError) as error:
            return not_connected(self._address, error, self._timeout)
        return Finding("passed", f"{self._address} accepts")


class Socket:
    """The check of a Unix socket on the host. The kernel's table says whether a process listens on it."""

    kind = "tcp"

    def __init__(self, settings: TcpCheck, release: str) -> None:
        self._path = fill(settings.address, {"release": release})
        # Flags 00010000: the socket accepts connections (__SO_ACCEPTCON in the kernel's include/uapi/linux/net.h).
        listed = shlex.quote(f"^[^ ]*: [^ ]* [^ ]* 00010000 .* {re.escape(self._path)}$")
        self.question = HostCommand(f"grep -q {listed} /proc/net/unix", settings.timeout)

    def judge(self, units: tuple[Unit, ...], answered: CommandResult | None) -> Finding:
        if answered is None or answered.status not in (0, 1):
            return Finding("unknown", f"the host did not report whether a process listens on {self._path}")
        if answered.status == 1:
            return Finding("failed", f"no process listens on {self._path}")
        return Finding("passed", f"{self._path} accepts")
