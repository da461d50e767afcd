"""The known_hosts format, and the rules by which lines match hosts (sshd(8))."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from typing import Literal

from rollback_ops.core.errors import UsageError
from rollback_ops.core.frozen import frozen

Marker = Literal["", "@revoked", "@cert-authority"]
# A negation, a hash, or a wildcard.
_SPECIAL = re.compile(r"[!|*?]")
_MARKERS: tuple[Marker, ...] = ("@revoked", "@cert-authority")


@frozen
class KnownHost:
    """One line: a public key (``blob``, in the wire format) and the ``patterns`` of its hosts."""

    patterns: tuple[str, ...]
    key_type: str
    blob: bytes
    where: str
    marker: Marker = ""

    def matches(self, host: str) -> bool:
        """Return whether the line is about ``host``: ``name``, or ``[name]:port`` where the port is not 22."""
        if any(p.startswith("!") and _matches(p[1:], host) for p in self.patterns):
            return False
        return any(_matches(p, host) for p in self.patterns)


class KnownLines:
    """The lines of one known_hosts text, found by name: each of many hosts would else be compared with all of them."""

    def __init__(self, lines: Iterable[KnownHost]) -> None:
        self._lines = tuple(lines)
        self._named: dict[str, list[int]] = {}
        # Those with a pattern that is not just a name.
        self._others: list[int] = []
        for number, line in enumerate(self._lines):
            if any(_SPECIAL.search(pattern) for pattern in line.patterns):
                self._others.append(number)
            else:
                for name in line.patterns:
                    self._named.setdefault(name.lower(), []).append(number)

    def __iter__(self) -> Iterator[KnownHost]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def near(self, names: Iterable[str]) -> list[KnownHost]:
        """Return the lines that may be about one of these names, in their order."""
        numbers = {*self._others, *(number for name in names for number in self._named.get(name, ()))}
        return [self._lines[number] for number in sorted(numbers)]


def name_in_known_hosts(host: str, port: int) -> str:
    """Return the name of a host in known_hosts files."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


def plain_name(known_as: str) -> str:
    """Return a host's name in known_hosts files without its port."""
    name, _, port = known_as.rpartition("]:")
    return name.removeprefix("[") if name and port else known_as


def parse_known_hosts(text: str, source: str, *, tolerant: bool = False) -> Iterator[KnownHost]:
    """Yield the lines. ``tolerant`` skips invalid lines, as OpenSSH does.

    Otherwise raises ``UsageError`` with the number of the line.
    """
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{source} line {number}"
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        try:
            yield _parse_line(fields, where)
        except UsageError:
            if not tolerant:
                raise


def _parse_line(fields: list[str], where: str) -> KnownHost:
    marker: Marker = ""
    if fields[0].startswith("@"):
        marker = _marker(fields.pop(0), where)
    if len(fields) < 3:
        shape = "Each line is: host key-type key, as `ssh-keyscan host` prints it."
        raise UsageError(f"{where} is not a host with its key", shape)
    patterns, key_type, encoded = fields[:3]
    return KnownHost(tuple(patterns.split(",")), key_type, _blob(encoded, key_type, where), where, marker)


def _marker(word: str, where: str) -> Marker:
    for marker in _MARKERS:
        if word == marker:
            return marker
    raise UsageError(f"{where}: unknown marker {word!r}", "It should be @revoked or @cert-authority.")


def _blob(encoded: str, key_type: str, where: str) -> bytes:
    try:
        blob = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise UsageError(f"{where}: the key is not valid base64", "Copy the whole line again.") from None
    # The wire format begins with the length of the type's name, and the name.
    name = key_type.encode(errors="replace")
    if blob[: 4 + len(name)] != len(name).to_bytes(4, "big") + name:
        raise UsageError(f"{where}: the key is not of the type {key_type!r}", "Copy the whole line again.")
    return blob


def _matches(pattern: str, host: str) -> bool:
    if pattern.startswith("|1|"):
        return _matches_hash(pattern, host)
    return wildcard_matches(pattern, host)


def wildcard_matches(pattern: str, host: str) -> bool:
    """Return whether a pattern with ``*`` and ``?`` matches all of ``host``, whatever the case of its letters."""
    # Not fnmatch: it reads the brackets of [host]:port as a set of characters.
    expression = re.escape(pattern.lower()).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, host) is not None


def _matches_hash(pattern: str, host: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in pattern.split("|")[2:4])
    except ValueError:
        return False
    return hmac.compare_digest(hmac.digest(salt, host.encode(), hashlib.sha1), digest)
