"""Many small hosts on this machine: each is an sshd of its own, in a mount namespace with a disk of its own.

They share processes and network with the machine, and have no systemd: some megabytes each, so that hundreds are
possible.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab.toml import dump
from tests.support.sshd import USER, Sshd, keygen, require_sshd

ROOT = "/srv/rollback-small"
RELEASES = ("b1", "b2", "b3")
# The service is a process, and unhealthy where its release has the file `bad`.
COMMANDS = {
    "start": f"setsid sleep 100000 </dev/null >/dev/null 2>&1 & echo $! >{ROOT}/pid",
    "stop": f"while test -e {ROOT}/hang; do sleep 0.05; done; kill $(cat {ROOT}/pid)",
    "status": f"kill -0 $(cat {ROOT}/pid)",
}


class SmallHost:
    """One host: b3 is live."""

    def __init__(self, folder: Path, host_key: Path, client_key: Path) -> None:
        self.disk = folder / "disk"
        for release in RELEASES:
            (self.disk / "releases" / release).mkdir(parents=True)
            (self.disk / "releases" / release / "app").write_text(release)
        (self.disk / "current").symlink_to(f"releases/{RELEASES[-1]}")
        service = subprocess.Popen(["sleep", "100000"], start_new_session=True)
        self._first = service
        (self.disk / "pid").write_text(f"{service.pid}\n")
        self._sshd = Sshd.start(folder, [host_key], [client_key], "MaxStartups 100:30:200", disk=(self.disk, ROOT))
        self.address = self._sshd.address
        self.known_hosts = self._sshd.known_hosts()

    @property
    def live(self) -> str:
        return (self.disk / "current").readlink().name

    def spoil(self, release: str) -> None:
        """Let a release be unhealthy here."""
        (self.disk / "releases" / release / "bad").touch()

    def heal(self, release: str) -> None:
        """Let a release be healthy here again."""
        (self.disk / "releases" / release / "bad").unlink()

    def hang(self) -> None:
        """Let a stop of the service take until ``go_on``."""
        (self.disk / "hang").touch()

    def go_on(self) -> None:
        (self.disk / "hang").unlink(missing_ok=True)

    def go_down(self) -> None:
        """Answer no connection any more."""
        if self._sshd.process.poll() is None:
            self._sshd.stop()

    def end(self) -> None:
        self.go_on()
        self.go_down()
        with suppress(ProcessLookupError, ValueError, FileNotFoundError):
            os.kill(int((self.disk / "pid").read_text()), signal.SIGKILL)
        self._first.kill()
        self._first.wait(60)


class SmallHosts:
    """The hosts of one service ``web``, with all that a command needs to reach them."""

    def __init__(self, hosts: Sequence[SmallHost], key: Path) -> None:
        self.hosts = hosts
        self.private_key = key.read_text()
        self.known_hosts = "".join(host.known_hosts for host in hosts)

    @property
    def addresses(self) -> list[str]:
        return [host.address for host in self.hosts]

    @property
    def live(self) -> list[str]:
        return [host.live for host in self.hosts]

    @property
    def secrets(self) -> dict[str, str]:
        return {"ROLLBACK_SSH_KEY": self.private_key, "ROLLBACK_KNOWN_HOSTS": self.known_hosts}

    def toml(self, strategy: dict[str, Any] | None = None, **environment: Any) -> str:
        """Return the settings: a strategy, and what else the environment says. Generous: hundreds share two cores."""
        service = {
            "root": ROOT,
            "manager": "custom",
            "commands": COMMANDS,
            "limits": {"connect": "20s", "stop": "40s", "total": "300s"},
            "verify": {"min_healthy_time": "0s", "healthy_deadline": "60s", "failure_threshold": 1},
            "checks": {"health": {"kind": "command", "run": "test ! -e bad", "fail_fast": True}},
        }
        inside = {**({"hosts": self.addresses} if "regions" not in environment else {}), **environment}
        return dump(
            {
                "services": {"web": service},
                "environments": {"prod": inside | ({"strategy": strategy} if strategy else {})},
            }
        )


@contextmanager
def small_hosts(folder: Path, count: int) -> Iterator[SmallHosts]:
    """Start the hosts; they end with the context. Skips where there is no root or no sshd."""
    require_sshd()
    if USER != "root" or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare")
    Path(ROOT).mkdir(exist_ok=True)
    host_key, client_key = keygen(folder / "host_key"), keygen(folder / "client_key")
    hosts: list[SmallHost] = []
    try:
        for number in range(1, count + 1):
            own = folder / f"h{number}"
            own.mkdir()
            hosts.append(SmallHost(own, host_key, client_key))
        yield SmallHosts(hosts, client_key)
    finally:
        for host in hosts:
            host.end()
