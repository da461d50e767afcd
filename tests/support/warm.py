"""Starts the command without its imports: a process that has made them forks for each run.

The imports would take most of the time of a test on a real host. Each run is a process of its own all the same, with
its own arguments, environment, directory, outputs and signals; only ``/proc`` shows where it came from. The warm
process runs this module. It reads one socket: each message on it is an order.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol

import rollback_ops
from tests.support.project import PROJECT

# What our modules import where they first need it.
_LATE = ("fabric", "github", "invoke", "paramiko", "requests")
_LONGEST_ORDER = 1 << 20
_one_at_a_time = threading.Lock()


class Process(Protocol):
    """The part of ``subprocess.Popen`` that tests use on a command that they started."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | Any: ...
    @property
    def stdout(self) -> IO[str] | None: ...
    @property
    def stderr(self) -> IO[str] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


class Forked:
    """A command that was forked from the warm process. ``_end`` is where its exit status comes from."""

    def __init__(self, pid: int, out: int, err: int, end: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout, self.stderr = os.fdopen(out), os.fdopen(err)
        self._heard = {out: b"", err: b""}
        self._end = end

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; minus the number of the signal that ended it. Raises ``subprocess.TimeoutExpired``."""
        if self.returncode is None:
            if not select.select([self._end], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = int(self._end.recv(16))
            self._end.close()
        return self.returncode

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]:
        """All that it still prints until its end. Raises ``subprocess.TimeoutExpired``; then ask again."""
        end = None if timeout is None else time.monotonic() + timeout
        with selectors.DefaultSelector() as silent:
            for stream in (self.stdout, self.stderr):
                if not stream.closed:
                    silent.register(stream, selectors.EVENT_READ)
            while silent.get_map():
                left = None if end is None else end - time.monotonic()
                if not (ready := silent.select(left)) and left is not None:
                    raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
                for key, _ in ready:
                    self._heard[key.fd] += (heard := os.read(key.fd, 1 << 16))
                    if not heard:
                        silent.unregister(key.fileobj)
                        (self.stdout if key.fileobj is self.stdout else self.stderr).close()
        self.wait(None if end is None else max(0.0, end - time.monotonic()))
        out, err = (heard.decode() for heard in self._heard.values())
        return out, err

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(arguments: Sequence[str], directory: Path, environment: Mapping[str, str]) -> Process:
    """Start the command in a directory, with this environment and no input."""
    out, its_out = os.pipe()
    err, its_err = os.pipe()
    end, its_end = socket.socketpair()
    order = json.dumps([arguments, str(directory), dict(environment)]).encode()
    with _one_at_a_time:
        orders = _warm()
    with its_end:
        socket.send_fds(orders, [order], [its_out, its_err, its_end.fileno()])
    os.close(its_out)
    os.close(its_err)
    pid = end.recv(16)
    assert pid, "the process that starts commands is gone"
    return Forked(int(pid), out, err, end)


@functools.cache
def _warm() -> socket.socket:
    """The way to the warm process of this process. It ends with us."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # Its streams are pipes, as those of the runs are, and its locale is theirs.
    environment = {"PATH": os.environ["PATH"], "PYTHONWARNINGS": "error", "PYDANTIC_DISABLE_PLUGINS": "__all__"}
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm", str(its.fileno())],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[its.fileno()],
        )

    def end() -> None:
        ours.close()
        process.communicate()

    atexit.register(end)
    return ours


def main() -> None:
    """Import everything, and fork for each order until nobody is left to give one."""
    for module in pkgutil.walk_packages(rollback_ops.__path__, "rollback_ops."):
        importlib.import_module(module.name)
    for name in _LATE:
        importlib.import_module(name)
    gc.freeze()
    # Nobody here waits for the children.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        while True:
            order, descriptors, *_ = socket.recv_fds(orders, _LONGEST_ORDER, 3)
            if not order:
                return
            if os.fork() == 0:
                orders.close()
                _keep(order, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)


def _keep(order: bytes, descriptors: list[int]) -> NoReturn:
    """Run the command in a child, and say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    out, err, end = descriptors
    pid = os.fork()
    if pid == 0:
        os.close(end)
        _become(order, out, err)
    os.close(out)
    os.close(err)
    with socket.socket(fileno=end) as teller:
        teller.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        with suppress(OSError):
            teller.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(order: bytes, out: int, err: int) -> NoReturn:
    from rollback_ops.__main__ import main as command

    arguments, directory, environment = json.loads(order)
    for descriptor, number in ((out, 1), (err, 2)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    gc.unfreeze()
    command()


if __name__ == "__main__":
    main()
