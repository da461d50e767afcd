"""A real OpenSSH server on loopback with a configuration of its own, and what tests need around it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.toolbox import eventually

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
USER = getpass.getuser()


def require_sshd() -> None:
    """Skips where there is no sshd; on CI that is a failure."""
    if not Path(SSHD).exists():
        message = "needs OpenSSH's sshd: apt-get install openssh-server"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


def keygen(path: Path, kind: str = "ed25519", bits: int = 0, passphrase: str = "", *options: str) -> Path:
    size = ["-b", str(bits)] if bits else []
    command = ["ssh-keygen", "-q", "-t", kind, *size, "-N", passphrase, "-C", "test", *options, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def fingerprint_by_openssh(path: Path) -> str:
    listed = subprocess.run(["ssh-keygen", "-lf", str(path)], check=True, capture_output=True, text=True)
    return listed.stdout.split()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Sshd:
    port: int
    log: Path
    host_keys: list[Path]
    process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls,
        folder: Path,
        host_keys: list[Path],
        client_keys: list[Path],
        *settings: str,
        disk: tuple[Path, str] | None = None,
    ) -> Sshd:
        """Start a server. ``disk``: who logs in there sees the first directory at the place of the second, and an
        empty home.
        """
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        port, log = free_port(), folder / "sshd.log"
        authorized = folder / "authorized_keys"
        authorized.write_text("".join(key.with_suffix(".pub").read_text() for key in client_keys))
        config = folder / "sshd_config"
        lines = [
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            # The first value of a keyword counts.
            *settings,
            *(f"HostKey {key}" for key in host_keys),
            f"AuthorizedKeysFile {authorized}",
            # What the person who runs the tests has in a .bashrc is no part of them, and may take long or print.
            f"SetEnv HOME={folder}",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "LogLevel VERBOSE",
        ]
        config.write_text("\n".join(lines) + "\n")
        command = [SSHD, "-D", "-f", str(config), "-E", str(log)]
        if disk:
            # The person's own start-up files (~/.bashrc) are no part of the host: some cost more than a rollback does.
            (home := folder / "home").mkdir(mode=0o700)
            mounts = ((disk[0], disk[1]), (home, Path.home()))
            mounted = " && ".join([*(f'mount --bind "{ours}" "{its}"' for ours, its in mounts), 'exec "$@"'])
            command = ["unshare", "--mount", "sh", "-c", mounted, "sh", *command]
        process = subprocess.Popen(command)
        server = cls(port, log, host_keys, process)
        assert eventually(lambda: "Server listening" in server.logged()), server.logged()
        return server

    @property
    def address(self) -> str:
        return f"{USER}@127.0.0.1:{self.port}"

    def known_hosts(self, *kinds: str) -> str:
        keys = (key.with_suffix(".pub").read_text() for key in self.host_keys)
        return "".join(f"[127.0.0.1]:{self.port} {key}" for key in keys if not kinds or key.split()[0] in kinds)

    def logged(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


class FlakyPort:
    """A port that closes its first ``cuts`` connections at once and joins the others to ``target``."""

    def __init__(self, cuts: int, target: int = 0) -> None:
        self.accepted = 0
        self._cuts, self._target = cuts, target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.accepted <= self._cuts:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
