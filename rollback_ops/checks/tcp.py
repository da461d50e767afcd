"""The ``tcp`` check: something accepts connections (a database, a broker)."""

from __future__ import annotations

from collections.abc import Callable

from rollback_ops.model import Finding
from rollback_ops.ports import Stream
from rollback_ops.settings import TcpCheck


class Tcp:
    kind = "tcp"

    def __init__(self, settings: TcpCheck) -> None:
        self.source: str = settings.source
        host, _, port = settings.address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._timeout = settings.timeout
        self._address = settings.address

    def probe(self, dial: Callable[[str, int, float], Stream]) -> Finding:
        try:
            dial(self._host, self._port, self._timeout).close()
        except OSError as error:
            why = f"{self._address}: {error.strerror or error}"
            return Finding("failed", why, trigger="database-unreachable")
        return Finding("passed", f"{self._address} accepts")
