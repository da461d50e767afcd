"""The address of a host: ``user@host``, ``host:port``, ``user@[::1]:2222`` or ``ssh://user@host:port``."""

from __future__ import annotations

import re

from rollback_ops.core.errors import UsageError
from rollback_ops.core.frozen import frozen

SSH_PORT = 22
_ADDRESS = re.compile(
    r"(?:ssh://)?"
    r"(?:(?P<user>[^\s@:/\[\]]+)@)?"
    r"(?:\[(?P<bracketed>[0-9A-Za-z:.%]+)\]|(?P<ipv6>[0-9A-Fa-f]*(?::[0-9A-Fa-f.]*){2,})|(?P<name>\w[\w.-]*))"
    r"(?::(?P<port>\d{1,5}))?/?",
    re.ASCII,
)


@frozen
class Address:
    """The parts of an address. ``user`` and ``port`` are optional in it."""

    host: str
    user: str = ""
    port: int | None = None


def parse_address(text: str) -> Address:
    """Parse the address of one host. Raises ``UsageError`` when the text is not an address."""
    match = _ADDRESS.fullmatch(text.strip())
    port = int(match["port"]) if match and match["port"] else None
    user = (match["user"] if match else None) or ""
    if match is None or user.startswith("-") or (port is not None and not 0 < port < 65536):
        raise UsageError(
            f"{text!r} is not the address of a host",
            "Write it as host, user@host, user@host:port or user@[IPv6 address]:port.",
        )
    return Address(match["bracketed"] or match["ipv6"] or match["name"], user, port)
