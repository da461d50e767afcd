"""One booted machine, and what a test may do to it."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.lab.deploy import Deployed
from tests.support.lab.errors import LabError
from tests.support.lab.ground import Ground, command, empty_group, forget_lock, wait_until
from tests.support.lab.network import Cable
from tests.support.lab.plan import Names, Plan

HOMES = ("root", "home/deploy", "home/admin", "home/plain")
KEY_TYPES = ("ed25519", "ecdsa")
# The exchange that OpenSSH would choose is to withstand quantum computers, and takes 0.1 s of CPU.
QUICK_KEYS = "KexAlgorithms=curve25519-sha256"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class LabHost:
    """A machine with systemd as PID 1, sshd and a disk of its own over the shared image.

    ``run``, ``read`` and ``write`` go in past SSH and the network, so they also serve a host that
    is cut off. What it writes is kept in memory until ``close``.
    """

    port = 22

    def __init__(
        self, name: str, *, ground: Ground, cable: Cable, image: Path, client_key: Path, names: Names, srv_mib: int = 0
    ) -> None:
        self.name = name
        self.address = cable.address
        self.cable = cable
        self._key = client_key
        self._names = names
        self._machine = f"{ground.name}-{self.address.rpartition('.')[2]}"
        self._group = ground.group / self._machine
        self._directory = ground.directory / self._machine
        self._root = self._directory / "root"
        self._srv = self._directory / "srv" if srv_mib else None
        self._srv_mib = srv_mib
        self._known_hosts = self._directory / "known_hosts"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._image = image
        self.closed = False

    def __enter__(self) -> LabHost:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make_disk(self) -> None:
        layers = {name: self._directory / name for name in ("upper", "work", "root")}
        for directory in layers.values():
            directory.mkdir(parents=True)
        options = f"lowerdir={self._image},upperdir={layers['upper']},workdir={layers['work']}"
        command("mount", "-t", "overlay", "-o", options, self._machine, str(self._root))
        if self._srv:
            self._srv.mkdir()
            command("mount", "-t", "tmpfs", "-o", f"mode=0755,size={self._srv_mib}m", self._machine, str(self._srv))
        etc = self._root / "etc"
        (etc / "hostname").write_text(f"{self.name}\n")
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
        (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
        self._make_host_keys()
        for home in HOMES:
            ssh = self._root / home / ".ssh"
            ssh.mkdir(mode=0o700, exist_ok=True)
            shutil.copy(f"{self._key}.pub", ssh / "authorized_keys")
            owner = (self._root / home).stat()
            for path in (ssh, ssh / "authorized_keys"):
                os.chown(path, owner.st_uid, owner.st_gid)

    def _host_key(self, kind: str) -> Path:
        return self._root / f"etc/ssh/ssh_host_{kind}_key"

    def _make_host_keys(self) -> None:
        for kind in KEY_TYPES:
            path = self._host_key(kind)
            path.unlink(missing_ok=True)
            command("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", f"root@{self.name}", "-f", str(path))
        self._known_hosts.write_text(self.known_hosts_line())

    def power_on(self) -> None:
        """Boot, on the disk as it was left, and wait until people can log in."""
        if not self._root.exists():
            self._make_disk()
        self._group.mkdir(parents=True, exist_ok=True)
        options = ["-q", "-b", "-D", str(self._root), f"--machine={self._machine}", f"--hostname={self.name}"]
        options += ["--keep-unit", "--register=no", "--link-journal=no", "--resolv-conf=off", "--timezone=off"]
        options += [f"--network-namespace-path={self.cable.path}"]
        options += [f"--bind={self._srv}:/srv"] if self._srv else []
        # A control group of its own: hosts that shared the test's would take each other's services for theirs.
        start = f"echo $$ >{self._group}/cgroup.procs && exec systemd-nspawn {shlex.join(options)}"
        with (self._directory / "console.log").open("wb") as console:
            self._process = subprocess.Popen(
                ["sh", "-c", start],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={"PATH": _PATH, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                start_new_session=True,
            )
        self.cable.up()
        # The cheap questions first: a login costs a quarter of a second, and many hosts boot at once.
        wait_until(self._has_init, 60, f"the boot of {self.name}")
        wait_until(self._shows_banner, 60, f"the sshd of {self.name}")
        wait_until(self._lets_people_in, 60, f"a login to {self.name}")

    def _has_init(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise LabError(f"{self.name} did not boot:\n{self.console()}")
        init = self._group / "payload/init.scope/cgroup.procs"
        found = init.read_text().split() if init.exists() else []
        self._leader = int(found[0]) if found else 0
        return bool(found)

    def _lets_people_in(self) -> bool:
        return self.ssh("true", user="plain", check=False).returncode == 0

    def _shows_banner(self) -> bool:
        try:
            with socket.create_connection((self.address, self.port), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def path(self, path: str) -> Path:
        """The machine's path of a file on the host's disk, also while the host is off. Links lead astray there."""
        if self._srv and path.startswith("/srv/"):
            return self._srv / path.removeprefix("/srv/")
        return self._root / path.lstrip("/")

    def console(self) -> str:
        """The output of the host while it booted."""
        return (self._directory / "console.log").read_text(errors="replace")

    def power_off(self) -> None:
        """Pull the plug: every process dies at once and nothing answers any more. The disk stays."""
        self.cable.down()
        empty_group(self._group)
        if self._process is not None:
            self._process.wait()
        self._process, self._leader = None, 0

    def cut_network(self) -> None:
        """From here on no packet comes in or goes out, and nobody is told so."""
        self.cable.down()

    def restore_network(self) -> None:
        self.cable.up()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """New connections are refused at once: the limits of a connection need not be short for a test to be."""
        self.run("systemctl stop ssh")
        try:
            yield
        finally:
            self.run("systemctl start ssh")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """No process of the host gets on, as on a machine whose disk or hypervisor hangs; its kernel still answers."""
        freezer = self._group / "cgroup.freeze"
        freezer.write_text("1")
        try:
            yield
        finally:
            freezer.write_text("0")

    def run(
        self, script: str, *, user: str = "root", check: bool = True, stdin: bytes = b"", timeout: float = 30
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script on the host, past SSH. Raises ``LabError`` when it fails and ``check`` holds."""
        words = ["nsenter", f"--target={self._leader}", "--all", "--", "/bin/sh", "-c", script]
        if user != "root":
            words[4:4] = ["runuser", "-u", user, "--"]
        environment = {"PATH": _PATH, "LANG": "C.UTF-8"}
        done = subprocess.run(words, input=stdin, capture_output=True, timeout=timeout, env=environment, check=False)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if check and done.returncode != 0:
            raise LabError(f"on {self.name} this ended with {done.returncode}: {script}\n{out}{err}")
        return subprocess.CompletedProcess(words, done.returncode, out, err)

    def read(self, path: str) -> str:
        return self.run(f"cat -- {shlex.quote(path)}").stdout

    def write(self, path: str, text: str, owner: str = "root", mode: int = 0o644) -> None:
        """Put a file there, with the directories that lead to it."""
        name = shlex.quote(path)
        script = f'mkdir -p -- "$(dirname -- {name})" && cat >{name} && chown {owner}: {name} && chmod {mode:o} {name}'
        self.run(script, stdin=text.encode())

    def ssh(
        self, script: str, *, user: str = "root", check: bool = True, timeout: float = 30
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script over SSH, with the OpenSSH client and strict host keys."""
        options = ["-F", "/dev/null", "-i", str(self._key), "-o", f"UserKnownHostsFile={self._known_hosts}"]
        strict = ("BatchMode=yes", "IdentitiesOnly=yes", "ConnectTimeout=5", "StrictHostKeyChecking=yes")
        for option in (*strict, QUICK_KEYS):
            options += ["-o", option]
        words = ["ssh", *options, f"{user}@{self.address}", script]
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode != 0:
            raise LabError(f"over SSH to {self.name} this ended with {done.returncode}: {script}\n{done.stderr}")
        return done

    def deploy(self, name: str = "", **plan: Any) -> Deployed:
        """Lay out a service of its own and start it; the keywords are ``Plan``'s.

        The same name on several hosts gives the same root, units and ports.
        """
        name = name or self._names.new()
        return Deployed(self, Plan(name, self._names.port(name), **plan))

    def known_hosts_line(self) -> str:
        """The Ed25519 host key as a line of known_hosts, with its newline."""
        kind, key = self._host_key("ed25519").with_suffix(".pub").read_text().split()[:2]
        return f"{self.address} {kind} {key}\n"

    def change_host_key(self) -> None:
        """From here on the host shows other keys than it did; ``known_hosts_line`` tells the new one."""
        self._make_host_keys()
        self.run("systemctl restart ssh")
        wait_until(self._shows_banner, 60, f"the new sshd of {self.name}")

    def close(self) -> None:
        """Leave nothing of the host behind."""
        self.power_off()
        forget_lock(self._root)
        for mounted in filter(None, (self._root, self._srv)):
            command("umount", "--lazy", str(mounted))
        self.cable.remove()
        shutil.rmtree(self._directory)
        self.closed = True
