"""Authentication: offer our keys to a host, one after the other."""

from __future__ import annotations

from contextlib import closing

import paramiko
from paramiko import AuthenticationException, BadAuthenticationType, PKey

from rollback_ops.core.errors import AuthenticationFailed
from rollback_ops.hosts.ssh.identity import Hop, Identity
from rollback_ops.hosts.ssh.keys import describe


class KeyAuthentication:
    """Authenticates on one hop. It has the interface of paramiko's ``AuthStrategy``."""

    def __init__(self, hop: Hop, identity: Identity) -> None:
        self._hop = hop
        self._identity = identity

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Log in. Raises ``AuthenticationFailed`` with the keys that were offered."""
        offered: list[str] = []
        with closing(self._identity.keys(self._hop)) as keys:
            for key in keys:
                offered.append(describe(key))
                if self._accepted(transport, key):
                    return
                if not transport.is_active():
                    break
        raise self._refused(offered, cut_off=not transport.is_active())

    def _accepted(self, transport: paramiko.Transport, key: PKey) -> bool:
        try:
            still_wanted = transport.auth_publickey(self._hop.settings.user, key)
        except BadAuthenticationType as error:
            raise self._wants(error.allowed_types) from None
        except AuthenticationException:
            return False
        if still_wanted:
            raise self._wants(still_wanted)
        return True

    def _wants(self, methods: list[str]) -> AuthenticationFailed:
        message = f"{self._hop.label}: {self._hop.settings.user} has to log in with {', '.join(methods)} there"
        return AuthenticationFailed(message, "rollback-ops uses keys only: allow this user to log in with a key alone.")

    def _refused(self, offered: list[str], *, cut_off: bool) -> AuthenticationFailed:
        user, problems = self._hop.settings.user, self._identity.unusable(self._hop)
        if not offered:
            hints = [*problems, "Set ROLLBACK_SSH_KEY, or load your key into ssh-agent: ssh-add"]
            return AuthenticationFailed(
                f"{self._hop.label}: there is no key to log in with as {user}", "\n  ".join(hints)
            )
        hints = [
            f"Add the public key to ~{user}/.ssh/authorized_keys on the host; sshd's log has the reason.",
            *problems,
        ]
        if cut_off and len(offered) > 1:
            hints.append("The host closed the connection after these keys: set IdentityFile and IdentitiesOnly.")
        message = f"{self._hop.label}: {user} may not log in with {', '.join(offered)}"
        return AuthenticationFailed(message, "\n  ".join(hints))
