"""Private keys from text: every kind that works, and the diagnosis of those that do not."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rollback_ops.core.errors import UsageError
from rollback_ops.hosts.ssh.keys import fingerprint, load_key
from tests.support.sshd import fingerprint_by_openssh, keygen

KINDS = [("ed25519", 0), ("rsa", 2048), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521)]


def refusal(text: str, passphrase: str = "") -> UsageError:
    with pytest.raises(UsageError) as caught:
        load_key(text, passphrase)
    assert caught.value.__cause__ is None
    secret = "".join(line for line in text.splitlines() if len(line) > 40)
    pieces = [secret[start : start + 16] for start in range(0, len(secret), 16)]
    assert not [piece for piece in pieces if piece in str(caught.value)], "the message holds some of the key"
    return caught.value


@pytest.mark.parametrize(("kind", "bits"), KINDS)
@pytest.mark.parametrize("passphrase", ["", "open sesame"])
def test_a_key_in_openssh_format_has_the_fingerprint_that_ssh_keygen_prints(
    tmp_path: Path, kind: str, bits: int, passphrase: str
) -> None:
    path = keygen(tmp_path / "key", kind, bits, passphrase)
    key = load_key(path.read_text(), passphrase)
    assert fingerprint(key.asbytes()) == fingerprint_by_openssh(path)
    assert key.can_sign()


@pytest.mark.parametrize("form", ["PEM", "PKCS8"])
@pytest.mark.parametrize(("kind", "bits"), [("rsa", 2048), ("ecdsa", 256)])
@pytest.mark.parametrize("passphrase", ["", "open sesame"])
def test_a_key_in_an_older_form_works_too(tmp_path: Path, form: str, kind: str, bits: int, passphrase: str) -> None:
    path = keygen(tmp_path / "key", kind, bits, passphrase, "-m", form)
    assert "OPENSSH" not in path.read_text()
    assert fingerprint(load_key(path.read_text(), passphrase).asbytes()) == fingerprint_by_openssh(path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace("\n", "\\n"), id="newlines spelled out"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(lambda text: text.rstrip("\n"), id="no last newline"),
        pytest.param(lambda text: "\n\n  " + text.replace("\n", "\n  "), id="indented"),
        pytest.param(lambda text: f'"{text}"', id="quoted"),
    ],
)
def test_a_key_that_was_stored_carelessly_still_works(tmp_path: Path, change: Callable[[str], str]) -> None:
    path = keygen(tmp_path / "key")
    assert fingerprint(load_key(change(path.read_text())).asbytes()) == fingerprint_by_openssh(path)


def test_a_passphrase_that_is_not_needed_does_no_harm(tmp_path: Path) -> None:
    path = keygen(tmp_path / "key")
    assert fingerprint(load_key(path.read_text(), "superfluous").asbytes()) == fingerprint_by_openssh(path)


@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
def test_an_encrypted_key_without_its_passphrase_asks_for_it(tmp_path: Path, form: str) -> None:
    text = keygen(tmp_path / "key", "rsa", 2048, "open sesame", "-m", form).read_text()
    assert "ROLLBACK_SSH_KEY_PASSPHRASE" in refusal(text).hint


@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
def test_a_wrong_passphrase_is_refused_and_not_repeated(tmp_path: Path, form: str) -> None:
    text = keygen(tmp_path / "key", "rsa", 2048, "open sesame", "-m", form).read_text()
    error = refusal(text, "open barley")
    assert "ROLLBACK_SSH_KEY_PASSPHRASE" in error.hint
    assert "barley" not in str(error)


def test_a_public_key_is_refused_with_the_name_of_the_right_file(tmp_path: Path) -> None:
    path = keygen(tmp_path / "key")
    assert ".pub" in refusal(path.with_suffix(".pub").read_text()).hint


def test_a_putty_key_comes_with_the_command_that_converts_it() -> None:
    text = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: x\n"
    assert "puttygen" in refusal(text).hint


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_key_without_its_end_is_refused_with_the_command_that_stores_it(tmp_path: Path, keep: float) -> None:
    text = keygen(tmp_path / "key", "rsa", 2048).read_text()
    assert "gh secret set" in refusal(text[: int(len(text) * keep)]).hint


def test_a_key_without_line_breaks_is_refused_with_the_command_that_stores_it(tmp_path: Path) -> None:
    assert "gh secret set" in refusal(keygen(tmp_path / "key").read_text().replace("\n", " ")).hint


def test_a_damaged_key_is_refused_with_the_command_that_checks_it(tmp_path: Path) -> None:
    lines = keygen(tmp_path / "key", "rsa", 2048).read_text().splitlines()
    assert "ssh-keygen -y" in refusal("\n".join(lines[:10] + lines[11:])).hint


@pytest.mark.parametrize(
    "text", ["~/.ssh/id_ed25519", "hunter2", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"]
)
def test_text_that_is_not_a_key_is_refused_and_not_repeated(text: str) -> None:
    error = refusal(text)
    assert "ROLLBACK_SSH_KEY" in error.message
    assert text.splitlines()[0] not in str(error)


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_key_is_refused_with_the_name_of_its_variable(text: str) -> None:
    assert "ROLLBACK_SSH_KEY" in refusal(text).message


def test_an_rsa_key_that_hosts_no_longer_accept_is_refused_at_once() -> None:
    made = subprocess.run(["openssl", "genrsa", "-traditional", "1024"], check=True, capture_output=True, text=True)
    assert "1024" in refusal(made.stdout).message


def test_a_kind_of_key_that_is_not_supported_is_refused() -> None:
    curve = ["openssl", "ecparam", "-name", "secp256k1", "-genkey", "-noout"]
    text = subprocess.run(curve, check=True, capture_output=True, text=True).stdout
    assert "ssh-keygen -t ed25519" in refusal(text).hint


def test_a_fido_key_is_named_and_not_called_damaged() -> None:
    def field(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    kind = b"sk-ssh-ed25519@openssh.com"
    public = field(kind) + field(b"k" * 32) + field(b"ssh:")
    secret = b"\0\0\0\1" * 2 + public + b"\1" + field(b"handle") + field(b"") + field(b"comment")
    secret += bytes(range(1, 1 + -len(secret) % 8))
    whole = b"openssh-key-v1\0" + field(b"none") * 2 + field(b"") + b"\0\0\0\1" + field(public) + field(secret)
    text = base64.encodebytes(whole).decode()
    error = refusal(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}-----END OPENSSH PRIVATE KEY-----\n")
    assert kind.decode() in error.message
    assert "damaged" not in error.message


def test_a_way_of_encryption_that_is_not_supported_is_named(tmp_path: Path) -> None:
    cipher = "chacha20-poly1305@openssh.com"
    text = keygen(tmp_path / "key", "ed25519", 0, "open sesame", "-Z", cipher).read_text()
    assert cipher in refusal(text).message
    assert cipher in refusal(text, "open sesame").message
