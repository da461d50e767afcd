"""Finds the user of this machine at the other end of a connection over loopback."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

# proc(5): connections of IPv4 sockets, and of IPv6 ones, which reach IPv4 addresses too.
_TABLES = Path("/proc/net")
_ESTABLISHED = "01"
_MAPPED = "0000000000000000FFFF0000"
_ROOT = 0
Address = tuple[str, int]


def is_somebody_else(client: Address | None, server: Address, tables: Path = _TABLES) -> bool:
    """Return whether another user of this machine opened the connection.

    Cookies do not tell ports apart, and command lines (a browser's, too) are no secret on a machine: neither may be
    enough for another user. Root may do everything anyway, and forwards connections (WSL). A connection that the
    system does not know counts as another user's. Where it has no such tables (not Linux), none does.
    """
    there = [table for table in (tables / "tcp", tables / "tcp6") if table.exists()]
    rows = [line.split() for table in there for line in table.read_text().splitlines()[1:]]
    return bool(there) and (client is None or not _users(rows, client, server) & {os.getuid(), _ROOT})


def _users(rows: list[list[str]], client: Address, server: Address) -> set[int]:
    """Return the user at the client's end. Empty for a connection that was closed already."""
    ends = [_hex(client), _hex(server)]
    mapped = [_MAPPED + end for end in ends]
    # sl local_address rem_address st tx:rx tr:tm->when retrnsmt uid …
    return {int(row[7]) for row in rows if row[1:3] in (ends, mapped) and row[3] == _ESTABLISHED}


def _hex(address: Address) -> str:
    """Return an address as the tables have it: its four bytes as one number of this machine."""
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"
