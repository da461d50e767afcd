"""Certificates of users and of hosts, made by OpenSSH's ssh-keygen, against OpenSSH's own server."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rollback_ops.core.errors import AuthenticationFailed, HostUntrusted, UsageError
from rollback_ops.hosts.ssh.host_keys import KnownHosts
from rollback_ops.hosts.ssh.identity import LoginIdentity
from rollback_ops.hosts.ssh.transport import SshTransport
from tests.support.sshd import USER, Sshd, fingerprint_by_openssh, keygen

NOWHERE = Path("/nonexistent")
KINDS = {"ed25519": ("ed25519", 0), "rsa": ("rsa", 2048), "ecdsa": ("ecdsa", 256)}


class Authority:
    """A certificate authority. ``sign`` writes the certificate next to the key, and returns its file."""

    def __init__(self, path: Path, kind: str = "ed25519", bits: int = 0) -> None:
        self.path = keygen(path, kind, bits)
        self.public = path.with_suffix(".pub").read_text()

    def sign(self, key: Path, principals: str, *options: str, valid: str = "-1h:+1h") -> Path:
        about = ["-I", f"{key.name} of the test", "-n", principals, "-V", valid, *options]
        command = ["ssh-keygen", "-q", "-s", str(self.path), *about, str(key.with_suffix(".pub"))]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return key.with_name(f"{key.name}-cert.pub")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca") / "ca")


@pytest.fixture(scope="module")
def certified_only(start_sshd: Callable[..., Sshd], authority: Authority) -> Sshd:
    """A server that knows no key of ours, and accepts what the authority certifies. It revoked one key."""
    revoked = keygen(authority.path.with_name("revoked"))
    trusted = f"TrustedUserCAKeys {authority.path}.pub"
    return start_sshd(trusted, "AuthorizedKeysFile none", f"RevokedKeys {revoked}.pub")


def says(transport: SshTransport) -> list[str]:
    lines: list[str] = []
    try:
        transport.execute("echo in", lines.append, 10)
    finally:
        transport.close()
    return lines


def with_certificate(server: Sshd, key: Path, certificate: Path) -> SshTransport:
    identity = LoginIdentity.from_text(key.read_text(), certificate=certificate.read_text())
    return SshTransport(server.address, (), identity, KnownHosts.from_text(server.known_hosts()))


def refused(transport: SshTransport) -> AuthenticationFailed:
    with pytest.raises(AuthenticationFailed) as caught:
        says(transport)
    return caught.value


# Ours


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_logs_in_where_no_key_is_known(
    certified_only: Sshd, authority: Authority, tmp_path: Path, kind: str
) -> None:
    key = keygen(tmp_path / "key", *KINDS[kind])
    assert says(with_certificate(certified_only, key, authority.sign(key, USER))) == ["in"]


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_an_authority_may_have_any_kind_of_key(start_sshd: Callable[..., Sshd], tmp_path: Path, kind: str) -> None:
    other, key = Authority(tmp_path / "ca", *KINDS[kind]), keygen(tmp_path / "key")
    server = start_sshd(f"TrustedUserCAKeys {other.path}.pub", "AuthorizedKeysFile none")
    assert says(with_certificate(server, key, other.sign(key, USER))) == ["in"]


def test_a_key_is_offered_alone_where_its_certificate_is_not_accepted(
    sshd: Sshd, authority: Authority, client_keys: dict[str, Path], tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(client_keys["ed25519"].read_text())
    key.with_suffix(".pub").write_text(client_keys["ed25519"].with_suffix(".pub").read_text())
    assert says(with_certificate(sshd, key, authority.sign(key, "somebody-else"))) == ["in"]


def test_a_host_that_wants_a_certificate_is_not_said_to_lack_the_key(
    certified_only: Sshd, client_keys: dict[str, Path]
) -> None:
    identity = LoginIdentity.from_text(client_keys["ed25519"].read_text())
    known = KnownHosts.from_text(certified_only.known_hosts())
    error = refused(SshTransport(certified_only.address, (), identity, known))
    assert fingerprint_by_openssh(client_keys["ed25519"]) in error.message
    assert "certificate" in error.hint


@pytest.mark.parametrize(
    ("principals", "valid", "words"),
    [
        (USER, "-2h:-1h", "expired"),
        (USER, "+1h:+2h", "not valid before"),
        ("somebody-else", "-1h:+1h", "somebody-else"),
    ],
)
def test_a_certificate_that_cannot_be_accepted_is_named_with_what_is_wrong_with_it(
    certified_only: Sshd, authority: Authority, tmp_path: Path, principals: str, valid: str, words: str
) -> None:
    key = keygen(tmp_path / "key")
    error = refused(with_certificate(certified_only, key, authority.sign(key, principals, valid=valid)))
    assert words in error.hint
    assert fingerprint_by_openssh(key) in error.message


def test_a_certificate_of_another_authority_is_named_with_its_authority(certified_only: Sshd, tmp_path: Path) -> None:
    other, key = Authority(tmp_path / "other"), keygen(tmp_path / "key")
    error = refused(with_certificate(certified_only, key, other.sign(key, USER)))
    assert fingerprint_by_openssh(other.path) in error.hint


def test_a_certificate_that_the_host_revoked_is_refused(certified_only: Sshd, authority: Authority) -> None:
    key = authority.path.with_name("revoked")
    error = refused(with_certificate(certified_only, key, authority.sign(key, USER)))
    assert fingerprint_by_openssh(key) in error.message


def test_a_certificate_of_another_key_is_a_usage_error_with_both_keys(authority: Authority, tmp_path: Path) -> None:
    key, other = keygen(tmp_path / "key"), keygen(tmp_path / "other")
    certificate = authority.sign(other, USER)
    with pytest.raises(UsageError, match="ROLLBACK_SSH_CERTIFICATE") as caught:
        LoginIdentity.from_text(key.read_text(), certificate=certificate.read_text())
    assert all(fingerprint_by_openssh(each) in caught.value.hint for each in (key, other))


@pytest.mark.parametrize("text", ["", "{public}", "{half}", "hunter2"])
def test_text_that_is_no_certificate_is_a_usage_error(authority: Authority, tmp_path: Path, text: str) -> None:
    key = keygen(tmp_path / "key")
    whole = authority.sign(key, USER).read_text()
    given = text.format(public=key.with_suffix(".pub").read_text(), half=whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="ROLLBACK_SSH_CERTIFICATE"):
        LoginIdentity.from_text(key.read_text(), certificate=given or " ")


def test_a_certificate_in_place_of_the_key_is_a_usage_error_with_its_variable(
    authority: Authority, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="certificate") as caught:
        LoginIdentity.from_text(authority.sign(keygen(tmp_path / "key"), USER).read_text())
    assert "ROLLBACK_SSH_CERTIFICATE" in caught.value.hint


# Ours, in files and in the agent


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certified_only: Sshd) -> Path:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").write_text(certified_only.known_hosts())
    return tmp_path


def person(home: Path, server: Sshd) -> SshTransport:
    return SshTransport(server.address, (), LoginIdentity.of_person(home, NOWHERE), KnownHosts.of_person(home, NOWHERE))


@pytest.mark.parametrize("name", ["id_ed25519", "id_rsa"])
def test_the_certificate_next_to_a_key_file_is_used(
    home: Path, certified_only: Sshd, authority: Authority, name: str
) -> None:
    authority.sign(keygen(home / f".ssh/{name}", *KINDS[name.removeprefix("id_")]), USER)
    assert says(person(home, certified_only)) == ["in"]


def test_the_certificate_that_the_configuration_names_is_used(
    home: Path, certified_only: Sshd, authority: Authority
) -> None:
    signed = authority.sign(keygen(home / ".ssh/id_ed25519"), USER)
    signed.rename(home / "short-lived.pub")
    (home / ".ssh/config").write_text("CertificateFile ~/short-lived.pub\n")
    assert says(person(home, certified_only)) == ["in"]


def test_a_certificate_that_cannot_be_read_is_named(home: Path, certified_only: Sshd, authority: Authority) -> None:
    signed = authority.sign(keygen(home / ".ssh/id_ed25519"), USER)
    signed.write_text("not one\n")
    assert str(signed) in refused(person(home, certified_only)).hint


@pytest.mark.parametrize("kind", KINDS)
def test_the_agents_certificates_are_used_and_its_keys_still_are(
    home: Path,
    certified_only: Sshd,
    sshd: Sshd,
    authority: Authority,
    client_keys: dict[str, Path],
    agent: Callable[[Path], None],
    kind: str,
) -> None:
    key = home / "key"
    for source, place in ((client_keys[kind], key), (client_keys[kind].with_suffix(".pub"), key.with_suffix(".pub"))):
        place.write_text(source.read_text())
    key.chmod(0o600)
    authority.sign(key, USER)
    agent(key)
    (home / ".ssh/known_hosts").write_text(certified_only.known_hosts() + sshd.known_hosts())
    assert says(person(home, certified_only)) == ["in"]
    assert says(person(home, sshd)) == ["in"]


# The host's


CertifiedHost = Callable[..., tuple[Sshd, Path]]


@pytest.fixture(scope="module")
def certified_host(
    start_sshd: Callable[..., Sshd], authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> CertifiedHost:
    """Start a server whose host key has a certificate: ``start(principals, valid=…)``."""

    def start(
        principals: str, *options: str, valid: str = "-1h:+1h", kind: str = "ed25519", by: Authority = authority
    ) -> tuple[Sshd, Path]:
        key = keygen(tmp_path_factory.mktemp("host") / "host", *KINDS[kind])
        certificate = by.sign(key, principals, "-h", *options, valid=valid)
        return start_sshd(f"HostKey {key}", f"HostCertificate {certificate}", host_key_kinds=()), key

    return start


def trusting(server: Sshd, identity: LoginIdentity, *lines: str) -> SshTransport:
    return SshTransport(server.address, (), identity, KnownHosts.from_text("\n".join(lines)))


def distrust(transport: SshTransport) -> HostUntrusted:
    with pytest.raises(HostUntrusted) as caught:
        says(transport)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_is_known_by_the_certificate_of_a_listed_authority(
    certified_host: CertifiedHost, authority: Authority, identity: LoginIdentity, kind: str
) -> None:
    server, _ = certified_host("bot1,127.0.0.1", kind=kind)
    assert says(trusting(server, identity, f"@cert-authority 127.0.0.* {authority.public}")) == ["in"]
    assert says(trusting(server, identity, f"@cert-authority [127.0.0.1]:{server.port} {authority.public}")) == ["in"]


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_hosts_authority_may_have_any_kind_of_key(
    certified_host: CertifiedHost, identity: LoginIdentity, tmp_path: Path, kind: str
) -> None:
    other = Authority(tmp_path / "ca", *KINDS[kind])
    server, _ = certified_host("127.0.0.*", by=other)
    assert says(trusting(server, identity, f"@cert-authority * {other.public}")) == ["in"]


@pytest.mark.parametrize(
    ("principals", "valid", "words"),
    [
        ("127.0.0.1", "-2h:-1h", "expired"),
        ("127.0.0.1", "+1h:+2h", "not valid before"),
        ("bot2.example.org", "-1h:+1h", "bot2.example.org"),
    ],
)
def test_a_host_certificate_that_proves_nothing_is_refused_with_what_is_wrong_with_it(
    certified_host: CertifiedHost,
    authority: Authority,
    identity: LoginIdentity,
    principals: str,
    valid: str,
    words: str,
) -> None:
    server, key = certified_host(principals, valid=valid)
    error = distrust(trusting(server, identity, f"@cert-authority * {authority.public}"))
    assert words in error.message
    assert fingerprint_by_openssh(key) in error.hint
    assert "Accepted" not in server.logged()


def test_a_host_certificate_of_another_authority_is_refused_with_both(
    certified_host: CertifiedHost, authority: Authority, identity: LoginIdentity, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    server, _ = certified_host("127.0.0.1", by=other)
    error = distrust(trusting(server, identity, f"@cert-authority * {authority.public}"))
    assert all(fingerprint_by_openssh(each.path) in error.message for each in (other, authority))


def test_a_signature_with_sha_1_is_refused(
    certified_host: CertifiedHost, identity: LoginIdentity, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "ca", "rsa", 2048)
    server, _ = certified_host("127.0.0.1", "-t", "ssh-rsa", by=other)
    assert "SHA-1" in distrust(trusting(server, identity, f"@cert-authority * {other.public}")).message


@pytest.mark.parametrize("revoked", ["key", "authority"])
def test_a_host_whose_key_or_authority_is_revoked_is_refused(
    certified_host: CertifiedHost, authority: Authority, identity: LoginIdentity, revoked: str
) -> None:
    server, key = certified_host("127.0.0.1")
    public = key.with_suffix(".pub").read_text() if revoked == "key" else authority.public
    error = distrust(trusting(server, identity, f"@cert-authority * {authority.public}", f"@revoked * {public}"))
    assert "revoked" in error.message


def test_a_known_key_needs_no_valid_certificate(
    certified_host: CertifiedHost, authority: Authority, identity: LoginIdentity
) -> None:
    server, key = certified_host("elsewhere", valid="-2h:-1h")
    line = f"[127.0.0.1]:{server.port} {key.with_suffix('.pub').read_text()}"
    assert says(trusting(server, identity, line)) == ["in"]
    assert says(trusting(server, identity, line, f"@cert-authority * {authority.public}")) == ["in"]


def test_an_authority_of_other_hosts_proves_nothing(
    certified_host: CertifiedHost, authority: Authority, identity: LoginIdentity
) -> None:
    server, key = certified_host("127.0.0.1")
    error = distrust(trusting(server, identity, f"@cert-authority *.example.org {authority.public}"))
    assert fingerprint_by_openssh(key) in error.message


def test_an_authority_does_not_make_its_own_key_a_host_key(
    start_sshd: Callable[..., Sshd], authority: Authority, identity: LoginIdentity
) -> None:
    server = start_sshd(f"HostKey {authority.path}", host_key_kinds=())
    error = distrust(trusting(server, identity, f"@cert-authority * {authority.public}"))
    assert "HostCertificate" in error.hint
