"""A real HAProxy in front of hosts of the lab, and somebody who asks it all the time."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until

HAPROXY = "/usr/sbin/haproxy"
# On a host: `balancer drain` ends when no request is under way any more. docs/fleets.md shows the same for socat.
CONTROL = """#!/usr/bin/python3 -ISB
import socket, sys, time
def ask(command):
    with socket.create_connection({admin!r}, timeout=5) as server:
        server.sendall(command.encode() + b"\\n")
        return b"".join(iter(lambda: server.recv(65536), b"")).decode()
def current():
    lines = [line.split(",") for line in ask("show stat").splitlines()]
    return next(int(line[lines[0].index("scur")]) for line in lines if line[:2] == ["web", {name!r}])
said = ask("set server web/{name} state " + sys.argv[1]).strip()
if said: sys.exit(said)
while sys.argv[1] == "drain" and current(): time.sleep(0.01)
"""


@dataclass
class Balancer:
    """``port`` of this machine, behind which the services answer in turn; ``admin`` is where hosts control it."""

    port: int
    admin: tuple[str, int]

    def server(self, name: str) -> str:
        """The state of a server in HAProxy: "no check" where it sends it requests, "DRAIN" where it does not."""
        with socket.create_connection(self.admin, timeout=10) as asked:
            asked.sendall(b"show stat\n")
            lines = [line.split(",") for line in asked.makefile().read().splitlines()]
        return next(line[lines[0].index("status")] for line in lines if line[:2] == ["web", name])

    def let(self, service: Deployed, name: str) -> None:
        """Let a host drain its own server of the balancer: `/usr/local/bin/balancer drain|ready`."""
        service.host.write("/usr/local/bin/balancer", CONTROL.format(admin=self.admin, name=name), mode=0o755)


@contextmanager
def balancer(services: Sequence[Deployed], directory: Path) -> Iterator[Balancer]:
    """Run HAProxy, with one server for each service, named ``s0``, ``s1`` and so on."""
    gateway = f"{services[0].host.address.rpartition('.')[0]}.1"
    port, admin = _free("127.0.0.1"), _free(gateway)
    servers = "\n".join(f"  server s{n} {s.host.address}:{s.port}" for n, s in enumerate(services))
    configuration = directory / "haproxy.cfg"
    configuration.write_text(
        f"global\n  stats socket ipv4@{gateway}:{admin} level admin\n"
        "defaults\n  mode http\n  retries 0\n  timeout connect 2s\n  timeout client 10s\n  timeout server 10s\n"
        f"frontend entry\n  bind 127.0.0.1:{port}\n  default_backend web\n"
        f"backend web\n  balance roundrobin\n{servers}\n"
    )
    process = subprocess.Popen([HAPROXY, "-db", "-f", str(configuration)], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answer(port) == 200, 60, "an answer through HAProxy")
        yield Balancer(port, (gateway, admin))
    finally:
        process.terminate()
        process.wait(20)


@dataclass
class Load:
    """Asks one request after the other, 5 ms apart. ``lost`` has what was answered instead of 200."""

    port: int
    asked: int = 0
    lost: list[int] = field(default_factory=list)

    @contextmanager
    def going_on(self) -> Iterator[Load]:
        stop = threading.Event()

        def ask() -> None:
            while not stop.wait(0.005):
                status = answer(self.port)
                self.asked += 1
                if status != 200:
                    self.lost.append(status)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()


def answer(port: int) -> int:
    """The status of one request; 0 without an answer."""
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(request)
            head = connection.recv(65536)
    except OSError:
        return 0
    return int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/1.") else 0


def _free(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
