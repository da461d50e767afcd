"""Read the settings of a host from the user's ``~/.ssh/config``, without running the commands that it names."""

from __future__ import annotations

import getpass
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from paramiko import SSHConfig
from paramiko.ssh_exception import ConfigParseError

from rollback_ops.core.errors import UsageError
from rollback_ops.core.frozen import frozen

_SETTING = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*\S)\s*")
_DEEPEST_INCLUDE = 16
# The other criteria of Match would run a command or use the network.
_CRITERIA = {"all", "host", "originalhost", "user", "localuser"}


class _QuietConfig(SSHConfig):
    def __init__(self) -> None:
        super().__init__()
        # By default paramiko expands %l for every identity file, with a DNS query for this machine's name.
        self.TOKENS_BY_CONFIG_KEY = {
            "hostname": ["%h"],
            "certificatefile": ["%h", "%r", "%u"],
            "identityfile": ["%h", "%r", "%u"],
            "proxyjump": ["%h", "%p", "%r"],
        }


@frozen
class HostSettings:
    """The settings of one host. ``connect_timeout`` is in seconds; 0 when it is not set."""

    host: str
    user: str
    port: int
    jumps: tuple[str, ...] = ()
    identity_files: tuple[Path, ...] = ()
    certificate_file: Path | None = None
    identities_only: bool = False
    known_hosts_files: tuple[Path, ...] = ()
    host_key_alias: str = ""
    connect_timeout: int = 0


class OpenSshConfig:
    """The settings of ``ssh_config`` files; empty at first.

    ``warnings`` name the lines that were ignored, with the reason.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._config = _QuietConfig()

    @classmethod
    def of_person(cls, home: Path, system: Path = Path("/etc/ssh")) -> OpenSshConfig:
        """Read the user's file, then the machine's. Raises ``UsageError`` for a file that cannot be parsed."""
        config = cls()
        for path in (home / ".ssh/config", system / "ssh_config"):
            reader = _Reader(home, path.parent, config.warnings)
            try:
                config._config.parse(list(reader.lines(path)))
            except (ConfigParseError, ValueError) as error:
                raise UsageError(f"{path}: {error}") from None
        return config

    def about(self, host: str) -> HostSettings:
        """Return the settings of ``host``, by its name in the address. Raises ``UsageError``."""
        found = self._config.lookup(host)
        if found.get("proxycommand") and "proxyjump" not in found:
            hint = "Use ProxyJump in ~/.ssh/config, or gateways in rollback.toml."
            raise UsageError(f"{host}: ProxyCommand in the SSH configuration is not run", hint)
        return HostSettings(
            host=found["hostname"],
            user=found.get("user") or getpass.getuser(),
            port=_whole_number(found.get("port", "22"), host, "Port"),
            jumps=tuple(j for j in re.split(r"[\s,]+", found.get("proxyjump", "")) if j not in ("", "none")),
            identity_files=tuple(Path(name) for name in found.get("identityfile", ()) if name != "none"),
            certificate_file=Path(named) if (named := found.get("certificatefile", "none")) != "none" else None,
            identities_only=found.get("identitiesonly", "no").lower() == "yes",
            known_hosts_files=tuple(Path(name) for name in shlex.split(found.get("userknownhostsfile", ""))),
            host_key_alias=found.get("hostkeyalias", ""),
            connect_timeout=_whole_number(found.get("connecttimeout", "0"), host, "ConnectTimeout"),
        )


@frozen
class _Reader:
    """Reads one file and its includes (relative to ``folder``), without lines that run a command or use the DNS."""

    home: Path
    folder: Path
    warnings: list[str]

    def lines(self, path: Path, block: str = "Host *", around: tuple[Path, ...] = ()) -> Iterator[str]:
        """Yield the lines. ``around`` are the files that include this one: none of them is included again."""
        skipping = False
        for number, line in enumerate(_read_lines(path), 1):
            match = _SETTING.fullmatch(line)
            key, value = (match[1].lower(), match[2]) if match else ("", "")
            if key in ("host", "match"):
                block, skipping = line, key == "match" and self._is_ignored(value, f"{path} line {number}")
            if skipping or not key or key.startswith("canonical"):
                continue
            if key == "include" and len(around) < _DEEPEST_INCLUDE:
                for included in self._included(value):
                    if included not in (*around, path):
                        yield from self.lines(included, block, (*around, path))
                        yield block
            elif key in ("certificatefile", "identityfile", "userknownhostsfile"):
                yield f"{key} {self._at_home(value)}"
            else:
                yield line

    def _is_ignored(self, criteria: str, place: str) -> bool:
        words = iter(shlex.split(criteria))
        for word in words:
            criterion = word.lstrip("!").lower()
            if criterion not in _CRITERIA:
                self.warnings.append(f"{place}: this block is ignored, because `Match {criterion}` is not evaluated")
                return True
            if criterion != "all":
                next(words, None)
        return False

    def _included(self, value: str) -> Iterator[Path]:
        for pattern in shlex.split(self._at_home(value)):
            absolute = pattern if pattern.startswith("/") else f"{self.folder}/{pattern}"
            yield from sorted(Path("/").glob(absolute.lstrip("/")))

    def _at_home(self, value: str) -> str:
        return re.sub(r'(^|[\s"])~/', rf"\1{self.home}/", value).replace("%d", str(self.home))


def _read_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return ["" if line.lstrip().startswith("#") else line for line in lines]


def _whole_number(text: str, host: str, keyword: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"{host}: {keyword} {text} in the SSH configuration is not a whole number")
    return int(text)
