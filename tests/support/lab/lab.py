"""A lab: some real hosts on a network of their own, and the key that opens them."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.lab import ground
from tests.support.lab.ground import Ground, command
from tests.support.lab.host import LabHost
from tests.support.lab.image import image
from tests.support.lab.network import Network
from tests.support.lab.plan import Names

_TOOLS = ("systemd-nspawn", "mmdebstrap", "apt-get", "ip", "nsenter", "ssh", "ssh-keygen")
# Each systemd wants about 30 inotify instances; the kernel's default of 128 ends at a few hosts.
_INOTIFY = {"max_user_instances": 8192, "max_user_watches": 524288}


def blocker() -> str:
    """Why this machine cannot make hosts; empty when it can."""
    if os.geteuid() != 0:
        return "root"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return ", ".join(missing)
    return "" if ground.control_groups() else "control groups version 2"


class Lab:
    """Hosts that are booted when asked for. Use it as a context manager: nothing is left at its end."""

    def __init__(self) -> None:
        self._image = image()
        self._ground = Ground.take()
        self._network = Network(self._ground)
        self._names = Names()
        self._lock = threading.Lock()
        self._booted: list[LabHost] = []
        self.key_file = self._ground.directory / "id_ed25519"
        command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(self.key_file))
        self.private_key = self.key_file.read_text()
        _raise_limits()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def boot(self, name: str, srv_mib: int = 0) -> LabHost:
        """A new host that people can log in to (about a second).

        With ``srv_mib``, its ``/srv`` is a disk of its own with so many MiB, which can be filled.
        """
        with self._lock:
            index = next(index for index in range(2, 255) if index not in self._taken())
            cable = self._network.plug(index)
            host = LabHost(
                name,
                ground=self._ground,
                cable=cable,
                image=self._image,
                client_key=self.key_file,
                names=self._names,
                srv_mib=srv_mib,
            )
            self._booted.append(host)
        host.power_on()
        return host

    @property
    def name(self) -> str:
        """The prefix of the names of all that the lab has on the machine."""
        return self._ground.name

    @property
    def hosts(self) -> list[LabHost]:
        """Those that were booted and not closed."""
        return [host for host in self._booted if not host.closed]

    def _taken(self) -> set[int]:
        return {int(host.address.rpartition(".")[2]) for host in self.hosts}

    def boot_all(self, names: Iterable[str]) -> list[LabHost]:
        """Several new hosts, booted at the same time, in the order of their names as given."""
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(self.boot, names))

    @property
    def known_hosts(self) -> str:
        """The text of a known_hosts file that knows every host."""
        return "".join(host.known_hosts_line() for host in self.hosts)

    def close(self) -> None:
        for host in self.hosts:
            host.power_off()
        self._ground.release()


def _raise_limits() -> None:
    for name, wanted in _INOTIFY.items():
        limit = Path("/proc/sys/fs/inotify") / name
        if int(limit.read_text()) < wanted:
            limit.write_text(str(wanted))
