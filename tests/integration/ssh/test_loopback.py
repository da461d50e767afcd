"""The SSH server of the demo: the part of sshd that the transport needs."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rollback_ops.cli.demo.sshd import LoopbackServer
from rollback_ops.core.errors import AuthenticationFailed, ConnectionLost, HostUntrusted
from rollback_ops.hosts.ssh.host_keys import KnownHosts
from rollback_ops.hosts.ssh.identity import LoginIdentity
from rollback_ops.hosts.ssh.keys import load_key
from rollback_ops.hosts.ssh.transport import SshTransport
from tests.support.sshd import free_port
from tests.support.toolbox import eventually
from tests.support.transports import alive, run


@pytest.fixture
def server(client_keys: dict[str, Path]) -> Iterator[LoopbackServer]:
    with LoopbackServer(load_key(client_keys["ed25519"].read_text())) as running:
        yield running


@pytest.fixture
def host(server: LoopbackServer, identity: LoginIdentity) -> Iterator[SshTransport]:
    transport = SshTransport(server.address, (), identity, KnownHosts.from_text(server.known_hosts))
    yield transport
    transport.close()


def test_a_command_gives_its_lines_its_errors_and_its_status(host: SshTransport) -> None:
    assert run(host, "echo one; printf two; echo oops >&2; cat; exit 7") == (7, ["one", "two"], "oops\n")
    assert run(host, "kill -9 $$")[0] == 137


def test_megabytes_come_through(host: SshTransport) -> None:
    lines = run(host, "head -c 5000000 /dev/zero | tr '\\0' x | fold -w 1000", 30)[1]
    assert sum(map(len, lines)) == 5_000_000


def test_only_one_key_and_one_user_can_log_in(server: LoopbackServer, client_keys: dict[str, Path]) -> None:
    trust = KnownHosts.from_text(server.known_hosts)
    key, stranger = (LoginIdentity.from_text(client_keys[name].read_text()) for name in ("ed25519", "stranger"))
    for address, identity in ((server.address, stranger), (f"other@127.0.0.1:{server.port}", key)):
        with pytest.raises(AuthenticationFailed):
            SshTransport(address, (), identity, trust).connect()


def test_each_server_has_its_own_host_key(
    server: LoopbackServer, identity: LoginIdentity, client_keys: dict[str, Path]
) -> None:
    with LoopbackServer(load_key(client_keys["ed25519"].read_text())) as other:
        known = other.known_hosts.replace(str(other.port), str(server.port))
    with pytest.raises(HostUntrusted):
        SshTransport(server.address, (), identity, KnownHosts.from_text(known)).connect()


def test_it_forwards_connections_to_loopback_only(host: SshTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = host.dial("localhost", listener.getsockname()[1], 2)
        inside, _ = listener.accept()
        with inside:
            stream.sendall(b"question")
            assert inside.recv(10) == b"question"
            inside.sendall(b"answer")
        assert (stream.recv(10), stream.recv(10)) == (b"answer", b"")
        stream.close()
    with pytest.raises(ConnectionRefusedError):
        host.dial("127.0.0.1", free_port(), 2)
    with pytest.raises(PermissionError):
        host.dial("192.0.2.1", 80, 2)


def test_commands_do_not_get_the_environment_of_the_server(host: SshTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBACK_SSH_KEY", "hunter2")
    lines = run(host, "env")[1]
    assert any(line.startswith("PATH=") for line in lines)
    assert not [line for line in lines if "hunter2" in line]


def test_a_cut_connection_ends_the_command_but_not_its_detached_process(
    server: LoopbackServer, host: SshTransport, tmp_path: Path
) -> None:
    pids: list[int] = []

    def started(line: str) -> None:
        pids.extend(map(int, line.split()))
        server.cut()

    script = f"setsid sh -c 'sleep 0.5; touch {tmp_path}/finished; sleep 30' >/dev/null 2>&1 & echo $$ $!; sleep 30"
    with pytest.raises(ConnectionLost):
        host.execute(script, started, 20)
    assert eventually(lambda: not alive(pids[0]))
    assert eventually((tmp_path / "finished").exists)
    assert alive(pids[1])
    with suppress(ProcessLookupError):
        os.killpg(pids[1], signal.SIGKILL)
    assert run(host, "echo back")[1] == ["back"]


def test_a_client_that_gives_up_on_a_command_ends_it(host: SshTransport) -> None:
    lines: list[str] = []
    with pytest.raises(ConnectionLost):
        host.execute("echo $$; sleep 30", lines.append, 0.3)
    assert eventually(lambda: not alive(int(lines[0])))


def test_nothing_is_left_after_the_end(client_keys: dict[str, Path], identity: LoginIdentity) -> None:
    before, pids = set(threading.enumerate()), []
    with LoopbackServer(load_key(client_keys["ed25519"].read_text())) as server:
        transport = SshTransport(server.address, (), identity, KnownHosts.from_text(server.known_hosts))
        with pytest.raises(ConnectionLost):
            transport.execute(
                "trap '' HUP; echo $$; while :; do sleep 1; done", lambda line: pids.append(int(line)), 0.3
            )
        with socket.create_server(("127.0.0.1", 0)) as listener:
            transport.dial("127.0.0.1", listener.getsockname()[1], 2)
    assert eventually(lambda: not alive(pids[0]))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 1)
    transport.close()
    assert eventually(lambda: set(threading.enumerate()) <= before)
