"""A service on a host, laid out and started as a deployment would have left it."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.lab.ground import wait_until
from tests.support.lab.plan import Plan, revision
from tests.support.lab.supervision import SUPERVISIONS
from tests.support.lab.toml import dump

if TYPE_CHECKING:
    from tests.support.lab.host import LabHost

PROGRAM = Path(__file__).with_name("service.py").read_bytes()


class Deployed:
    """One service of one host. Its units listen on ``port``, ``port + 1`` and so on."""

    def __init__(self, host: LabHost, plan: Plan) -> None:
        self.host = host
        self.plan = plan
        self.name, self.root, self.port = plan.name, plan.root, plan.port
        # Where the host keeps what belongs to this service in the environment ``prod``.
        self.state = f"{plan.root}/.rollback/{plan.name}@prod"
        self.releases_directory = str(plan.releases_directory)
        self.units = tuple(plan.programs)
        self._supervision = SUPERVISIONS[plan.manager](plan)
        host.run(f"{self._supervision.prepare}\ntar -xf - -C /", stdin=self._archive())
        if plan.start:
            self.start()

    def start(self) -> None:
        """Start the units and wait until they listen (unless the live release never does)."""
        listens = self.plan.releases[self.plan.first] != "crash_at_once"
        self.host.run(self._supervision.start, check=listens)
        if listens:
            wait_until(self.listens, 60, f"{self.name} listening", interval=0.005)

    def stop(self) -> None:
        self.host.run(self._supervision.stop)

    def remove(self) -> None:
        """End the units at once. The files stay: they are in memory, and small."""
        self.host.run(self._supervision.remove, check=False)

    def live(self) -> str:
        """The name of the release that ``current`` points at; empty when it is no link."""
        return self.host.run(f"readlink {self.root}/current", check=False).stdout.strip().rpartition("/")[2]

    def is_running(self) -> bool:
        """Whether the manager says that every unit runs."""
        return self.host.run(self._supervision.running, check=False).returncode == 0

    def listens(self) -> bool:
        return all(self._connects(self.port + n) for n in range(len(self.units)))

    def _connects(self, port: int) -> bool:
        try:
            with self.host.cable.inside():
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    def health(self, unit: int = 0, timeout: float = 10) -> dict[str, Any] | None:
        """The answer of ``/health`` on the host itself, also of a 503; None without an answer."""
        request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        received = b""
        with contextlib.suppress(OSError):
            with self.host.cable.inside():
                connection = socket.create_connection(("127.0.0.1", self.port + unit), timeout=timeout)
            with connection:
                connection.sendall(request)
                while chunk := connection.recv(65536):
                    received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        return json.loads(body) if head.startswith(b"HTTP/1.1 ") else None

    @property
    def health_check(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/health"
        return {"kind": "http", "url": url, "json": {"release": "{release}"}}

    def toml(self, hosts: Sequence[str] = (), environment: Mapping[str, Any] | None = None, **service: Any) -> str:
        """A rollback.toml for this service in environment ``prod``.

        ``hosts`` defaults to the owner's login on this host. ``service`` adds or replaces keys of the
        service's section, ``environment`` of the environment's. A busy machine takes its time to log in.
        """
        limits = {"connect": "15s", **service.pop("limits", {})}
        section = {
            "root": self.root,
            "layout": self.plan.layout,
            "manager": self.plan.manager,
            "units": list(self.units),
            "links": {"config.json": "config-{environment}.json"},
            "checks": {"health": self.health_check},
            "limits": limits,
            **service,
        }
        logins = list(hosts) or [f"{self.plan.owner}@{self.host.address}"]
        prod = {"hosts": logins, **(environment or {})}
        return dump({"services": {self.name: section}, "environments": {"prod": prod}})

    def _archive(self) -> bytes:
        """Everything that a deployment puts on the disk, as one tar file: a host takes it in 10 ms."""
        root, releases, archive = self.root, self.plan.releases_directory, _Archive(self.plan.uid)
        for directory in (*reversed(releases.parents), releases):
            if directory.is_relative_to(root):
                archive.directory(str(directory))
        archive.file(f"{root}/config-prod.json", '{"environment": "prod"}\n')
        for number, (release, behaviour) in enumerate(self.plan.releases.items(), start=1):
            archive.directory(f"{releases}/{release}")
            archive.file(f"{releases}/{release}/service.py", PROGRAM)
            archive.file(f"{releases}/{release}/behaviour", f"{behaviour}\n")
            archive.file(f"{releases}/{release}/REVISION", f"{revision(number)}\n")
            archive.link(f"{releases}/{release}/config.json", f"{root}/config-prod.json")
        # As Capistrano would have written it: every release was live once.
        deployed = (f"Branch main (at 0) deployed as release {release} by ana\n" for release in self.plan.releases)
        archive.file(f"{root}/revisions.log", "".join(deployed))
        archive.link(f"{root}/current", f"{releases}/{self.plan.first}")
        for path, text in self.plan.files.items():
            for directory in list(reversed(Path(path).parents))[1:]:
                archive.directory(f"{root}/{directory}")
            archive.file(f"{root}/{path}", text)
        archive.owner = self._supervision.uid
        for path, text in self._supervision.files.items():
            archive.file(path, text)
        for path, target in self._supervision.links.items():
            archive.link(path, target)
        return archive.close()


class _Archive:
    """A tar file under construction; everything in it belongs to one user."""

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self._buffer = io.BytesIO()
        self._tar = tarfile.TarFile(fileobj=self._buffer, mode="w")

    def _add(self, path: str, kind: bytes, mode: int, content: bytes = b"", target: str = "") -> None:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.type, entry.mode, entry.linkname, entry.size = kind, mode, target, len(content)
        entry.uid = entry.gid = self.owner
        entry.mtime = time.time()
        self._tar.addfile(entry, io.BytesIO(content))

    def directory(self, path: str) -> None:
        self._add(path, tarfile.DIRTYPE, 0o755)

    def file(self, path: str, content: str | bytes) -> None:
        self._add(path, tarfile.REGTYPE, 0o644, content.encode() if isinstance(content, str) else content)

    def link(self, path: str, target: str) -> None:
        self._add(path, tarfile.SYMTYPE, 0o777, target=target)

    def close(self) -> bytes:
        self._tar.close()
        return self._buffer.getvalue()
