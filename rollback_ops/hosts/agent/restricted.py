"""Requests to the agent installed on a host: all that a restricted key may do."""

from __future__ import annotations

from collections.abc import Callable

from rollback_ops.core.errors import Refused
from rollback_ops.hosts.transport import Transport

# The path of the agent under the service's root, and the questions that every rollback may ask.
PLACE = ".rollback/rollback"
READ_STAMP = f'sed -n 2p "$ROLLBACK_ROOT/{PLACE}"'
READ_LOGS = 'sh -c "$3"'

# Bytes that no shell treats specially: where the key is not restricted after all, a login shell reads the words.
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@/+,=-")
# sshd passes the words on in one variable of the environment, which may have 128 KiB.
_LONGEST_REQUEST = 120_000


class RestrictedSession:
    """Sends operations to the agent that is installed on a host, at the path ``place``."""

    def __init__(self, transport: Transport, place: str) -> None:
        self._transport = transport
        self._place = place

    def run(self, words: tuple[str, ...], on_line: Callable[[str], None], timeout: float) -> str:
        """Run one operation and hand over its lines. Returns its standard error. See ``Transport.execute``."""
        return self._transport.execute(request(self._place, *words), on_line, timeout).stderr


def request(place: str, operation: str, *arguments: str) -> str:
    """Return a request as sh/restricted/requests.sh takes it. Raises ``Refused`` for one that is too long."""
    line = " ".join([place, "--request", operation, *map(_encoded, arguments)])
    if len(line) > _LONGEST_REQUEST:
        raise Refused(f"the remote command is too long ({len(line):,} characters; the limit is {_LONGEST_REQUEST:,})")
    return line


def _encoded(argument: str) -> str:
    return "=" + "".join(chr(byte) if byte in _PLAIN else f"%{byte:03o}" for byte in argument.encode())
