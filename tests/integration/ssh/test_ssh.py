"""A host over SSH, against OpenSSH's own server."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from rollback_ops.core.errors import (
    AuthenticationFailed,
    BadAnswer,
    ConnectionLost,
    HostUnreachable,
    HostUntrusted,
    UsageError,
)
from rollback_ops.hosts.ssh.host_keys import KnownHosts
from rollback_ops.hosts.ssh.identity import LoginIdentity
from rollback_ops.hosts.ssh.transport import SshTransport
from tests.support.sshd import USER, FlakyPort, Sshd, fingerprint_by_openssh, free_port, keygen
from tests.support.toolbox import eventually
from tests.support.transports import run

Start = Callable[..., Sshd]
# Seconds. Longer than a machine that is busy with other tests takes for anything here.
HANGS = 60.0


@contextmanager
def reached(
    server: Sshd,
    identity: LoginIdentity,
    trust: KnownHosts | None = None,
    gateways: tuple[str, ...] = (),
    timeout: float = 5.0,
) -> Iterator[SshTransport]:
    transport = SshTransport(
        server.address, gateways, identity, trust or KnownHosts.from_text(server.known_hosts()), timeout
    )
    try:
        yield transport
    finally:
        transport.close()


@pytest.fixture
def host(sshd: Sshd, identity: LoginIdentity) -> Iterator[SshTransport]:
    with reached(sshd, identity) as transport:
        yield transport


def failure(transport: SshTransport) -> HostUnreachable:
    with pytest.raises(HostUnreachable) as caught:
        transport.execute("true", print, 5)
    return caught.value


def trust_at(port: int, key_file: Path) -> KnownHosts:
    return KnownHosts.from_text(f"[127.0.0.1]:{port} {key_file.with_suffix('.pub').read_text()}")


# Commands


def test_a_command_gives_its_lines_its_errors_and_its_status(host: SshTransport) -> None:
    assert run(host, "echo one; echo; printf two; echo oops >&2; exit 7") == (7, ["one", "", "two"], "oops\n")


def test_one_connection_carries_many_commands(sshd: Sshd, host: SshTransport) -> None:
    host.connect()
    before = sshd.logged().count("Accepted publickey")
    assert [run(host, f"echo {number}")[1] for number in range(3)] == [["0"], ["1"], ["2"]]
    assert sshd.logged().count("Accepted publickey") == before


def test_several_threads_may_use_one_host_at_once(sshd: Sshd, identity: LoginIdentity) -> None:
    with reached(sshd, identity, timeout=HANGS) as host, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: run(host, f"sleep 0.2; echo {number}"), range(16)))
    assert answers == [(0, [str(number)], "") for number in range(16)]


def test_last_words_that_come_after_the_end_of_a_command_that_was_silent_for_long_are_heard(host: SshTransport) -> None:
    assert run(host, "sleep 2.2; (sleep 0.5; echo late) & exit 0") == (0, ["late"], "")


def test_bytes_that_are_not_utf8_are_replaced_and_characters_are_never_cut(host: SshTransport) -> None:
    assert run(host, r"printf 'caf\303'; sleep 0.1; printf '\251 \377\n'")[1] == ["café �"]


def test_standard_input_is_empty(host: SshTransport) -> None:
    assert run(host, "cat; echo end", 3)[1] == ["end"]


def test_megabytes_of_output_come_through_whole(host: SshTransport) -> None:
    status, lines, _ = run(host, "head -c 10000000 /dev/zero | tr '\\0' x | fold -w 1000", 30)
    assert status == 0
    assert sum(map(len, lines)) == 10_000_000


def test_megabytes_of_errors_do_not_stop_the_command(host: SshTransport) -> None:
    status, lines, errors = run(host, "head -c 6000000 /dev/zero | tr '\\0' e >&2; echo done", 30)
    assert (status, lines, len(errors)) == (0, ["done"], 4000)


@pytest.mark.parametrize("command", ["head -c 70000 /dev/zero", "yes 0123456789012345678901234567890123456789"])
def test_a_line_or_an_output_that_is_too_long_is_a_bad_answer(host: SshTransport, command: str) -> None:
    with pytest.raises(BadAnswer):
        run(host, command)


def test_an_error_of_the_callback_is_not_an_error_of_the_connection(host: SshTransport) -> None:
    def refuse(_: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        host.execute("echo x", refuse, 5)
    assert run(host, "echo still here")[1] == ["still here"]


# Connections that end


def test_a_connection_cut_in_the_middle_is_lost_and_the_next_command_opens_another(host: SshTransport) -> None:
    lines: list[str] = []
    with pytest.raises(ConnectionLost):
        host.execute("echo one; printf half; sleep 0.2; kill -9 $PPID; sleep 5", lines.append, 10)
    assert lines == ["one"]
    assert run(host, "echo back")[1] == ["back"]


def test_a_command_that_hangs_is_lost_when_its_time_is_up_and_the_connection_stays(
    sshd: Sshd, host: SshTransport
) -> None:
    host.connect()
    before, started = sshd.logged().count("Accepted publickey"), time.monotonic()
    with pytest.raises(ConnectionLost, match=r"0\.4 s"):
        host.execute("sleep 30", print, 0.4)
    assert time.monotonic() - started < 20
    assert run(host, "echo again")[1] == ["again"]
    assert sshd.logged().count("Accepted publickey") == before


def test_a_host_that_stops_answering_is_given_up_at_the_deadline(start_sshd: Start, identity: LoginIdentity) -> None:
    server = start_sshd()
    wire = StoppableWire(server.port)
    trust = trust_at(wire.port, server.host_keys[0])
    transport = SshTransport(f"{USER}@127.0.0.1:{wire.port}", (), identity, trust)
    assert run(transport, "echo up")[1] == ["up"]
    wire.stop()
    started = time.monotonic()
    with pytest.raises(ConnectionLost, match=r"0\.5 s"):
        transport.execute("echo never", print, 0.5)
    assert time.monotonic() - started < 9
    transport.close()
    wire.close()


def test_a_host_that_stops_answering_in_the_middle_is_given_up_at_the_deadline(
    start_sshd: Start, identity: LoginIdentity
) -> None:
    server = start_sshd()
    wire = StoppableWire(server.port)
    transport = SshTransport(f"{USER}@127.0.0.1:{wire.port}", (), identity, trust_at(wire.port, server.host_keys[0]))
    started = time.monotonic()
    with pytest.raises(ConnectionLost, match=r"0\.7 s"):
        transport.execute("echo begun; sleep 0.3; echo never", lambda _: wire.stop(), 0.7)
    assert time.monotonic() - started < 9
    transport.close()
    wire.close()


class StoppableWire:
    """A port in front of ``target``, as a network that drops all packets once it is stopped, or the connection."""

    def __init__(self, target: int) -> None:
        self._flowing = threading.Event()
        self._flowing.set()
        self._cut = False
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._flowing.clear()

    def cut(self) -> None:
        """Close the connection at the next bytes."""
        self._cut = True

    def close(self) -> None:
        for each in self._sockets:
            each.close()
        self._flowing.set()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", self._target))
        self._sockets += [client, server]
        threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
        self._pump(client, server)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                if self._cut:
                    source.shutdown(socket.SHUT_RDWR)
                    sink.shutdown(socket.SHUT_RDWR)
                    return
                sink.sendall(data)


def test_closing_twice_or_unopened_is_fine(sshd: Sshd, identity: LoginIdentity) -> None:
    transport = SshTransport(sshd.address, (), identity, KnownHosts.from_text(sshd.known_hosts()))
    transport.close()
    run(transport, "true")
    transport.close()
    transport.close()


# Keys, ours and theirs


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_every_type_of_key_logs_in(sshd: Sshd, client_keys: dict[str, Path], kind: str) -> None:
    with reached(sshd, LoginIdentity.from_text(client_keys[kind].read_text())) as host:
        assert run(host, "echo in")[1] == ["in"]


def test_a_key_with_a_passphrase_logs_in(sshd: Sshd, client_keys: dict[str, Path]) -> None:
    with reached(sshd, LoginIdentity.from_text(client_keys["locked"].read_text(), "open sesame")) as host:
        assert run(host, "echo in")[1] == ["in"]


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"])
def test_knowing_one_key_of_the_host_is_enough_whatever_its_type(
    sshd: Sshd, identity: LoginIdentity, kind: str
) -> None:
    with reached(sshd, identity, KnownHosts.from_text(sshd.known_hosts(kind))) as host:
        assert run(host, "echo in")[1] == ["in"]


def test_a_key_that_the_host_does_not_know_is_named_and_offered_once(
    start_sshd: Start, client_keys: dict[str, Path]
) -> None:
    server = start_sshd()
    with reached(server, LoginIdentity.from_text(client_keys["stranger"].read_text())) as host:
        error = failure(host)
    assert isinstance(error, AuthenticationFailed)
    assert USER in error.message
    assert fingerprint_by_openssh(client_keys["stranger"]) in error.message
    assert server.logged().count("Connection from") == 1
    assert server.logged().count("Failed publickey") == 1


def test_a_given_key_is_the_only_one_that_is_offered(
    start_sshd: Start, client_keys: dict[str, Path], agent: Callable[[Path], None]
) -> None:
    agent(client_keys["ed25519"])
    with reached(start_sshd(), LoginIdentity.from_text(client_keys["stranger"].read_text())) as host:
        assert isinstance(failure(host), AuthenticationFailed)


def test_a_host_that_requires_a_password_too_is_named_with_its_method(
    start_sshd: Start, identity: LoginIdentity
) -> None:
    with reached(start_sshd("AuthenticationMethods publickey,password"), identity) as host:
        error = failure(host)
    assert isinstance(error, AuthenticationFailed)
    assert all(text in error.message for text in (USER, "password"))


def test_an_unknown_host_key_is_refused_with_the_fingerprint_that_was_offered(
    start_sshd: Start, identity: LoginIdentity, tmp_path: Path
) -> None:
    server = start_sshd()
    with reached(
        server, identity, KnownHosts.from_text(f"elsewhere {server.host_keys[0].with_suffix('.pub').read_text()}")
    ) as host:
        error = failure(host)
    assert isinstance(error, HostUntrusted)
    assert fingerprint_by_openssh(server.host_keys[0]) in error.message
    assert server.known_hosts().strip().rsplit(" ", 1)[0] in error.hint
    assert server.logged().count("Connection from") == 1
    assert "publickey" not in server.logged()


def test_a_changed_host_key_is_refused_with_both_fingerprints(
    start_sshd: Start, identity: LoginIdentity, tmp_path: Path
) -> None:
    server, old = start_sshd(), keygen(tmp_path / "old")
    with reached(server, identity, trust_at(server.port, old)) as host:
        error = failure(host)
    assert isinstance(error, HostUntrusted)
    assert fingerprint_by_openssh(server.host_keys[0]) in error.message
    assert fingerprint_by_openssh(old) in error.message
    assert server.logged().count("Connection from") == 1


def test_a_revoked_host_key_is_refused(sshd: Sshd, identity: LoginIdentity) -> None:
    known = sshd.known_hosts("ssh-ed25519")
    with reached(sshd, identity, KnownHosts.from_text(known + "@revoked " + known)) as host:
        error = failure(host)
    assert isinstance(error, HostUntrusted)
    assert "revoked" in error.message


# Getting there


@pytest.mark.parametrize("address", ["nobody listens", "host:99999", "-oProxyCommand=id", "a@b@c", "[::1", "", "x:y"])
def test_text_that_is_not_an_address_is_a_usage_error(identity: LoginIdentity, sshd: Sshd, address: str) -> None:
    with pytest.raises(UsageError, match=re.escape(repr(address))):
        SshTransport(address, (), identity, KnownHosts.from_text(sshd.known_hosts()))


def test_an_address_may_be_a_url(sshd: Sshd, identity: LoginIdentity) -> None:
    transport = SshTransport(f"ssh://{sshd.address}", (), identity, KnownHosts.from_text(sshd.known_hosts()))
    assert run(transport, "echo in")[1] == ["in"]
    transport.close()


def test_an_ipv6_address_is_written_in_brackets(start_sshd: Start, identity: LoginIdentity) -> None:
    server = start_sshd("ListenAddress ::1")
    trust = KnownHosts.from_text(server.known_hosts().replace("127.0.0.1", "::1"))
    transport = SshTransport(f"{USER}@[::1]:{server.port}", (), identity, trust)
    assert run(transport, "echo in")[1] == ["in"]
    transport.close()


def test_a_refused_connection_is_tried_once_more_and_then_reported(identity: LoginIdentity, sshd: Sshd) -> None:
    port = free_port()
    transport = SshTransport(f"127.0.0.1:{port}", (), identity, KnownHosts.from_text(sshd.known_hosts()))
    started = time.monotonic()
    assert str(port) in failure(transport).message
    assert 0.1 <= time.monotonic() - started < 30


def test_a_name_that_does_not_resolve_is_in_the_message(identity: LoginIdentity, sshd: Sshd) -> None:
    transport = SshTransport("nowhere.invalid", (), identity, KnownHosts.from_text(sshd.known_hosts()))
    error = failure(transport)
    assert "nowhere.invalid" in error.message
    assert "DNS" in error.hint


def test_a_port_that_says_nothing_is_given_up_within_the_connect_timeout(identity: LoginIdentity, sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        trust = KnownHosts.from_text(sshd.known_hosts())
        transport = SshTransport(f"127.0.0.1:{silent.getsockname()[1]}", (), identity, trust, 0.6)
        started = time.monotonic()
        assert "0.6 s" in failure(transport).message
        assert time.monotonic() - started < 10


def test_a_connection_that_is_closed_before_ssh_begins_is_tried_once_more(sshd: Sshd, identity: LoginIdentity) -> None:
    port = FlakyPort(cuts=1, target=sshd.port)
    transport = SshTransport(f"{USER}@127.0.0.1:{port.port}", (), identity, trust_at(port.port, sshd.host_keys[0]))
    assert run(transport, "echo in")[1] == ["in"]
    assert port.accepted == 2
    transport.close()
    port.close()


def test_a_connection_that_is_always_closed_is_reported_after_the_second_time(
    sshd: Sshd, identity: LoginIdentity
) -> None:
    port = FlakyPort(cuts=9)
    transport = SshTransport(f"127.0.0.1:{port.port}", (), identity, KnownHosts.from_text(sshd.known_hosts()))
    assert str(port.port) in failure(transport).message
    assert port.accepted == 2
    port.close()


# Gateways


def test_a_route_leads_through_two_gateways_outermost_first(start_sshd: Start, identity: LoginIdentity) -> None:
    outer, inner, target = start_sshd(), start_sshd(), start_sshd()
    trust = KnownHosts.from_text("".join(server.known_hosts() for server in (outer, inner, target)))
    with reached(target, identity, trust, (outer.address, inner.address)) as host:
        assert run(host, "echo $SSH_CONNECTION")[1][0].endswith(f" {target.port}")
        run(host, "head -c 3000000 /dev/zero | tr '\\0' x | fold -w 1000", 30)
    assert eventually(lambda: all("Accepted publickey" in server.logged() for server in (outer, inner, target)))


def test_a_gateway_with_an_unexpected_key_stops_us_there(
    start_sshd: Start, identity: LoginIdentity, tmp_path: Path
) -> None:
    outer, inner, target = start_sshd(), start_sshd(), start_sshd()
    strange = keygen(tmp_path / "strange").with_suffix(".pub").read_text()
    known = outer.known_hosts() + f"[127.0.0.1]:{inner.port} {strange}" + target.known_hosts()
    with reached(target, identity, KnownHosts.from_text(known), (outer.address, inner.address)) as host:
        error = failure(host)
    assert isinstance(error, HostUntrusted)
    assert error.message.startswith(inner.address)
    assert "Connection from" not in target.logged()


def test_a_gateway_that_forbids_the_forwarding_differs_from_one_that_cannot_reach_the_host(
    start_sshd: Start, identity: LoginIdentity
) -> None:
    strict, open_, target = start_sshd("AllowTcpForwarding no"), start_sshd(), start_sshd()
    trust = KnownHosts.from_text("".join(server.known_hosts() for server in (strict, open_, target)))
    with reached(target, identity, trust, (strict.address,)) as host:
        assert "AllowTcpForwarding" in failure(host).hint
    target.process.terminate()
    target.process.wait(60)
    with reached(target, identity, trust, (open_.address,)) as host:
        error = failure(host)
    assert "AllowTcpForwarding" not in error.hint
    assert str(target.port) in error.message


def test_what_a_gateway_could_not_do_is_told_as_the_gateway_told_it(start_sshd: Start, identity: LoginIdentity) -> None:
    gateway = start_sshd()
    trust = KnownHosts.from_text(gateway.known_hosts())

    def told(host: str) -> HostUnreachable:
        return failure(SshTransport(host, (gateway.address,), identity, trust, 20))

    unresolved, unrouted, closed = told("nowhere.invalid"), told("[2001:db8::1]:22"), told(f"127.0.0.1:{free_port()}")
    assert "nowhere.invalid" in unresolved.message
    assert "DNS of the gateway" in unresolved.hint
    assert re.search("route|unreachable", unrouted.message)
    assert "DNS" not in str(unrouted) + str(closed)
    assert "refused" in closed.message
    assert "refused" not in str(unresolved) + str(unrouted)


@pytest.mark.parametrize(
    ("setting", "keyword"),
    [
        ("Ciphers chacha20-poly1305@openssh.com", "Ciphers"),
        ("KexAlgorithms sntrup761x25519-sha512@openssh.com", "KexAlgorithms"),
        ("MACs umac-128-etm@openssh.com", "MACs"),
    ],
)
def test_algorithms_that_both_sides_do_not_share_are_named_from_both_sides(
    start_sshd: Start, identity: LoginIdentity, setting: str, keyword: str
) -> None:
    with reached(start_sshd(setting), identity) as host:
        error = failure(host)
    assert setting.split()[1] in error.message
    assert keyword in error.hint
    assert "aes256-gcm@openssh.com" in error.hint or keyword != "Ciphers"


def test_what_a_host_says_at_the_login_is_shown(
    start_sshd: Start, client_keys: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "banner").write_text("Closed for maintenance\nuntil 14:00\x1b[31m\n")
    with reached(
        start_sshd(f"Banner {tmp_path}/banner"), LoginIdentity.from_text(client_keys["stranger"].read_text())
    ) as host:
        error = failure(host)
    assert "Closed for maintenance until 14:00" in error.hint
    assert "\x1b" not in str(error)


def test_what_a_port_says_before_it_closes_the_connection_is_shown(identity: LoginIdentity, sshd: Sshd) -> None:
    def drop(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.sendall(b"Not allowed at this time\r\n")
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drop, args=(listener,), daemon=True).start()
        trust = KnownHosts.from_text(sshd.known_hosts())
        host = SshTransport(f"127.0.0.1:{listener.getsockname()[1]}", (), identity, trust)
        assert "Not allowed at this time" in failure(host).message
        listener.shutdown(socket.SHUT_RDWR)


def test_a_silent_host_behind_a_gateway_is_given_up_within_the_connect_timeout(
    start_sshd: Start, identity: LoginIdentity
) -> None:
    gateway = start_sshd()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        trust = KnownHosts.from_text(gateway.known_hosts())
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        transport = SshTransport(address, (gateway.address,), identity, trust, 1.0)
        started = time.monotonic()
        error = failure(transport)
        assert all(text in error.message for text in (address, "1 s"))
        assert time.monotonic() - started < 10


def test_at_most_eight_handshakes_at_a_time_reach_one_gateway(identity: LoginIdentity, sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        silent.settimeout(0.3)
        gateway, trust = f"127.0.0.1:{silent.getsockname()[1]}", KnownHosts.from_text(sshd.known_hosts())
        hosts = [SshTransport(f"10.0.0.{last}", (gateway,), identity, trust, 1.0) for last in range(12)]
        with ThreadPoolExecutor(12) as pool:
            failures = pool.map(failure, hosts)
            waiting: list[socket.socket] = []
            with suppress(TimeoutError):
                while True:
                    waiting.append(silent.accept()[0])
            assert len(waiting) == 8
            assert all("1 s" in error.message for error in failures)
        for connection in waiting:
            connection.close()


@pytest.mark.long
def test_many_hosts_at_once_do_not_overrun_their_gateway(start_sshd: Start, identity: LoginIdentity) -> None:
    gateway, target = start_sshd("MaxStartups 10:100:10"), start_sshd("MaxStartups 100")
    trust = KnownHosts.from_text(gateway.known_hosts() + target.known_hosts())
    hosts = [SshTransport(target.address, (gateway.address,), identity, trust, 20) for _ in range(24)]
    with ThreadPoolExecutor(24) as pool:
        assert [answer[0] for answer in pool.map(lambda host: run(host, "true", 20), hosts)] == [0] * 24
    for host in hosts:
        host.close()
    assert gateway.logged().count("Accepted publickey") == 24


# Ports as the host sees them


def test_dial_reaches_a_port_of_the_host_and_a_closed_one_is_refused(host: SshTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = host.dial("127.0.0.1", listener.getsockname()[1], 2)
        server, _ = listener.accept()
        with server:
            stream.sendall(b"question")
            assert server.recv(10) == b"question"
            server.sendall(b"answer")
            assert stream.recv(10) == b"answer"
            stream.settimeout(0.05)
            with pytest.raises(TimeoutError):
                stream.recv(1)
        stream.close()
    with pytest.raises(ConnectionRefusedError):
        host.dial("127.0.0.1", free_port(), 2)


@pytest.mark.parametrize("linger", [False, True], ids=["closed", "reset"])
def test_a_stream_ends_when_the_service_closes_or_resets_it(host: SshTransport, linger: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = host.dial("127.0.0.1", listener.getsockname()[1], 20)
        server, _ = listener.accept()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", linger, 0))
        server.close()
        assert stream.recv(10) == b""
        stream.close()


def test_a_stream_whose_connection_is_lost_does_not_end_like_one_that_the_service_closes(
    start_sshd: Start, identity: LoginIdentity
) -> None:
    server = start_sshd()
    wire = StoppableWire(server.port)
    host = SshTransport(f"{USER}@127.0.0.1:{wire.port}", (), identity, trust_at(wire.port, server.host_keys[0]))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = host.dial("127.0.0.1", listener.getsockname()[1], 20)
        service, _ = listener.accept()
        wire.cut()
        service.sendall(b"half an answer")
        with pytest.raises(ConnectionLost):
            stream.recv(20)
        with pytest.raises(ConnectionLost):
            stream.sendall(b"more")
        service.close()
        stream.close()
    host.close()
    wire.close()


@pytest.mark.parametrize("setting", ["AllowTcpForwarding no", "PermitOpen 127.0.0.1:1"])
def test_dial_tells_a_forwarding_that_sshd_forbids_from_a_refused_port(
    start_sshd: Start, identity: LoginIdentity, setting: str
) -> None:
    with reached(start_sshd(setting), identity) as host, pytest.raises(PermissionError):
        host.dial("127.0.0.1", 80, 2)


def test_dial_tells_a_name_that_the_host_cannot_resolve_from_a_refused_port(host: SshTransport) -> None:
    with pytest.raises(socket.gaierror, match=r"nowhere\.invalid"):
        host.dial("nowhere.invalid", 80, 20)


def test_dials_at_the_same_time_get_their_own_errors(host: SshTransport) -> None:
    def error(address: tuple[str, int]) -> type[Exception]:
        with pytest.raises((socket.gaierror, ConnectionError)) as caught:
            host.dial(*address, 20)
        return caught.type

    host.connect()
    addresses = [("nowhere.invalid", 80), ("127.0.0.1", free_port())] * 8
    with ThreadPoolExecutor(len(addresses)) as pool:
        assert list(pool.map(error, addresses)) == [socket.gaierror, ConnectionRefusedError] * 8


def test_dial_tells_a_lost_connection_from_a_refused_port(start_sshd: Start, identity: LoginIdentity) -> None:
    server = start_sshd()
    wire = StoppableWire(server.port)
    host = SshTransport(f"{USER}@127.0.0.1:{wire.port}", (), identity, trust_at(wire.port, server.host_keys[0]))
    host.connect()
    wire.cut()
    with pytest.raises(ConnectionResetError):
        host.dial("127.0.0.1", free_port(), 20)
    host.close()
    wire.close()
