"""The secrets of one command. They come only from environment variables, and never appear in a repr."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from rollback_ops.core.frozen import frozen

_VARIABLES = {
    "ssh_key": "ROLLBACK_SSH_KEY",
    "ssh_key_passphrase": "ROLLBACK_SSH_KEY_PASSPHRASE",
    "ssh_certificate": "ROLLBACK_SSH_CERTIFICATE",
    "known_hosts": "ROLLBACK_KNOWN_HOSTS",
    "webhook_url": "ROLLBACK_WEBHOOK_URL",
    "metrics_token": "ROLLBACK_METRICS_TOKEN",
    "advisor_key": "ROLLBACK_ADVISOR_KEY",
    "token": "GITHUB_TOKEN",
}

# A shorter path of an address is not a secret.
_SHORTEST_PATH = 8


@frozen
class Secrets:
    """The contents of the secrets, not paths of files. None: not given."""

    ssh_key: SecretStr | None = None
    ssh_key_passphrase: SecretStr | None = None
    ssh_certificate: SecretStr | None = None
    known_hosts: SecretStr | None = None
    webhook_url: SecretStr | None = None
    metrics_token: SecretStr | None = None
    advisor_key: SecretStr | None = None
    token: SecretStr | None = None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Secrets:
        """Read the secrets from ``environ``. A blank variable counts as not given.

        A literal ``\\n`` in host keys and certificates ends a line: some secret stores keep line breaks like that.
        """
        given = {field: environ.get(variable, "").removeprefix("\ufeff") for field, variable in _VARIABLES.items()}
        for field in ("known_hosts", "ssh_certificate"):
            given[field] = given[field].replace("\\r", "").replace("\\n", "\n")
        return cls(**{field: SecretStr(text) for field, text in given.items() if text.strip()})

    def texts(self) -> tuple[str, ...]:
        """Return the texts to redact: every secret, and the path of the webhook's URL.

        Host keys and certificates are public.
        """
        hidden = (
            self.ssh_key,
            self.ssh_key_passphrase,
            self.webhook_url,
            self.metrics_token,
            self.advisor_key,
            self.token,
        )
        whole = [each.get_secret_value() for each in hidden if each]
        address = self.webhook_url.get_secret_value() if self.webhook_url else ""
        path = address.strip().partition("://")[2].partition("/")[2]
        return (*whole, path) if len(path) >= _SHORTEST_PATH else tuple(whole)


def variable_of(key: str) -> str:
    """Return the variable for a key that names a secret, like ``ssh-key``. Empty when the key names none."""
    plain = key.lower().replace("-", "_").removeprefix("rollback_").removeprefix("github_")
    return _VARIABLES.get(plain, "")
