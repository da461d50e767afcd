"""The route to a host, and the keys that are offered on it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from paramiko import Agent, PKey, SSHException

from rollback_ops.core.errors import UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.hosts.ssh.address import SSH_PORT, parse_address
from rollback_ops.hosts.ssh.certificates import SUFFIX, Certificate, describe, of_agent
from rollback_ops.hosts.ssh.config import HostSettings, OpenSshConfig
from rollback_ops.hosts.ssh.keys import PassphraseNeeded, fingerprint, load_key
from rollback_ops.hosts.ssh.known_hosts import name_in_known_hosts

_LONGEST_ROUTE = 8
_GIVEN = "ROLLBACK_SSH_CERTIFICATE"
_DEFAULT_FILES = ("id_ed25519", "id_ecdsa", "id_rsa")


@frozen
class Hop:
    """One connection of a route. ``label`` is the host as it is written in the settings."""

    label: str
    settings: HostSettings

    @property
    def known_as(self) -> str:
        """Its name in known_hosts."""
        return self.settings.host_key_alias or name_in_known_hosts(self.settings.host, self.settings.port)


class LoginIdentity:
    """One given key, or the user's OpenSSH configuration, keys and ssh-agent. Threads may share it.

    ``given`` are the given key's forms: with its certificate, and alone.
    """

    def __init__(self, given: tuple[PKey, ...], config: OpenSshConfig, home: Path | None = None) -> None:
        self._given = given
        self._config = config
        self._home = home
        self._load = cache(_load_file)
        self._certificate = cache(_load_certificate)

    @classmethod
    def from_text(cls, key: str, passphrase: str = "", certificate: str = "") -> LoginIdentity:
        """Use only the private key in ``key``, and its certificate if there is one.

        Raises ``UsageError`` when a text holds none, and for the certificate of another key.
        """
        loaded = load_key(key, passphrase)
        if not certificate:
            return cls((loaded,), OpenSshConfig())
        found = Certificate.parse(certificate, _GIVEN)
        if found.key != loaded.asbytes():
            hint = f"It is for the key {fingerprint(found.key)}, and ROLLBACK_SSH_KEY is {describe(loaded)}."
            raise UsageError(f"{_GIVEN} is the certificate of another key", hint)
        return cls((found.on(loaded), loaded), OpenSshConfig())

    @classmethod
    def of_person(cls, home: Path, system: Path = Path("/etc/ssh")) -> LoginIdentity:
        """Use ``~/.ssh/config``, ssh-agent and the usual key files. Raises ``UsageError`` for a bad configuration."""
        return cls((), OpenSshConfig.of_person(home, system), home)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The lines of the user's configuration that were ignored, with the reason."""
        return tuple(self._config.warnings)

    def route(self, host: str, gateways: Sequence[str] = ()) -> tuple[Hop, ...]:
        """Return the hops to ``host``, outermost first. Without ``gateways``, ProxyJump decides.

        Raises ``UsageError`` for text that is not an address, and for a ProxyJump that leads back to itself.
        """
        target = self._hop(host)
        if gateways:
            return (*(self._hop(gateway) for gateway in gateways), target)
        jumps = target.settings.jumps
        route: tuple[Hop, ...] = (target,)
        while jumps:
            # As with `ssh -J a,b`: only the outermost hop may have a ProxyJump of its own.
            hops = tuple(self._hop(jump) for jump in jumps)
            route, jumps = (*hops, *route), hops[0].settings.jumps
            if len(route) > _LONGEST_ROUTE:
                raise UsageError(f"{host}: ProxyJump leads through more than {_LONGEST_ROUTE} hosts")
        return route

    def plain_address(self, host: str) -> tuple[str, bool]:
        """Return the address that ``host`` stands for (``user@name:port``), and whether it can replace ``host``.

        It cannot where the user's configuration has more for ``host`` than that, such as a key or a jump host.
        Raises ``UsageError`` as ``route`` does.
        """
        settings = self._hop(host).settings
        name = f"[{settings.host}]" if ":" in settings.host else settings.host
        plain = f"{settings.user}@{name}" + (f":{settings.port}" if settings.port != SSH_PORT else "")
        return plain, self._hop(plain).settings == settings

    def keys(self, hop: Hop) -> Generator[PKey]:
        """Yield the keys to offer, the likeliest first: sshd limits the refused keys (MaxAuthTries).

        A key that has a certificate is offered with it first, and then alone.
        """
        if self._given:
            yield from self._given
            return
        certificates = [each for each in self._certificates(hop.settings) if isinstance(each, Certificate)]
        with closing(_Agent()) as agent:
            for key in self._own_keys(hop.settings, agent.held):
                yield from (each.on(key) for each in certificates if each.key == key.asbytes())
                yield from agent.certified.get(key.asbytes(), ())
                yield key

    def _own_keys(self, settings: HostSettings, held: dict[bytes, PKey]) -> Iterator[PKey]:
        files = self._files(settings)
        wanted = {blob for blob in map(_public_blob, files) if blob}
        yield from (key for blob, key in held.items() if blob in wanted)
        if settings.identity_files:
            yield from self._from_files(files, held)
        if not settings.identities_only:
            yield from (key for blob, key in held.items() if blob not in wanted)
        if not settings.identity_files:
            yield from self._from_files(files, held)

    def unusable(self, hop: Hop) -> list[str]:
        """Return the reasons why key files and certificates of the user could not be offered."""
        if self._given:
            return []
        found = (*map(self._load, self._files(hop.settings)), *self._certificates(hop.settings))
        return [problem for problem in found if isinstance(problem, str)]

    def _hop(self, text: str) -> Hop:
        address = parse_address(text)
        settings = self._config.about(address.host)
        user, port = address.user or settings.user, address.port or settings.port
        return Hop(text, replace(settings, user=user, port=port))

    def _files(self, settings: HostSettings) -> tuple[Path, ...]:
        if settings.identity_files or self._home is None:
            return settings.identity_files
        return tuple(self._home / ".ssh" / name for name in _DEFAULT_FILES)

    def _certificates(self, settings: HostSettings) -> list[Certificate | str | None]:
        """Return the certificates in files, or why one cannot be read; None for a file that is not there."""
        named = [settings.certificate_file] if settings.certificate_file else []
        return [self._certificate(path) for path in (*named, *map(_beside, self._files(settings)))]

    def _from_files(self, files: Sequence[Path], held: dict[bytes, PKey]) -> Iterator[PKey]:
        for path in files:
            key = None if _public_blob(path) in held else self._load(path)
            if isinstance(key, PKey) and key.asbytes() not in held:
                yield key


class _Agent:
    """The user's ssh-agent, if it runs, with its keys by their public key, and the ``certified`` ones of each."""

    def __init__(self) -> None:
        self._agent: Agent | None = None
        self.held: dict[bytes, PKey] = {}
        self.certified: dict[bytes, list[PKey]] = {}
        with suppress(SSHException, OSError):
            self._agent = Agent()
            for key in self._agent.get_keys():
                if certificate := of_agent(key):
                    self.certified.setdefault(certificate.key, []).append(key)
                elif not key.name.endswith(SUFFIX):
                    self.held[key.asbytes()] = key

    def close(self) -> None:
        if self._agent is not None:
            self._agent.close()


def _load_certificate(path: Path) -> Certificate | str | None:
    try:
        return Certificate.parse(path.read_text(encoding="utf-8", errors="replace"), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    except UsageError as error:
        return error.message


def _beside(path: Path) -> Path:
    """Return where OpenSSH looks for the certificate of a key file."""
    return path.with_name(path.name.removesuffix(".pub") + "-cert.pub")


def _load_file(path: Path) -> PKey | str | None:
    try:
        return load_key(path.read_text(encoding="utf-8", errors="replace"), source=str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    except PassphraseNeeded:
        return f"{path} is encrypted with a passphrase (unlock it with `ssh-add {path}`)"
    except UsageError as error:
        return error.message


def _public_blob(path: Path) -> bytes | None:
    for candidate in (path.with_name(path.name + ".pub"), path):
        try:
            return base64.b64decode(candidate.read_text(encoding="ascii").split()[1], validate=True)
        except (OSError, ValueError, IndexError, binascii.Error):
            continue
    return None
