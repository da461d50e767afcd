"""A container engine without Docker: podman serves Docker's API, and the real docker and Compose talk to it.

It runs as root in namespaces of its own, which end its containers with it, and keeps everything in one directory.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab.toml import dump
from tests.support.toolbox import eventually, tool

# What containers are made of: BusyBox, and an image that no engine has or can fetch.
IMAGE, NO_IMAGE = "box:1", "127.0.0.1:1/box:2"
_APPLETS = ("sh", "cat", "sleep", "true", "false", "wget", "mkdir")
# In a container that runs in the test's own cgroup, with the test's own network, nothing has to be set up.
_CONTAINERS = """\
[containers]
cgroups = "disabled"
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
tmp_dir = "{home}/tmp"
"""
_STORAGE = """\
[storage]
driver = "vfs"
graphroot = "{home}/storage"
runroot = "{home}/run"
"""
_NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
# Podman takes a cgroup2 that is mounted for the only one. The first process of the namespace has to reap those that the
# others leave: podman waits until the monitor of a container is gone.
_SERVE = """\
umount /sys/fs/cgroup/unified 2>/dev/null
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
exec {python} -c '
import os, sys
served = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
while os.wait()[0] != served: pass
' podman system service --time=0 unix://{home}/socket
"""
_SERVICE = {"image": IMAGE, "network_mode": "host", "volumes": ["./:/app", "../../shared:/shared"]}


class Engine:
    """Serves from ``with`` to its end. ``environment`` is what docker needs to find it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {"DOCKER_HOST": f"unix://{home}/socket", "DOCKER_CONFIG": str(home / "docker")}

    def __enter__(self) -> Engine:
        plugins = self.home / "docker" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-compose").symlink_to(tool("docker-compose"))
        configured = {}
        for variable, text in (("CONTAINERS_CONF", _CONTAINERS), ("CONTAINERS_STORAGE_CONF", _STORAGE)):
            file = self.home / variable.lower()
            file.write_text(text.format(home=self.home))
            configured[variable] = str(file)
        self._log = (self.home / "log").open("w")
        self._process = subprocess.Popen(
            [*_NAMESPACES, "sh", "-c", _SERVE.format(python=sys.executable, home=self.home)],
            env=os.environ | configured,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        assert eventually((self.home / "socket").exists, 30), (self.home / "log").read_text()
        self._import_image()
        return self

    def __exit__(self, *_: object) -> None:
        """The namespace of its processes ends with its first one, and the mounts with the namespace."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def docker(self, *words: str, cwd: Path | None = None) -> str:
        """Run docker, which has to succeed, and return its output. A shell in ``cwd`` says in PWD how one got there."""
        done = subprocess.run(
            [tool("docker"), *words],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), "PWD": str(cwd or "/"), **self.environment},
            cwd=cwd or "/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask_health(self, container: str) -> str:
        """Let podman run the health check of a container, as its timer would, and return what it says then."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(self.home / "socket"))
            place = f"/v4.0.0/libpod/containers/{container}/healthcheck"
            connection.sendall(f"GET {place} HTTP/1.0\r\nHost: podman\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        return str(json.loads(answer.split("\r\n\r\n", 1)[1])["Status"])

    def _import_image(self) -> None:
        root, busybox = self.home / "image", Path(tool("busybox"))
        linked = subprocess.run(["ldd", busybox], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"/\S+", linked):
            (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, root / library[1:])
        (root / "bin").mkdir(exist_ok=True)
        shutil.copy(busybox, root / "bin" / "busybox")
        for applet in _APPLETS:
            (root / "bin" / applet).symlink_to("busybox")
        subprocess.run(["tar", "-C", root, "-cf", self.home / "image.tar", "."], check=True)
        self.docker("import", str(self.home / "image.tar"), IMAGE)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine of the run. The path of a socket has to be short."""
    tools = [tool(name) for name in ("unshare", "podman", "crun", "docker", "docker-compose")]
    if os.geteuid() != 0:
        pytest.skip(f"{tools[0]} needs root")
    home = Path(tempfile.mkdtemp(prefix="engine-"))
    try:
        with Engine(home) as served:
            yield served
    finally:
        shutil.rmtree(home)


def server(**changes: Any) -> dict[str, Any]:
    """A service that runs until it is stopped, and writes down whose files it has."""
    name = "$(cat /app/VERSION)"
    script = f'trap "exit 0" TERM; echo {name} >/shared/ran; echo {name} runs; sleep 1000 & wait'
    return {**_SERVICE, "command": ["sh", "-c", script.replace("$", "$$")], **changes}


def crashing(**changes: Any) -> dict[str, Any]:
    return {**_SERVICE, "command": ["sh", "-c", "echo it crashes; exit 3"], "restart": "always", **changes}


class ComposeProject:
    """A service with releases, each with the compose file of its services. The last one that was deployed is live."""

    def __init__(self, engine: Engine, root: Path, name: str) -> None:
        self.engine, self.root, self.name = engine, root, name
        self.current, self.shared = root / "current", root / "shared"
        self.shared.mkdir(parents=True)

    def release(self, name: str, **services: Mapping[str, Any]) -> Path:
        place = self.root / "releases" / name
        place.mkdir(parents=True)
        (place / "VERSION").write_text(f"{name}\n")
        # JSON is YAML.
        (place / "compose.yaml").write_text(json.dumps({"services": services}))
        return place

    def deploy(self, name: str, *words: str, within: str = "releases", project: str = "") -> None:
        """As a person does it: ``within`` the release itself, or ``current``."""
        self.current.unlink(missing_ok=True)
        self.current.symlink_to(f"releases/{name}")
        self.log_as_deployed(name)
        place = self.current if within == "current" else self.root / "releases" / name
        self.engine.docker("compose", "-p", project or self.name, "up", "-d", *words, cwd=place)

    def log_as_deployed(self, name: str) -> None:
        with (self.root / "revisions.log").open("a") as log:
            log.write(f"Branch main (at 0) deployed as release {name} by ana\n")

    def toml(self, **service: Any) -> str:
        section = {"root": str(self.root), "manager": "compose", "project": self.name, **service}
        return dump({"services": {"shop": section}, "environments": {"prod": {}}})

    @property
    def live(self) -> str:
        return self.current.readlink().name

    def runs(self, release: str) -> bool:
        """Whether the server that was started last sees the files of this release. It may have started just now."""
        said = self.shared / "ran"
        return eventually(lambda: said.exists() and said.read_text().strip() == release)

    def containers(self) -> dict[str, str]:
        """The state of each container, by its service."""
        return dict(self._listed('{{.Label "com.docker.compose.service"}} {{.State}}'))

    def started(self, service: str) -> str:
        """A text that changes when its container is started, or made, again."""
        return self.inspected(service, "{{.Id}} {{.State.StartedAt}}")

    def inspected(self, service: str, form: str) -> str:
        named = dict(self._listed('{{.Label "com.docker.compose.service"}} {{.ID}}'))
        return self.engine.docker("inspect", "--format", form, named[service])

    def break_glass(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the installed program, as a person on the host does."""
        return subprocess.run(
            ["sh", self.root / ".rollback" / "rollback", *options],
            env={"PATH": os.environ["PATH"], **self.engine.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def remove(self, project: str = "") -> None:
        containers = [container for container, _ in self._listed("{{.ID}} -", project)]
        if containers:
            self.engine.docker("rm", "-f", *containers)

    def _listed(self, form: str, project: str = "") -> list[tuple[str, str]]:
        label = f"label=com.docker.compose.project={project or self.name}"
        lines = self.engine.docker("ps", "-a", "--filter", label, "--format", form).splitlines()
        return [(first, second) for first, _, second in (line.partition(" ") for line in lines)]
