"""Private keys from text: every kind that works, and what is said of the ones that do not."""

from __future__ import annotations

import subprocess
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
def test_a_key_in_openssh_form_is_the_one_that_ssh_keygen_sees(
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
def test_a_key_that_was_stored_carelessly_still_works(tmp_path: Path, change) -> None:
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
def test_a_wrong_passphrase_is_said_to_be_wrong_and_is_not_repeated(tmp_path: Path, form: str) -> None:
    text = keygen(tmp_path / "key", "rsa", 2048, "open sesame", "-m", form).read_text()
    error = refusal(text, "open barley")
    assert "passphrase is wrong" in error.message
    assert "barley" not in str(error)


def test_a_public_key_is_called_one(tmp_path: Path) -> None:
    path = keygen(tmp_path / "key")
    assert "public key" in refusal(path.with_suffix(".pub").read_text()).message


def test_a_putty_key_comes_with_the_command_that_converts_it() -> None:
    text = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: x\n"
    assert "puttygen" in refusal(text).hint


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_key_without_its_end_is_said_to_be_cut_off(tmp_path: Path, keep: float) -> None:
    text = keygen(tmp_path / "key", "rsa", 2048).read_text()
    assert "cut off" in refusal(text[: int(len(text) * keep)]).message


def test_a_key_in_one_line_is_said_to_have_lost_its_line_breaks(tmp_path: Path) -> None:
    assert "line breaks" in refusal(keygen(tmp_path / "key").read_text().replace("\n", " ")).hint


def test_a_key_with_a_line_missing_is_said_to_be_damaged(tmp_path: Path) -> None:
    lines = keygen(tmp_path / "key", "rsa", 2048).read_text().splitlines()
    assert "damaged" in refusal("\n".join(lines[:10] + lines[11:])).message


@pytest.mark.parametrize(
    "text", ["~/.ssh/id_ed25519", "hunter2", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"]
)
def test_what_is_no_key_at_all_is_refused_without_being_repeated(text: str) -> None:
    error = refusal(text)
    assert "does not hold a private key" in error.message
    assert text.splitlines()[0] not in str(error)


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_key_is_said_to_be_empty(text: str) -> None:
    assert "is empty" in refusal(text).message


def test_an_rsa_key_that_hosts_no_longer_accept_is_refused_at_once() -> None:
    made = subprocess.run(["openssl", "genrsa", "-traditional", "1024"], check=True, capture_output=True, text=True)
    assert "1024 bits" in refusal(made.stdout).message


def test_a_kind_of_key_that_is_not_supported_is_refused() -> None:
    curve = ["openssl", "ecparam", "-name", "secp256k1", "-genkey", "-noout"]
    text = subprocess.run(curve, check=True, capture_output=True, text=True).stdout
    assert "not supported" in refusal(text).message
