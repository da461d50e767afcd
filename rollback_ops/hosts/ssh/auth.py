"""Authentication: offer our keys to a host, one after the other."""

from __future__ import annotations

from contextlib import closing

import paramiko
from paramiko import AuthenticationException, BadAuthenticationType, PKey

from rollback_ops.core.errors import AuthenticationFailed
from rollback_ops.core.text import listed, one_line
from rollback_ops.hosts.ssh.certificates import certificate_on, describe
from rollback_ops.hosts.ssh.identity import Hop, LoginIdentity

_LONGEST_BANNER = 300


class KeyAuthentication:
    """Authenticates on one hop. It has the interface of paramiko's ``AuthStrategy``."""

    def __init__(self, hop: Hop, identity: LoginIdentity) -> None:
        self._hop = hop
        self._identity = identity
        self._offered: list[PKey] = []
        self._banner = ""

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Log in. Raises ``AuthenticationFailed`` with the offered keys and the host's answer."""
        with closing(self._identity.keys(self._hop)) as keys:
            for key in keys:
                self._offered.append(key)
                if self._accepted(transport, key):
                    return
                if not transport.is_active():
                    break
        raise self._failure(cut_off=not transport.is_active())

    def _accepted(self, transport: paramiko.Transport, key: PKey) -> bool:
        try:
            still_wanted = transport.auth_publickey(self._hop.settings.user, key)
        except BadAuthenticationType as error:
            raise self._wants(error.allowed_types) from None
        except AuthenticationException:
            # Not get_banner: it returns nothing when the host has closed the connection, which is when it matters.
            said = getattr(transport.auth_handler, "banner", None) or b""
            self._banner = one_line(said.decode(errors="replace"), _LONGEST_BANNER, spaces=True).strip() or self._banner
            return False
        if still_wanted:
            raise self._wants(still_wanted)
        return True

    def _wants(self, methods: list[str]) -> AuthenticationFailed:
        message = f"{self._hop.label}: {self._hop.settings.user} has to log in with {', '.join(methods)} there"
        return AuthenticationFailed(message, "rollback-ops uses keys only: allow this user to log in with a key alone.")

    def _failure(self, *, cut_off: bool) -> AuthenticationFailed:
        label, user = self._hop.label, self._hop.settings.user
        if not self._offered:
            hint = "Set ROLLBACK_SSH_KEY, or load your key into ssh-agent: ssh-add"
            return self._failed(f"{label}: there is no key to log in with as {user}", hint)
        keys = ", ".join(map(describe, self._offered))
        if cut_off and self._banner:
            return self._failed(f"{label}: ended the login of {user}, and said: {self._banner}", f"Offered: {keys}.")
        said = f"The host said: {self._banner}" if self._banner else ""
        if cut_off:
            reason = "sshd's log on the host has the reason."
            tries = "It may be the number of keys (MaxAuthTries): set IdentityFile and IdentitiesOnly."
            hints = (reason, tries if len(self._offered) > 1 else "", said)
            return self._failed(f"{label}: closed the connection of {user} after {keys}", *hints)
        wanted = f"Is the public key in ~{user}/.ssh/authorized_keys there, or does the host want a certificate?"
        reason = "sshd's log on the host has the reason."
        return self._failed(f"{label}: did not accept {keys} for {user}", f"{wanted} {reason}", said)

    def _failed(self, message: str, *hints: str) -> AuthenticationFailed:
        told = (*map(self._certified, self._offered), *hints, *self._identity.unusable(self._hop))
        return AuthenticationFailed(message, "\n  ".join(filter(None, told)))

    def _certified(self, key: PKey) -> str:
        """Describe the certificate that the host did not accept."""
        certificate = certificate_on(key)
        if certificate is None:
            return ""
        if certificate.for_host:
            return f"The certificate is one for hosts: {certificate.describe()}."
        if trouble := certificate.out_of_time():
            return f"The certificate {trouble}: {certificate.describe()}."
        user = self._hop.settings.user
        if user not in certificate.principals:
            names = listed(certificate.principals)
            return f"The certificate is for {names}: without AuthorizedPrincipals, sshd wants {user} among them."
        return f"The certificate is signed by {certificate.authority_fingerprint}: is it in its TrustedUserCAKeys?"
