"""Host keys: only keys that are already known are accepted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from paramiko import MissingHostKeyPolicy, PKey, SSHClient

from rollback_ops.core.errors import HostUntrusted, UsageError
from rollback_ops.hosts.ssh.keys import describe, fingerprint
from rollback_ops.hosts.ssh.known_hosts import KnownHost, parse_known_hosts

_WIRE_TYPES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
GIVEN = "ROLLBACK_KNOWN_HOSTS"


class KnownHosts:
    """Known host keys, from text or from the user's files. Threads may share it."""

    def __init__(self, given: tuple[KnownHost, ...] | None, files: tuple[Path, ...] = ()) -> None:
        self._given = given
        self._files = files
        self._read = cache(_read)

    @classmethod
    def from_text(cls, text: str, source: str = GIVEN) -> KnownHosts:
        """Accept only the keys in this known_hosts text. Raises ``UsageError`` with the line that is wrong."""
        lines = tuple(parse_known_hosts(text, source))
        authority = next((line for line in lines if line.marker == "@cert-authority"), None)
        if authority is not None:
            hint = "List the key of each host instead, as `ssh-keyscan host` prints it."
            raise UsageError(f"{authority.where}: @cert-authority is not supported", hint)
        if not lines:
            raise UsageError(f"{source} holds no host key", "It is what `ssh-keyscan host` prints, line by line.")
        return cls(lines)

    @classmethod
    def of_person(cls, home: Path, system: Path = Path("/etc/ssh")) -> KnownHosts:
        """Accept the keys in the known_hosts files of the user and of the machine."""
        ours = (home / ".ssh/known_hosts", home / ".ssh/known_hosts2")
        return cls(None, (*ours, system / "ssh_known_hosts", system / "ssh_known_hosts2"))

    def about(self, host: str, files: Sequence[Path] = ()) -> HostKeys:
        """Return the keys of a host, by its name in known_hosts. ``files`` replace the user's own files."""
        return HostKeys(host, self.place, tuple(line for line in self._lines(files) if line.matches(host)))

    @property
    def place(self) -> str:
        """The file or variable to which a host key is added."""
        return str(self._files[0]) if self._given is None else GIVEN

    def _lines(self, files: Sequence[Path]) -> Iterable[KnownHost]:
        if self._given is not None:
            return self._given
        return [line for path in (*(files or self._files[:2]), *self._files[2:]) for line in self._read(path)]


@dataclass(frozen=True, slots=True)
class HostKeys:
    """The known keys of one host. ``place`` is the file or variable for more keys."""

    host: str
    place: str
    lines: tuple[KnownHost, ...]

    def preferred(self, algorithms: Sequence[str]) -> tuple[str, ...]:
        """Return ``algorithms``, first those of a known key, so that the host offers that key."""
        known = {name for line in self._current() for name in _WIRE_TYPES.get(line.key_type, (line.key_type,))}
        return tuple(sorted(algorithms, key=lambda name: name not in known))

    def verify(self, offered: PKey, label: str) -> None:
        """Raise ``HostUntrusted`` unless the key is known. The error says which key was offered and how to add it."""
        blob = offered.asbytes()
        revoked = next((line for line in self.lines if line.marker == "@revoked" and line.blob == blob), None)
        if revoked is not None:
            message = f"{label}: its host key is revoked ({revoked.where}): {describe(offered)}"
            raise HostUntrusted(message, "Do not connect to it before it has a new key.")
        current = self._current()
        if any(line.blob == blob for line in current):
            return
        raise self._changed(offered, label, current) if current else self._unknown(offered, label)

    def _current(self) -> list[KnownHost]:
        return [line for line in self.lines if not line.marker]

    def _unknown(self, offered: PKey, label: str) -> HostUntrusted:
        message = f"{label}: its host key is not known; it offered {describe(offered)}"
        unsupported = any(line.marker == "@cert-authority" for line in self.lines)
        also = "\n  (@cert-authority lines are not supported: list the host's own key.)" if unsupported else ""
        return HostUntrusted(message, self._advice(offered, "add this line to") + also)

    def _changed(self, offered: PKey, label: str, current: list[KnownHost]) -> HostUntrusted:
        expected = ", ".join(f"{line.key_type} {fingerprint(line.blob)} ({line.where})" for line in current)
        message = f"{label}: its host key is not the expected one; it offered {describe(offered)}, expected {expected}"
        warning = "Either the host was reinstalled, or an attacker answers in its place.\n  "
        return HostUntrusted(message, warning + self._advice(offered, "replace the old line with this one in"))

    def _advice(self, offered: PKey, action: str) -> str:
        kind = offered.get_name().removeprefix("ssh-").split("-")[0]
        return (
            f"Compare it with the key on the host itself: ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub\n"
            f"  If they are equal, {action} {self.place} (`{self._keyscan(kind)}` prints it too):\n"
            f"  {self.host} {offered.get_name()} {offered.get_base64()}"
        )

    def _keyscan(self, kind: str) -> str:
        name, _, port = self.host.rpartition("]:")
        where = f"-p {port} {name.removeprefix('[')}" if name else self.host
        return f"ssh-keyscan -t {kind} {where}"


class KnownHostsPolicy(MissingHostKeyPolicy):
    """Verifies every host key: paramiko calls it for unknown keys, and it has no known keys of its own."""

    def __init__(self, known: HostKeys, label: str) -> None:
        self._known = known
        self._label = label

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        self._known.verify(key, self._label)


def _read(path: Path) -> tuple[KnownHost, ...]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(parse_known_hosts(text, str(path), tolerant=True))
