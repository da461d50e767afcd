"""Find hosts that a list names more than once, under whatever spelling."""

from __future__ import annotations

import re
from itertools import groupby

from rollback_ops.core.text import listed

_SSH_PORT = "22"
_PARTS = re.compile(r"(?:[^@]*@)?(?:\[(?P<ipv6>[^\]]*)\]|(?P<name>[^:]*))(?::(?P<port>\d+))?", re.ASCII)


def each_host_once(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses. Raises ``ValueError`` when two of them are the same host and port.

    The user does not count: a second user of a host has the same services. Names are not resolved.
    """
    for _, group in groupby(sorted(addresses, key=machine_of), key=machine_of):
        spellings = list(group)
        if len(spellings) > 1:
            raise ValueError(f"lists the same host more than once: {listed(spellings)}")
    return addresses


def machine_of(address: str) -> tuple[str, int]:
    """Return the name (or the address) and the port of a host, in one spelling."""
    found = _PARTS.fullmatch(address)
    if found is None:
        return address, 0
    host = (found["name"] or _shortest(found["ipv6"] or "")).lower().rstrip(".")
    return host, int(found["port"] or _SSH_PORT)


def _shortest(ipv6: str) -> str:
    """Return an IPv6 address in its shortest form. Other text stays as it is."""
    from ipaddress import IPv6Address

    try:
        return str(IPv6Address(ipv6))
    except ValueError:
        return ipv6
