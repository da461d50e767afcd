"""The ``tcp`` check: a port or a Unix socket accepts connections."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from rollback_ops.checks import build
from rollback_ops.checks.tcp import Socket, Tcp
from rollback_ops.config import TcpCheck
from rollback_ops.core.model import CommandResult
from rollback_ops.core.ports import Stream


def tcp(address: str, **settings: Any) -> Tcp:
    check = build({"db": TcpCheck.model_validate({"kind": "tcp", "address": address} | settings)}, "v1")["db"]
    assert isinstance(check, Tcp)
    return check


class Dialled:
    """Remembers what was dialled, and dials on loopback."""

    def __init__(self) -> None:
        self.addresses: list[tuple[str, int, float]] = []
        self.streams: list[socket.socket] = []

    def __call__(self, host: str, port: int, timeout: float) -> Stream:
        self.addresses.append((host, port, timeout))
        self.streams.append(socket.create_connection((host, port), timeout))
        return self.streams[-1]


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_port_that_accepts_passes_and_the_connection_is_closed(server: socket.socket) -> None:
    dial = Dialled()
    address = f"127.0.0.1:{server.getsockname()[1]}"
    assert tcp(address).probe(dial).verdict == "passed"
    assert [stream.fileno() for stream in dial.streams] == [-1]


def test_a_port_that_refuses_fails(server: socket.socket) -> None:
    address = f"127.0.0.1:{server.getsockname()[1]}"
    server.close()
    finding = tcp(address).probe(Dialled())
    assert (finding.verdict, finding.trigger) == ("failed", "verification-failed")
    assert address in finding.detail


def test_a_port_that_does_not_answer_fails_at_the_timeout() -> None:
    """A full backlog: the kernel answers no further connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        began = time.monotonic()
        finding = tcp(f"127.0.0.1:{address[1]}", timeout="300ms").probe(Dialled())
        for each in waiting:
            each.close()
    assert finding.verdict == "failed"
    assert all(shown in finding.detail for shown in (f"127.0.0.1:{address[1]}", "0.3 s"))
    assert 0.3 <= time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("address", "dialled"),
    [
        ("localhost:5432", ("localhost", 5432, 2.0)),
        ("[::1]:5432", ("::1", 5432, 2.0)),
        ("db-{release}.example.org:5432", ("db-v1.example.org", 5432, 2.0)),
    ],
)
def test_the_address_of_the_settings_is_dialled(address: str, dialled: tuple[str, int, float]) -> None:
    dial = Dialled()

    def refuse(host: str, port: int, timeout: float) -> Stream:
        dial.addresses.append((host, port, timeout))
        raise ConnectionRefusedError

    assert tcp(address).probe(refuse).verdict == "failed"
    assert dial.addresses == [dialled]


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_AGAIN, "the reason"),
        UnicodeError("the reason"),
        PermissionError("the reason"),
        ConnectionResetError("the reason"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_port_that_could_not_be_asked_is_unknown(error: Exception) -> None:
    def broken(host: str, port: int, timeout: float) -> Stream:
        raise error

    finding = tcp("db:5432").probe(broken)
    assert finding.verdict == "unknown"
    assert all(shown in finding.detail for shown in ("db:5432", "the reason"))


def test_a_name_that_does_not_resolve_is_unknown() -> None:
    assert tcp("nowhere.invalid:5432").probe(Dialled()).verdict == "unknown"


@pytest.mark.parametrize(
    ("answered", "verdict"),
    [
        (CommandResult(0, 0.1), "passed"),
        (CommandResult(1, 0.1), "failed"),
        (CommandResult(2, 0.1), "unknown"),
        (CommandResult(124, 2.0), "unknown"),
        (None, "unknown"),
    ],
)
def test_a_unix_socket_is_judged_by_the_answer_of_the_host(answered: CommandResult | None, verdict: str) -> None:
    settings = TcpCheck.model_validate({"kind": "tcp", "address": "/run/db.sock"})
    check = build({"db": settings}, "v1")["db"]
    assert isinstance(check, Socket)
    assert check.judge((), answered).verdict == verdict
