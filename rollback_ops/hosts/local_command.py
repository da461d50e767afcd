"""A shell command line that runs on this machine, and its output."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import IO

from rollback_ops.hosts.lines import TICK, Silence, Source


class LocalCommand:
    """One ``sh -c`` in a session of its own, so that neither our terminal nor our end signals it.

    A process that it starts in another session (``setsid``) goes on after ``hang_up``.
    """

    def __init__(
        self, command: str, environment: Mapping[str, str], directory: str | None = None, *, listens: bool = False
    ) -> None:
        """Start the command. Its standard input is empty unless it ``listens``."""
        self._process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=dict(environment),
            cwd=directory,
        )

    def output(self) -> Iterator[tuple[Source, bytes]]:
        """Yield its output as it comes, until it ends, and ``idle`` about every 0.1 s without output.

        A background process that keeps the output open is waited for at most 2 s without output.
        """
        with selectors.DefaultSelector() as selector:
            for pipe, source in self._pipes():
                selector.register(pipe, selectors.EVENT_READ, source)
            silence = Silence()
            while selector.get_map():
                ready = selector.select(TICK)
                for key, _ in ready:
                    if data := os.read(key.fd, 65536):
                        yield key.data, data
                    else:
                        selector.unregister(key.fileobj)
                if ready:
                    silence.broken()
                    continue
                yield "idle", b""
                if silence.is_over(self._process.poll() is not None):
                    break
        while not self._ended():
            yield "idle", b""

    def feed(self, data: bytes) -> None:
        """Write to its standard input, or close it when ``data`` is empty. Raises ``OSError`` when it has ended."""
        if self._process.stdin and data:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        elif self._process.stdin:
            self._process.stdin.close()

    @property
    def status(self) -> int:
        """Its exit status, as in a shell: 128 plus the number of the signal that ended it. Waits until it ends."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def hang_up(self, patience: float = 1.0) -> None:
        """Close its output and send SIGHUP, as a lost terminal does. Send SIGKILL after ``patience`` seconds."""
        for pipe, _ in self._pipes():
            pipe.close()
        self._signal(signal.SIGHUP)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """Release the pipes of a command that ended."""
        for pipe, _ in self._pipes():
            pipe.close()
        self.feed(b"")
        self._process.wait()

    def _pipes(self) -> list[tuple[IO[bytes], Source]]:
        stdout, stderr = self._process.stdout, self._process.stderr
        if stdout is None or stderr is None:
            raise AssertionError("both are pipes")
        return [(stdout, "stdout"), (stderr, "stderr")]

    def _ended(self) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(TICK)
        return self._process.returncode is not None

    def _signal(self, number: signal.Signals) -> None:
        # The number of the group cannot be reused before its leader was waited for.
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
