"""Host keys: only keys that are already known are accepted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from paramiko import MissingHostKeyPolicy, PKey, SSHClient

from rollback_ops.core.errors import HostUntrusted, UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.text import listed
from rollback_ops.hosts.ssh.certificates import SUFFIX, Certificate, certificate_on, describe
from rollback_ops.hosts.ssh.keys import fingerprint
from rollback_ops.hosts.ssh.known_hosts import KnownHost, KnownLines, parse_known_hosts, plain_name, wildcard_matches

_WIRE_TYPES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
GIVEN = "ROLLBACK_KNOWN_HOSTS"


class KnownHosts:
    """Known host keys, from text or from the user's files. Threads may share it."""

    def __init__(self, given: KnownLines | None, files: tuple[Path, ...] = ()) -> None:
        self._given = given
        self._files = files
        self._read = cache(_read)

    @classmethod
    def from_text(cls, text: str, source: str = GIVEN) -> KnownHosts:
        """Accept only the keys in this known_hosts text. Raises ``UsageError`` with the line that is wrong."""
        lines = KnownLines(parse_known_hosts(text, source))
        token = next(
            (line for line in lines if line.marker == "@cert-authority" and line.key_type.startswith("sk-")), None
        )
        if token is not None:
            hint = "List the keys of its hosts instead, as `ssh-keyscan host` prints them."
            raise UsageError(f"{token.where}: an authority with a FIDO key ({token.key_type}) is not supported", hint)
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
        names = {host, plain_name(host)}
        lines = tuple(
            line
            for known in self._known(files)
            for line in known.near(names)
            # An authority is trusted for a name. As in OpenSSH, it need not be listed for every port.
            if line.matches(host) or (line.marker == "@cert-authority" and any(map(line.matches, names)))
        )
        return HostKeys(host, self.place, lines)

    @property
    def place(self) -> str:
        """The file or variable to which a host key is added."""
        return str(self._files[0]) if self._given is None else GIVEN

    def _known(self, files: Sequence[Path]) -> Iterable[KnownLines]:
        if self._given is not None:
            return [self._given]
        return [self._read(path) for path in (*(files or self._files[:2]), *self._files[2:])]


@frozen
class HostKeys:
    """The known keys of one host. ``place`` is the file or variable for more keys."""

    host: str
    place: str
    lines: tuple[KnownHost, ...]

    def preferred(self, algorithms: Sequence[str]) -> tuple[str, ...]:
        """Return ``algorithms``, first those of a known key, so that the host offers that key.

        Where an authority is known, the algorithms for certificates come before them.
        """
        known = {name for line in self._current() for name in _WIRE_TYPES.get(line.key_type, (line.key_type,))}
        certified = tuple(f"{name}{SUFFIX}" for name in algorithms) if self._authorities() else ()
        return (*certified, *sorted(algorithms, key=lambda name: name not in known))

    def verify(self, offered: PKey, label: str) -> None:
        """Raise ``HostUntrusted`` unless the key is known, or certified by a known authority.

        The error says which key was offered and how to add it. As in OpenSSH, a known key needs no valid certificate.
        """
        certificate = certificate_on(offered)
        self._refuse_revoked(offered, certificate, label)
        current = self._current()
        if any(line.blob == offered.asbytes() for line in current):
            return
        if certificate is not None and self._authorities():
            if objection := self._objection(certificate):
                raise HostUntrusted(f"{label}: its host certificate {objection}", self._about(certificate, offered))
            return
        raise self._changed(offered, label, current) if current else self._unknown(offered, label)

    def _refuse_revoked(self, offered: PKey, certificate: Certificate | None, label: str) -> None:
        blobs = {offered.asbytes(): "host key"}
        if certificate is not None:
            blobs[certificate.authority] = "certificate's authority"
        for line in self.lines:
            if line.marker == "@revoked" and line.blob in blobs:
                fp = f"{line.key_type} {fingerprint(line.blob)}"
                message = f"{label}: its {blobs[line.blob]} is revoked ({line.where}): {fp}"
                raise HostUntrusted(message, "Do not connect to it before it has a new key.")

    def _objection(self, certificate: Certificate) -> str:
        """Return why the certificate proves nothing about this host (sshd(8), ssh-keygen(1)); empty when it does."""
        name = plain_name(self.host)
        if certificate.authority not in {line.blob for line in self._authorities()}:
            expected = ", ".join(f"{fingerprint(line.blob)} ({line.where})" for line in self._authorities())
            return f"is signed by another authority: {certificate.authority_fingerprint}, expected {expected}"
        if not certificate.is_signed:
            return "has a signature that is not valid, or was made with SHA-1"
        if not certificate.for_host:
            return "is one for users"
        if not any(wildcard_matches(principal.lower(), name) for principal in certificate.principals):
            return f"is for {listed(certificate.principals)}, and not for {name}"
        if certificate.critical_options:
            return f"has a critical option that is not known here: {listed(certificate.critical_options)}"
        return certificate.out_of_time()

    def _about(self, certificate: Certificate, offered: PKey) -> str:
        return f"It is the {certificate.describe()}, of the key {fingerprint(offered.asbytes())}."

    def _current(self) -> list[KnownHost]:
        return [line for line in self.lines if not line.marker]

    def _authorities(self) -> list[KnownHost]:
        return [line for line in self.lines if line.marker == "@cert-authority"]

    def _unknown(self, offered: PKey, label: str) -> HostUntrusted:
        message = f"{label}: its host key is not known; it offered {describe(offered)}"
        authority = next((line.where for line in self._authorities()), "")
        also = f"\n  It showed no certificate of the authority in {authority}: HostCertificate in its sshd_config."
        also = also if authority else ""
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


def _read(path: Path) -> KnownLines:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return KnownLines(())
    return KnownLines(parse_known_hosts(text, str(path), tolerant=True))
