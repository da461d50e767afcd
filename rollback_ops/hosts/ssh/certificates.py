"""OpenSSH certificates (PROTOCOL.certkeys): their principals, their validity, and the authority that signed them."""

from __future__ import annotations

import base64
import copy
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)
from paramiko import AgentKey, PKey
from paramiko.pkey import PublicBlob

from rollback_ops.core.errors import UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.text import listed, one_line
from rollback_ops.hosts.ssh.keys import fingerprint

SUFFIX = "-cert-v01@openssh.com"

# The last second that a date can show. A certificate without an end has 2**64 - 1.
_LAST_SECOND = 253_402_300_799
# OpenSSH accepts no signature with SHA-1 either (CASignatureAlgorithms in ssh_config(5)).
_RSA_SIGNATURES = (b"rsa-sha2-256", b"rsa-sha2-512")
_LONGEST_ID = 100


@frozen
class Certificate:
    """One certificate. ``line`` is its type and base64, as in a file that ends in ``-cert.pub``."""

    line: str
    parsed: SSHCertificate

    @classmethod
    def parse(cls, text: str, source: str) -> Certificate:
        """Parse a certificate. Raises ``UsageError``; ``source`` names the text in it."""
        hint = "It is the line in the file that ends in -cert.pub; `ssh-keygen -L -f FILE` shows its contents."
        line = " ".join(text.split()[:2])
        try:
            parsed = load_ssh_public_identity(line.encode())
            if isinstance(parsed, SSHCertificate):
                # Fails for an authority of a kind that is not supported.
                parsed.signature_key()
                return cls(line, parsed)
        except (ValueError, UnsupportedAlgorithm):
            raise UsageError(f"{source} is not a certificate that can be read", hint) from None
        raise UsageError(f"{source} is a public key, and not a certificate", hint)

    @property
    def key(self) -> bytes:
        """The key that is certified, in SSH's wire format."""
        return wire_format(self.parsed.public_key())

    @property
    def authority(self) -> bytes:
        """The key that signed it, in SSH's wire format."""
        return wire_format(self.parsed.signature_key())

    @property
    def authority_fingerprint(self) -> str:
        return fingerprint(self.authority)

    @property
    def for_host(self) -> bool:
        return self.parsed.type is SSHCertificateType.HOST

    @property
    def principals(self) -> tuple[str, ...]:
        """The users or hosts that it is for."""
        return tuple(name.decode(errors="replace") for name in self.parsed.valid_principals)

    @property
    def critical_options(self) -> tuple[str, ...]:
        """The options that whoever accepts it has to know."""
        return tuple(name.decode(errors="replace") for name in self.parsed.critical_options)

    def describe(self) -> str:
        """Return its identity, its principals and its time."""
        identity = one_line(self.parsed.key_id.decode(errors="replace"), _LONGEST_ID)
        end = "" if self.parsed.valid_before > _LAST_SECOND else f", until {_time(self.parsed.valid_before)}"
        return f'certificate "{identity}" for {listed(self.principals)}{end}'

    def out_of_time(self, now: float | None = None) -> str:
        """Return why it is not valid at ``now`` (seconds since 1970), by this machine's clock; empty when it is."""
        now = datetime.now(UTC).timestamp() if now is None else now
        if now >= self.parsed.valid_before:
            return f"expired at {_time(self.parsed.valid_before)}"
        if now < self.parsed.valid_after:
            return f"is not valid before {_time(self.parsed.valid_after)}"
        return ""

    @property
    def is_signed(self) -> bool:
        """Whether its signature is its authority's, and not made with SHA-1."""
        authority = self.parsed.signature_key()
        if isinstance(authority, RSAPublicKey):
            # The signature is the last field: its algorithm, and then as many bytes as the key has.
            blob = base64.b64decode(self.line.split()[1])
            if not blob[: -(4 + (authority.key_size + 7) // 8)].endswith(_RSA_SIGNATURES):
                return False
        try:
            self.parsed.verify_cert_signature()
        except InvalidSignature:
            return False
        return True

    def on(self, key: PKey) -> PKey:
        """Return the key as one that is offered with this certificate."""
        certified = copy.copy(key)
        certified.public_blob = PublicBlob.from_string(self.line)
        return certified


def describe(key: PKey) -> str:
    """Return type and fingerprint of a key, which are public, and whether it is offered with a certificate."""
    certificate = certificate_on(key)
    kind = key.get_name().removesuffix(SUFFIX)
    if certificate is None:
        return f"{kind} {fingerprint(key.asbytes())}"
    return f"{kind} {fingerprint(certificate.key)} with its certificate"


def of_agent(key: AgentKey) -> Certificate | None:
    """Return the certificate that is one of an agent's keys, ready to be offered. None: the key is an ordinary one."""
    if not key.name.endswith(SUFFIX):
        return None
    # The agent knows it by the whole certificate, and not by the key in it, which paramiko would ask for.
    key.inner_key = None  # type: ignore[attr-defined]
    key.public_blob = PublicBlob(key.name, key.blob)  # type: ignore[assignment]
    return certificate_on(key)


def certificate_on(key: PKey) -> Certificate | None:
    """Return the certificate that a key is offered with, by us or by a host. None: there is none that can be read."""
    blob = key.public_blob
    if blob is None:
        return None
    try:
        return Certificate.parse(f"{blob.key_type} {base64.b64encode(blob.key_blob).decode()}", "the certificate")
    except UsageError:
        return None


def wire_format(key: object) -> bytes:
    """Return a public key of ``cryptography`` in SSH's wire format."""
    return base64.b64decode(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])  # type: ignore[attr-defined]


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(min(seconds, _LAST_SECOND), UTC):%Y-%m-%d %H:%M:%S} UTC"
