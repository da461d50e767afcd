"""A PostgreSQL cluster of the tests' own, with Debian's programs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.lab.errors import LabError
from tests.support.lab.ground import wait_until


def programs() -> Path:
    """Return where Debian has them, by version, and not on the PATH. Skips the test where they are missing."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found or os.geteuid() != 0:
        reason = "PostgreSQL is missing, or root: run `make test` as root on Debian or Ubuntu"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found[-1].parent


class Postgres:
    """A cluster of the test's own on one address, and on a socket in a directory of its own."""

    def __init__(self, programs: Path, address: str) -> None:
        self._programs = programs
        self.host = address
        with socket.create_server((address, 0)) as free:
            self.port = free.getsockname()[1]
        # Not among pytest's: those are closed to the user that it runs as.
        self.directory = Path(tempfile.mkdtemp(prefix="rollback-ops-postgres-"))
        shutil.chown(self.directory, "postgres", "postgres")
        self._data = self.directory / "data"
        self._process: subprocess.Popen[bytes] | None = None
        if self._start("initdb", "--no-sync", "-A", "trust", "-D", str(self._data)).wait(timeout=120) != 0:
            raise LabError("initdb failed")

    @property
    def socket(self) -> str:
        return f"{self.directory}/.s.PGSQL.{self.port}"

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """It refuses to be started as root."""
        nothing = subprocess.DEVNULL
        return subprocess.Popen(
            [str(self._programs / program), *arguments],
            user="postgres",
            group="postgres",
            extra_groups=(),
            cwd=self.directory,
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
        )

    def start(self) -> None:
        options = {"listen_addresses": self.host, "port": self.port, "unix_socket_directories": self.directory}
        words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        self._process = self._start("postgres", "-D", str(self._data), *words, "-c", "fsync=off")
        wait_until(self.is_ready, 60, "PostgreSQL accepting connections")

    def is_ready(self) -> bool:
        words = ["-h", self.host, "-p", str(self.port)]
        return subprocess.run([self._programs / "pg_isready", "-q", *words], check=False).returncode == 0

    def stop(self) -> None:
        """As ``pg_ctl stop -m fast`` does it."""
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory)
