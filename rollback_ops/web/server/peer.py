"""Which user of this machine is at the other end of a connection over loopback."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

# proc(5). A connection of an IPv4 address to an IPv4 address is in here.
_TABLE = Path("/proc/net/tcp")
Address = tuple[str, int]


def is_somebody_else(client: Address, server: Address, table: Path = _TABLE) -> bool:
    """Return whether another user of this machine opened the connection.

    Cookies do not tell ports apart, and command lines (a browser's, too) are no secret on a machine: neither may be
    enough for another user. Where the system does not say who it is (not Linux), this is False.
    """
    user = _user(client, server, table)
    return user is not None and user != os.getuid()


def _user(client: Address, server: Address, table: Path) -> int | None:
    try:
        lines = table.read_text().splitlines()[1:]
        ends = [_hex(client), _hex(server)]
    except (OSError, ValueError):
        return None
    for line in lines:
        # sl local_address rem_address st tx:rx tr:tm->when retrnsmt uid …
        words = line.split()
        if words[1:3] == ends:
            return int(words[7])
    return None


def _hex(address: Address) -> str:
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"
