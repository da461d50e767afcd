"""Host keys: which are accepted, and how the others are refused."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from paramiko import PKey

from rollback_ops.core.errors import HostUntrusted, UsageError
from rollback_ops.hosts.ssh.host_keys import KnownHosts
from rollback_ops.hosts.ssh.keys import load_key
from rollback_ops.hosts.ssh.known_hosts import KnownLines, name_in_known_hosts, parse_known_hosts
from tests.support.sshd import fingerprint_by_openssh, keygen


class Key:
    def __init__(self, path: Path) -> None:
        self.fingerprint = fingerprint_by_openssh(path)
        self.line = " ".join(path.with_suffix(".pub").read_text().split()[:2])
        self.key: PKey = load_key(path.read_text())


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Key]:
    folder = tmp_path_factory.mktemp("keys")
    made = {"ed25519": ("ed25519", 0), "other": ("ed25519", 0), "rsa": ("rsa", 2048), "ecdsa": ("ecdsa", 256)}
    return {name: Key(keygen(folder / name, *kind)) for name, kind in made.items()}


def verdict(text: str, host: str, offered: Key, port: int = 22) -> HostUntrusted | None:
    try:
        KnownHosts.from_text(text).about(name_in_known_hosts(host, port)).verify(offered.key, host)
    except HostUntrusted as error:
        return error
    return None


@pytest.mark.parametrize(
    ("patterns", "host", "port"),
    [
        ("bot1.example.org", "bot1.example.org", 22),
        ("BOT1.example.org", "Bot1.Example.org", 22),
        ("other,bot1.example.org,192.0.2.7", "bot1.example.org", 22),
        ("*.example.org", "bot1.example.org", 22),
        ("bot?.example.org", "bot1.example.org", 22),
        ("[bot1.example.org]:2222", "bot1.example.org", 2222),
        ("[*.example.org]:2222", "bot1.example.org", 2222),
        ("[::1]:2222", "::1", 2222),
        ("::1", "::1", 22),
    ],
)
def test_a_line_that_matches_the_host_makes_its_key_known(
    keys: dict[str, Key], patterns: str, host: str, port: int
) -> None:
    assert verdict(f"{patterns} {keys['ed25519'].line}", host, keys["ed25519"], port) is None


@pytest.mark.parametrize(
    ("patterns", "host", "port"),
    [
        ("bot1.example.org", "bot2.example.org", 22),
        ("bot1.example.org", "bot1.example.org", 2222),
        ("[bot1.example.org]:2222", "bot1.example.org", 22),
        ("*.example.org,!bot1.example.org", "bot1.example.org", 22),
        ("*.example.org", "bot1xexample.org", 22),
        ("[bot1.example.org]:2222", "b", 22),
    ],
)
def test_a_line_that_matches_other_hosts_does_not(keys: dict[str, Key], patterns: str, host: str, port: int) -> None:
    assert verdict(f"{patterns} {keys['ed25519'].line}", host, keys["ed25519"], port) is not None


@pytest.mark.parametrize(("host", "port"), [("bot1.example.org", 22), ("bot1.example.org", 2222), ("192.0.2.7", 22)])
def test_names_that_openssh_hashed_are_recognised(tmp_path: Path, keys: dict[str, Key], host: str, port: int) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"{name_in_known_hosts(host, port)} {keys['ed25519'].line}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert host not in file.read_text()
    assert verdict(file.read_text(), host, keys["ed25519"], port) is None
    assert verdict(file.read_text(), "elsewhere", keys["ed25519"], port) is not None


def test_windows_line_ends_comments_and_empty_lines_are_fine(keys: dict[str, Key]) -> None:
    text = f"# bot1:22 SSH-2.0\r\n\r\n  bot1 {keys['ed25519'].line} a comment\r\n"
    assert verdict(text, "bot1", keys["ed25519"]) is None


def test_an_unknown_key_is_refused_with_its_fingerprint_and_the_line_that_accepts_it(keys: dict[str, Key]) -> None:
    refused = verdict(f"bot2 {keys['other'].line}", "bot1", keys["ed25519"], 2222)
    assert refused is not None
    assert keys["ed25519"].fingerprint in refused.message
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in refused.hint
    assert "ssh-keyscan -t ed25519 -p 2222 bot1" in refused.hint
    line = next(line.strip() for line in refused.hint.splitlines() if line.strip().startswith("[bot1]:2222 "))
    assert verdict(line, "bot1", keys["ed25519"], 2222) is None


def test_a_changed_key_is_refused_with_both_fingerprints_and_the_place_of_the_old_line(keys: dict[str, Key]) -> None:
    refused = verdict(f"# mine\nbot1 {keys['ed25519'].line}", "bot1", keys["other"])
    assert refused is not None
    assert keys["other"].fingerprint in refused.message
    assert keys["ed25519"].fingerprint in refused.message
    assert "ROLLBACK_KNOWN_HOSTS line 2" in refused.message
    assert keys["other"].line in refused.hint


def test_a_key_of_a_type_that_is_not_listed_is_not_the_expected_one(keys: dict[str, Key]) -> None:
    refused = verdict(f"bot1 {keys['rsa'].line}", "bot1", keys["ecdsa"])
    assert refused is not None
    assert keys["rsa"].fingerprint in refused.message
    assert "ssh_host_ecdsa_key.pub" in refused.hint


def test_any_of_several_keys_of_one_host_is_accepted(keys: dict[str, Key]) -> None:
    text = f"bot1 {keys['rsa'].line}\nbot1 {keys['other'].line}\nbot1 {keys['ed25519'].line}"
    assert verdict(text, "bot1", keys["ed25519"]) is None


def test_a_revoked_key_is_refused_even_where_it_is_also_listed(keys: dict[str, Key]) -> None:
    text = f"bot1 {keys['ed25519'].line}\n@revoked * {keys['ed25519'].line}"
    refused = verdict(text, "bot1", keys["ed25519"])
    assert refused is not None
    assert all(text in refused.message for text in ("revoked", "ROLLBACK_KNOWN_HOSTS line 2"))
    assert keys["ed25519"].fingerprint in refused.message
    assert keys["ed25519"].line not in refused.hint


def test_a_revoked_key_does_not_affect_the_others(keys: dict[str, Key]) -> None:
    text = f"@revoked * {keys['other'].line}\nbot1 {keys['ed25519'].line}"
    assert verdict(text, "bot1", keys["ed25519"]) is None


def test_the_host_is_asked_for_a_key_of_a_type_that_is_known(keys: dict[str, Key]) -> None:
    algorithms = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
    known = KnownHosts.from_text(f"bot1 {keys['rsa'].line}\nbot2 {keys['ecdsa'].line}")
    assert known.about("bot1").preferred(algorithms)[:2] == ("rsa-sha2-512", "rsa-sha2-256")
    assert known.about("bot2").preferred(algorithms)[0] == "ecdsa-sha2-nistp256"
    assert known.about("bot3").preferred(algorithms) == algorithms


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("bot1 ssh-ed25519 AAAA!", "base64"),
        ("bot1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=", "base64"),
        ("bot1 ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA==", "'ssh-rsa'"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", ""),
        ("@trusted bot1 ssh-ed25519 AAAA", "'@trusted'"),
        ("@cert-authority * sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t", "FIDO"),
    ],
)
def test_a_line_that_cannot_be_used_is_a_usage_error_with_its_number(
    keys: dict[str, Key], line: str, shown: str
) -> None:
    with pytest.raises(UsageError, match="ROLLBACK_KNOWN_HOSTS line 3") as caught:
        KnownHosts.from_text(f"# mine\nbot1 {keys['ed25519'].line}\n{line}\n")
    assert shown in caught.value.message


def test_a_text_without_any_key_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="ROLLBACK_KNOWN_HOSTS"):
        KnownHosts.from_text("# nothing yet\n")


def test_invalid_lines_in_the_users_own_files_are_skipped(tmp_path: Path, keys: dict[str, Key]) -> None:
    home, system = tmp_path / "home", tmp_path / "etc"
    (home / ".ssh").mkdir(parents=True)
    system.mkdir()
    (home / ".ssh/known_hosts").write_text(f"garbage\n@cert-authority * {keys['rsa'].line}\nbot1 {keys['rsa'].line}\n")
    (system / "ssh_known_hosts").write_text(f"bot2 {keys['ed25519'].line}\n")
    trust = KnownHosts.of_person(home, system)
    trust.about("bot1").verify(keys["rsa"].key, "bot1")
    trust.about("bot2").verify(keys["ed25519"].key, "bot2")
    with pytest.raises(HostUntrusted, match=re.escape(keys["rsa"].fingerprint)) as caught:
        trust.about("bot3").verify(keys["rsa"].key, "bot3")
    assert "HostCertificate" in caught.value.hint
    assert str(home / ".ssh/known_hosts") in caught.value.hint


def test_a_known_hosts_file_of_the_ssh_configuration_replaces_the_users_own(
    tmp_path: Path, keys: dict[str, Key]
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").write_text(f"bot1 {keys['rsa'].line}\n")
    (tmp_path / "special").write_text(f"bot1 {keys['ed25519'].line}\n")
    trust = KnownHosts.of_person(tmp_path, tmp_path / "none")
    trust.about("bot1", [tmp_path / "special"]).verify(keys["ed25519"].key, "bot1")
    with pytest.raises(HostUntrusted):
        trust.about("bot1", [tmp_path / "special"]).verify(keys["rsa"].key, "bot1")


def test_lines_are_found_by_name_whatever_stands_between_them(keys: dict[str, Key]) -> None:
    patterns = ["a", "b,a", "*.example", "!a,a*", "A", "c", "[a]:2222", "b", "a*"]
    known = KnownLines(parse_known_hosts("".join(f"{each} {keys['rsa'].line}\n" for each in patterns), "here"))
    for name in ("a", "b", "c", "d", "[a]:2222", "x.example"):
        assert [line for line in known.near([name]) if line.matches(name)] == [
            line for line in known if line.matches(name)
        ]
    assert [line.patterns for line in known.near(["c"])] == [("*.example",), ("!a", "a*"), ("c",), ("a*",)]
