"""Which host keys are believed: those that were known before, and nothing else."""

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
    """Known host keys, from text or from a person's own files; safe to share between threads."""

    def __init__(self, given: tuple[KnownHost, ...] | None, files: tuple[Path, ...] = ()) -> None:
        self._given = given
        self._files = files
        self._read = cache(_read)

    @classmethod
    def from_text(cls, text: str, source: str = GIVEN) -> KnownHosts:
        """Only what this known_hosts text says. Raises ``UsageError`` with the line that is wrong."""
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
        """What the person's and the machine's known_hosts files say."""
        ours = (home / ".ssh/known_hosts", home / ".ssh/known_hosts2")
        return cls(None, (*ours, system / "ssh_known_hosts", system / "ssh_known_hosts2"))

    def about(self, host: str, files: Sequence[Path] = ()) -> HostKeys:
        """What is known of a host, under its name in known_hosts. ``files`` stand in for the person's own."""
        return HostKeys(host, self.place, tuple(line for line in self._lines(files) if line.speaks_of(host)))

    @property
    def place(self) -> str:
        """Where a host key is added so that it is believed."""
        return str(self._files[0]) if self._given is None else GIVEN

    def _lines(self, files: Sequence[Path]) -> Iterable[KnownHost]:
        if self._given is not None:
            return self._given
        return [line for path in (*(files or self._files[:2]), *self._files[2:]) for line in self._read(path)]


@dataclass(frozen=True, slots=True)
class HostKeys:
    """What is known of one host. ``place`` is where more could be said."""

    host: str
    place: str
    lines: tuple[KnownHost, ...]

    def preferred(self, algorithms: Sequence[str]) -> tuple[str, ...]:
        """``algorithms`` with those first that a known key can answer, so that the host shows that key."""
        known = {name for line in self._current() for name in _WIRE_TYPES.get(line.key_type, (line.key_type,))}
        return tuple(sorted(algorithms, key=lambda name: name not in known))

    def verify(self, offered: PKey, label: str) -> None:
        """Raises ``HostUntrusted``, which says what was offered and how to accept it, unless it is known."""
        blob = offered.asbytes()
        revoked = next((line for line in self.lines if line.marker == "@revoked" and line.blob == blob), None)
        if revoked is not None:
            said = f"{label}: its host key is revoked ({revoked.where}): {describe(offered)}"
            raise HostUntrusted(said, "Do not connect to it before it has a new key.")
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
        warning = "Either the host was installed anew, or someone stands between.\n  "
        return HostUntrusted(message, warning + self._advice(offered, "put this line in the place of the old one in"))

    def _advice(self, offered: PKey, action: str) -> str:
        kind = offered.get_name().removeprefix("ssh-").split("-")[0]
        return (
            f"Compare it with what the host itself says: ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub\n"
            f"  If they are equal, {action} {self.place} (`{self._keyscan(kind)}` prints it too):\n"
            f"  {self.host} {offered.get_name()} {offered.get_base64()}"
        )

    def _keyscan(self, kind: str) -> str:
        name, _, port = self.host.rpartition("]:")
        where = f"-p {port} {name.removeprefix('[')}" if name else self.host
        return f"ssh-keyscan -t {kind} {where}"


class KnownHostsPolicy(MissingHostKeyPolicy):
    """Paramiko asks this about every host key, because it is given no known hosts of its own."""

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
