"""Load private keys from text. No message here contains any of that text."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from io import StringIO

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from paramiko import ECDSAKey, Ed25519Key, Message, PKey, RSAKey

from rollback_ops.core.errors import UsageError
from rollback_ops.core.text import one_line

_PUBLIC = ("ssh-", "ecdsa-", "sk-", "-----BEGIN PUBLIC KEY", "-----BEGIN RSA PUBLIC KEY", "---- BEGIN SSH2 PUBLIC KEY")

_MAGIC = b"openssh-key-v1\0"
_KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_LONGEST_KIND = 60


class PassphraseNeeded(UsageError):
    """The key is encrypted and no passphrase was given."""


def fingerprint(public: bytes) -> str:
    """Return the SHA256 of a public key in SSH's wire format, as ``ssh-keygen -l`` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


def new_key() -> str:
    """Generate a private key, without a passphrase."""
    return _openssh(Ed25519PrivateKey.generate())


def load_key(text: str, passphrase: str = "", source: str = "ROLLBACK_SSH_KEY") -> PKey:
    """Load a private key from ``text``: OpenSSH, PEM or PKCS8; Ed25519, ECDSA or RSA.

    ``source`` names the text in messages. Raises ``UsageError``, which says what else the text is.
    """
    data = _tidy(text)
    _require_private_key(data, source)
    loaded = _decrypt(data, passphrase, source)
    if isinstance(loaded, Ed25519PrivateKey):
        return Ed25519Key.from_private_key(StringIO(_openssh(loaded)))
    if isinstance(loaded, EllipticCurvePrivateKey) and loaded.curve.name in ("secp256r1", "secp384r1", "secp521r1"):
        return ECDSAKey(vals=(loaded, loaded.public_key()))
    if isinstance(loaded, RSAPrivateKey):
        return _rsa(loaded, source)
    raise _unsupported(data, source)


def _unsupported(data: str, source: str) -> UsageError:
    cipher, kind = _header(data)
    if kind.startswith("sk-"):
        hint = "It needs the touch of its hardware token. Make another key: ssh-keygen -t ed25519"
        return UsageError(f"{source} is a FIDO key ({kind}), which is not supported", hint)
    if kind in _KINDS and cipher != "none":
        hint = "Encrypt it in another way: ssh-keygen -p -Z aes256-ctr -f key"
        return UsageError(f"{source} is encrypted with {cipher}, which is not supported", hint)
    what = f"a key of the kind {kind}, which" if kind else "a key of a kind, or encrypted in a way, that"
    return UsageError(f"{source} is {what} is not supported", "Make another key: ssh-keygen -t ed25519")


def _header(data: str) -> tuple[str, str]:
    """Return cipher and kind of a key in OpenSSH's format (PROTOCOL.key): never encrypted. Empty for other texts."""
    with suppress(ValueError):
        header = Message(base64.b64decode("".join(data.splitlines()[1:-1])))
        if header.get_bytes(len(_MAGIC)) == _MAGIC:
            cipher, _kdf, _options, _keys = (
                header.get_string(),
                header.get_string(),
                header.get_string(),
                header.get_int(),
            )
            kind = Message(header.get_string()).get_string()
            return _word(cipher), _word(kind)
    return "", ""


def _word(name: bytes) -> str:
    return one_line(name.decode(errors="replace"), _LONGEST_KIND)


def _tidy(text: str) -> str:
    # Line breaks may be written as \n, after JSON or an .env file. Base64 never contains a backslash.
    lines = text.replace("\\r", "").replace("\\n", "\n").strip().strip("\"'").splitlines()
    return "\n".join(line.strip() for line in lines).strip() + "\n"


def _require_private_key(data: str, source: str) -> None:
    first, last = data.split("\n", 1)[0], data.rstrip("\n").rsplit("\n", 1)[-1]
    if data == "\n":
        raise UsageError(f"{source} is empty", "Set it to the private key itself, not to the path of its file.")
    if "-cert-v01@openssh.com" in first[:100]:
        hint = "Put it into ROLLBACK_SSH_CERTIFICATE, or next to the key as …-cert.pub, and the private key here."
        raise UsageError(f"{source} holds a certificate", hint)
    if first.startswith(_PUBLIC):
        raise UsageError(f"{source} holds a public key", "Use the private key: the file without .pub.")
    if first.startswith("PuTTY-User-Key-File"):
        raise UsageError(f"{source} holds a PuTTY key", "Convert it: puttygen key.ppk -O private-openssh -o key")
    if not first.startswith("-----BEGIN ") or "PRIVATE KEY-----" not in data:
        hint = "Use the contents of the key file, not its path: it starts with -----BEGIN … PRIVATE KEY-----."
        raise UsageError(f"{source} does not hold a private key", hint)
    if first == last or not last.startswith("-----END "):
        hint = "Its last line or its line breaks are missing: store the whole file (gh secret set … < key)."
        raise UsageError(f"{source} is cut off", hint)


def _decrypt(data: str, passphrase: str, source: str) -> object:
    try:
        return _parse(data, None)
    except TypeError:
        pass
    except UnsupportedAlgorithm:
        raise _unsupported(data, source) from None
    except ValueError:
        hint = "Some of its lines are missing or changed. Check it: ssh-keygen -y -f key"
        raise UsageError(f"{source} is damaged", hint) from None
    if not passphrase:
        hint = "Set ROLLBACK_SSH_KEY_PASSPHRASE."
        raise PassphraseNeeded(f"{source} is encrypted with a passphrase, and none was given", hint)
    try:
        return _parse(data, passphrase.encode())
    except UnsupportedAlgorithm:
        raise _unsupported(data, source) from None
    except (ValueError, TypeError):
        hint = "Check ROLLBACK_SSH_KEY_PASSPHRASE with: ssh-keygen -y -f key"
        raise UsageError(f"{source}: the passphrase is wrong, or the key is damaged", hint) from None


def _parse(data: str, passphrase: bytes | None) -> object:
    # The primality tests of the full validation take 0.2 s for RSA-4096, longer than a whole connection.
    if data.startswith("-----BEGIN OPENSSH"):
        return serialization.load_ssh_private_key(data.encode(), passphrase, unsafe_skip_rsa_key_validation=True)
    return serialization.load_pem_private_key(data.encode(), passphrase, unsafe_skip_rsa_key_validation=True)


def _openssh(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()


def _rsa(key: RSAPrivateKey, source: str) -> RSAKey:
    numbers = key.private_numbers()
    if numbers.p * numbers.q != numbers.public_numbers.n:
        raise UsageError(f"{source} is damaged", "Its numbers are inconsistent. Check it: ssh-keygen -y -f key")
    if key.key_size < 2048:
        raise UsageError(
            f"{source} is an RSA key of {key.key_size} bits", "Hosts refuse it. Make a new one: ssh-keygen -t ed25519"
        )
    return RSAKey(key=key)
