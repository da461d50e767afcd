"""A service on the machine that the tests run on, in a directory of the test's own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.support.lab import service as program
from tests.support.lab.ground import wait_until
from tests.support.lab.toml import dump


class LocalService:
    """The service in ``root/current``. It ends with the context."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pid_file = root / "pid"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.start = f"setsid {sys.executable} -ISB service.py {self.port} >{root}/log 2>&1 & echo $! >{self._pid_file}"
        read = f"pid=$(cat {self._pid_file}) && kill -0 $pid"
        self.commands = {
            "start": self.start,
            "stop": f"{read} && kill $pid && while kill -0 $pid 2>/dev/null; do sleep 0.02; done",
            "status": read,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.kill(self.pid(), signal.SIGKILL)

    def pid(self) -> int:
        """The process that was started last."""
        return int(self._pid_file.read_text())

    def health(self) -> tuple[str, str] | None:
        """The status and the release that it answers with."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=10) as answer:
                said = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                said = json.load(error)
        except OSError:
            return None
        return said["status"], said["release"]

    @property
    def health_check(self) -> dict[str, Any]:
        return {"kind": "http", "url": f"http://127.0.0.1:{self.port}/health", "json": {"release": "{release}"}}

    def toml(self, **service: Any) -> str:
        section = {
            "root": str(self.root),
            "manager": "custom",
            "commands": self.commands,
            "checks": {"health": self.health_check},
            **service,
        }
        return dump({"services": {self.root.name: section}, "environments": {"prod": {}}})


class OwnService(LocalService):
    """``releases`` names the behaviour of each, oldest first; the newest is live."""

    def __init__(self, root: Path, releases: Mapping[str, str]) -> None:
        super().__init__(root)
        for name, behaviour in releases.items():
            self._put(name, behaviour)
        # As Capistrano would have written it: every release was live once.
        deployed = (f"Branch main (at 0) deployed as release {name} by ana\n" for name in releases)
        (root / "revisions.log").write_text("".join(deployed))
        (root / "current").symlink_to(f"releases/{name}")

    def deploy(self, name: str) -> None:
        """Make another release live, as a deployment would."""
        self._put(name, "healthy")
        self._end()
        (self.root / "current").unlink()
        (self.root / "current").symlink_to(f"releases/{name}")
        self.__enter__()

    def repair(self) -> None:
        """Let the live release be healthy."""
        (self.root / "current/behaviour").write_text("healthy")
        self._end()
        self.__enter__()

    def _end(self) -> None:
        os.kill(self.pid(), signal.SIGKILL)
        wait_until(lambda: self.health() is None, 60, "the end of the old release")

    def _put(self, name: str, behaviour: str) -> None:
        release = self.root / "releases" / name
        release.mkdir(parents=True)
        shutil.copy(str(program.__file__), release / "service.py")
        (release / "behaviour").write_text(behaviour)

    def __enter__(self) -> Self:
        subprocess.run(["sh", "-c", self.start], cwd=self.root / "current", check=True, stdin=subprocess.DEVNULL)
        wait_until(lambda: self.health() is not None, 60, "the service listening")
        return self
