"""A small SSH server on loopback, for the demo and for tests. It needs no root and no installed sshd."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType

from paramiko import Channel, ECDSAKey, PKey, ServerInterface, SSHException, Transport
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_FAILED_UNKNOWN_CHANNEL_TYPE,
    OPEN_SUCCEEDED,
)

from rollback_ops.hosts.local_command import LocalCommand
from rollback_ops.hosts.ssh.known_hosts import name_in_known_hosts

_HERE = "127.0.0.1"
_USER = "demo"
_LOOPBACK = {_HERE, "localhost", "::1"}
_KEPT = ("HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG")
_PATIENCE = 0.2
_GONE = (OSError, EOFError, SSHException)

# Without a handler, Python prints paramiko's messages about clients that disconnect, which is normal.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class LoopbackServer:
    """Runs commands for the holder of one key, with our own rights, while the ``with`` block lasts.

    Like sshd it sends SIGHUP to running commands when their client goes away; a process in its own session goes on.
    Its one user is ``demo``: our own user may be a number without a name, in a container.
    """

    def __init__(self, client_key: PKey) -> None:
        self._client_key = client_key.asbytes()
        self._host_key = ECDSAKey.generate()
        self._listener = socket.create_server((_HERE, 0))
        self._listener.settimeout(_PATIENCE)
        self._port: int = self._listener.getsockname()[1]
        self._stopping = threading.Event()
        self._clients: list[_Client] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        return self._port

    @property
    def address(self) -> str:
        """The server's address, as rollback.toml spells it."""
        return f"{_USER}@{_HERE}:{self._port}"

    @property
    def known_hosts(self) -> str:
        """The known_hosts line of the server."""
        return f"{name_in_known_hosts(_HERE, self._port)} {self._host_key.get_name()} {self._host_key.get_base64()}\n"

    def __enter__(self) -> LoopbackServer:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._accepting.join()
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection, as a failing network does. New ones are accepted."""
        clients, self._clients = self._clients, []
        for client in clients:
            client.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError, ConnectionError):
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._clients.append(_Client(connection, self._host_key, self._client_key))


class _Client(ServerInterface):
    """One client connection: its rights, and the threads that serve it."""

    def __init__(self, connection: socket.socket, host_key: PKey, client_key: bytes) -> None:
        self._client_key = client_key
        self._threads: list[threading.Thread] = []
        self._dialled: dict[int, socket.socket] = {}
        self._transport = Transport(connection)
        self._transport.add_server_key(host_key)
        self._transport.start_server(event=threading.Event(), server=self)
        self._in_thread(self._join_dialled)

    def close(self) -> None:
        self._transport.close()
        for thread in self._threads:
            thread.join()

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: PKey) -> int:
        ours = username == _USER and key.asbytes() == self._client_key
        return AUTH_SUCCESSFUL if ours else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_UNKNOWN_CHANNEL_TYPE

    def check_channel_exec_request(self, channel: Channel, command: bytes) -> bool:
        self._in_thread(partial(self._run, channel, os.fsdecode(command)))
        return True

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        if destination[0] not in _LOOPBACK:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        try:
            self._dialled[chanid] = socket.create_connection(destination, timeout=2)
        except OSError:
            return OPEN_FAILED_CONNECT_FAILED
        self._dialled[chanid].settimeout(_PATIENCE)
        return OPEN_SUCCEEDED

    def _run(self, channel: Channel, command: str) -> None:
        home = os.path.expanduser("~")
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        child = LocalCommand(command, environment, home if os.access(home, os.X_OK) else "/", listens=True)
        self._in_thread(partial(self._feed, channel, child))
        write = {"stdout": channel.sendall, "stderr": channel.sendall_stderr}
        try:
            for source, data in child.output():
                if source != "idle":
                    write[source](data)
                elif channel.closed:
                    raise ConnectionResetError
            child.close()
            channel.send_exit_status(child.status)
        except _GONE:
            child.hang_up()
        with suppress(*_GONE):
            channel.close()

    def _feed(self, channel: Channel, child: LocalCommand) -> None:
        with suppress(*_GONE, ValueError):
            while data := channel.recv(65536):
                child.feed(data)
            child.feed(b"")

    def _join_dialled(self) -> None:
        """Join each channel that was opened to a port with the connection to that port."""
        while self._transport.is_active():
            channel = self._transport.accept(_PATIENCE)
            connection = self._dialled.pop(channel.get_id(), None) if channel else None
            if channel and connection:
                self._in_thread(partial(self._join, channel, connection))
        for connection in self._dialled.values():
            connection.close()

    def _join(self, channel: Channel, connection: socket.socket) -> None:
        channel.settimeout(_PATIENCE)
        answers = self._in_thread(partial(self._pump, connection, channel))
        self._pump(channel, connection)
        answers.join()
        channel.close()
        connection.close()

    def _pump(self, source: Channel | socket.socket, sink: Channel | socket.socket) -> None:
        with suppress(*_GONE):
            while data := self._receive(source):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def _receive(self, source: Channel | socket.socket) -> bytes:
        while True:
            try:
                return source.recv(65536)
            except TimeoutError:
                if not self._transport.is_active():
                    return b""

    def _in_thread(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread
