"""The sandbox of the demo: a directory with a service in it. Its end leaves neither files nor processes."""

from __future__ import annotations

import http.client
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from rollback_ops.core.errors import Refused

# Oldest first: the name, the revision, and what its /health says. None: it was only half copied.
_RELEASES: tuple[tuple[str, str, str | None], ...] = (
    ("v1.8", "5f0c1e7a", "ok"),
    ("v1.9", "c94d2b60", "ok"),
    ("v1.10", "71e8a3f4", None),
    ("v1.11", "e2b7d915", "the payment gateway refuses our key"),
)
_DAY = 86400
_PATIENCE = 10.0

_SETTINGS = """\
[services.shop]
root     = "{root}"
requires = ["service.py"]
manager  = "custom"
commands.start  = {start}
commands.stop   = 'cd "$ROLLBACK_ROOT"; flock -ns lock true || kill "$(cat lock)"; flock -w 8 -s lock true'
commands.status = '! flock -ns "$ROLLBACK_ROOT/lock" true'
checks.health   = {{ kind = "http", url = "{url}", json = {{ release = "{{release}}" }} }}
verify.min_healthy_time = "500ms"

[environments.prod]
hosts = ["{address}"]
"""


class Sandbox:
    """A sandbox that exists while the ``with`` block lasts.

    Commands are typed in ``directory``; the service lives in ``root``. Raises ``OSError`` where there is no room
    for it, and ``Refused`` when something in it cannot be ended.
    """

    def __init__(self) -> None:
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self._port: int = self._reserved.getsockname()[1]
        self.directory = Path(tempfile.mkdtemp(prefix="rollback-ops-demo-"))
        self.root = self.directory / "srv" / "shop"

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self._reserved.close()
        try:
            self._end_processes()
        finally:
            shutil.rmtree(self.directory)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/health"

    @property
    def _start(self) -> str:
        line = f'setsid {shlex.quote(sys.executable)} -IS service.py {self._port} "$ROLLBACK_ROOT/lock"'
        return f'{line} </dev/null >>"$ROLLBACK_ROOT/log" 2>&1 &'

    def lay_out(self, address: str) -> str:
        """Create the releases, the newest of them live, and rollback.toml. Returns its text."""
        for number, (name, revision, health) in enumerate(_RELEASES):
            release = self.root / "releases" / name
            release.mkdir(parents=True)
            (release / "REVISION").write_text(f"{revision}\n")
            if health is not None:
                self._note_deployed(name)
                (release / "health").write_text(f"{health}\n")
                (release / "service.py").write_text(_service())
            made = time.time() - (len(_RELEASES) - number) * _DAY
            os.utime(release, (made, made))
        (self.root / "current").symlink_to(f"releases/{_RELEASES[-1][0]}")
        text = _SETTINGS.format(root=self.root, start=_toml(self._start), url=self.url, address=address)
        (self.directory / "rollback.toml").write_text(text)
        return text

    def _note_deployed(self, name: str) -> None:
        """Note in the log, as Capistrano does, that a release became live."""
        with (self.root / "revisions.log").open("a") as log:
            log.write(f"Branch main (at {name}) deployed as release {name} by demo\n")

    def start_service(self) -> None:
        """Start the live release with the start command of rollback.toml."""
        environment = {**os.environ, "ROLLBACK_ROOT": str(self.root)}
        subprocess.run(["sh", "-c", self._start], cwd=self.root / "current", env=environment, check=True)

    def health(self) -> tuple[int, str]:
        """Return status and body of the first answer. Raises ``Refused`` when none comes."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with suppress(OSError, http.client.HTTPException):
                return self._get()
            time.sleep(0.02)
        log = (self.root / "log").read_text(errors="replace").strip() if (self.root / "log").exists() else ""
        raise Refused(f"the service of the demo does not answer on port {self._port}", log[-1000:])

    def _get(self) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        try:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def _end_processes(self) -> None:
        """End the service, once the agent has finished. Its last command does not wait for that.

        Raises ``Refused`` when a process cannot be ended.
        """
        deadline = time.monotonic() + _PATIENCE
        while ours := dict(self._processes()):
            late = time.monotonic() - deadline
            if late > 1:
                raise Refused(f"processes of the demo could not be ended: {', '.join(map(str, ours))}")
            if late > 0 or not any(ours.values()):
                for pid in ours:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def _processes(self) -> Iterator[tuple[int, bool]]:
        """Yield the sandbox's processes, and whether each is the agent, by its arguments."""
        root = os.fsencode(self.root)
        for directory in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                variables = (directory / "environ").read_bytes().split(b"\0")
                arguments = (directory / "cmdline").read_bytes().split(b"\0")
                program = any(_is_program(each, root) for each in arguments)
                if program or b"ROLLBACK_ROOT=" + root in variables:
                    yield int(directory.name), program


def _is_program(argument: bytes, root: bytes) -> bool:
    return argument.startswith(root + b"/.rollback/") and argument.endswith(b"/program")


def _service() -> str:
    return files(__package__).joinpath("service.py").read_text(encoding="utf-8")


def _toml(text: str) -> str:
    """Format a TOML string. The path of a Python may hold any character."""
    if "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
