"""Secrets: from environment variables only, and never repeated in a message."""

from __future__ import annotations

import dataclasses

import pytest

from rollback_ops.config.secrets import Secrets
from tests.support.settings_files import complaint, holds

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
ENVIRON = {
    "ROLLBACK_SSH_KEY": KEY,
    "ROLLBACK_SSH_KEY_PASSPHRASE": "hunter2",
    "ROLLBACK_SSH_CERTIFICATE": "ssh-ed25519-cert-v01@openssh.com AAAA",
    "ROLLBACK_KNOWN_HOSTS": "bot1 ssh-ed25519 AAAAC3Nza",
    "ROLLBACK_WEBHOOK_URL": "https://hooks.example.org/T0/B0",
    "ROLLBACK_METRICS_TOKEN": "glsa_abcdef",
    "ROLLBACK_ADVISOR_KEY": "sk-abcdef",
    "GITHUB_TOKEN": "ghs_abcdef",
}


def test_secrets_are_read_from_their_variables_as_they_are() -> None:
    secrets = Secrets.read(ENVIRON)
    held = [getattr(secrets, field.name).get_secret_value() for field in dataclasses.fields(secrets)]
    assert held == list(ENVIRON.values())


def test_a_literal_backslash_n_ends_a_line_of_the_host_keys() -> None:
    secrets = Secrets.read({"ROLLBACK_KNOWN_HOSTS": "a ssh-ed25519 AAAA\\r\\nb ssh-ed25519 BBBB\\n"})
    assert secrets.known_hosts is not None
    assert secrets.known_hosts.get_secret_value() == "a ssh-ed25519 AAAA\nb ssh-ed25519 BBBB\n"


@pytest.mark.parametrize("variable", ENVIRON)
def test_a_byte_order_mark_is_not_part_of_a_secret(variable: str) -> None:
    marked = {**ENVIRON, variable: "\ufeff" + ENVIRON[variable]}
    assert Secrets.read(marked) == Secrets.read(ENVIRON)


def test_secrets_show_nothing_of_themselves() -> None:
    secrets = Secrets.read(ENVIRON)
    for shown in (repr(secrets), str(secrets), f"{secrets}", str(dataclasses.asdict(secrets))):
        assert not any(value.strip() in shown for value in ENVIRON.values())


def test_an_empty_variable_holds_no_secret() -> None:
    assert Secrets.read(dict.fromkeys(ENVIRON, " \n")) == Secrets.read({}) == Secrets()


def test_secrets_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Secrets().token = None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("toml", "place", "variable"),
    [
        ("ssh_key = 'hunter2'", "ssh_key", "ROLLBACK_SSH_KEY"),
        ("[services.s]\nroot = '/s'\nwebhook_url = 'hunter2'", "services.s.webhook_url", "ROLLBACK_WEBHOOK_URL"),
        ("[environments.prod]\nknown-hosts = 'hunter2'", "environments.prod.known-hosts", "ROLLBACK_KNOWN_HOSTS"),
        ("[environments.prod]\nROLLBACK_SSH_KEY = 'hunter2'", "environments.prod.ROLLBACK_SSH_KEY", "ROLLBACK_SSH_KEY"),
        ("[github]\nauth = { token = 'hunter2' }", "github.auth.token", "GITHUB_TOKEN"),
        ("[[deploy.keys]]\nssh_key = 'hunter2'", "deploy.keys[0].ssh_key", "ROLLBACK_SSH_KEY"),
        ("github_token = 'hunter2'", "github_token", "GITHUB_TOKEN"),
        ("[ssh]\nssh_key_passphrase = 'hunter2'", "ssh.ssh_key_passphrase", "ROLLBACK_SSH_KEY_PASSPHRASE"),
    ],
)
def test_a_secret_in_the_file_is_refused_without_being_repeated(toml: str, place: str, variable: str) -> None:
    message = complaint(toml)
    assert holds(message, f"rollback.toml: {place} … {variable}")
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "toml",
    [
        "[services.s]\nroot = '/s'\npassword = 'hunter2'",
        "[environments.prod]\nurl = 'https://me:hunter2@example.org'",
        "[environments.prod]\nurl = 'https://hunter2@example.org'",
        "[environments.prod]\nhosts = ['me:hunter2@example.org']",
        "[services.s]\nroot = '''-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2'''",
        "[services.s]\nroot = 'ghp_hunter2'",
        "[services.s]\nroot = '/s'\n[services.s.checks.c]\nkind = 'http'\nurl = 'http://a'\n"
        'headers = { Authorization = "hunter2\\n" }',
        "ssh_key = hunter2",
        "a = 'https://me:hunter2@example.org",
        '[services.s]\nsecret_key = """-----BEGIN\nhunter2\n\\q"""',
    ],
)
def test_text_that_looks_like_a_secret_is_not_repeated_in_any_message(toml: str) -> None:
    message = complaint(toml)
    assert "hunter2" not in message
    assert "not shown" in message


def test_every_secret_and_the_path_of_the_webhook_is_redacted_but_no_host_key() -> None:
    given = {
        "ROLLBACK_SSH_KEY": "key",
        "ROLLBACK_SSH_KEY_PASSPHRASE": "passphrase",
        "ROLLBACK_SSH_CERTIFICATE": "ssh-ed25519-cert-v01@openssh.com AAAA",
        "ROLLBACK_KNOWN_HOSTS": "bot1 ssh-ed25519 AAAA",
        "ROLLBACK_WEBHOOK_URL": "https://hooks.example.org/services/T0/B0/x",
        "GITHUB_TOKEN": "token",
    }
    url = given["ROLLBACK_WEBHOOK_URL"]
    assert Secrets.read(given).texts() == ("key", "passphrase", url, "token", "services/T0/B0/x")
    assert Secrets.read({"ROLLBACK_WEBHOOK_URL": "https://example.org/hook"}).texts() == ("https://example.org/hook",)
    assert Secrets.read({}).texts() == ()
