"""A shell command line that runs on this machine, and what it prints."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from time import monotonic
from typing import IO, Literal

TICK = 0.1
LINGER = 2.0

Source = Literal["stdout", "stderr", "idle"]


class Child:
    """One ``sh -c`` in a session of its own, so that neither our terminal nor our end signals it.

    What it starts in yet another session (``setsid``) outlives ``hang_up``.
    """

    def __init__(
        self, command: str, environment: Mapping[str, str], directory: str | None = None, *, listens: bool = False
    ) -> None:
        """With nothing on its standard input unless it ``listens``."""
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
        """What it prints, as it comes, until it has ended; ``idle`` about every 0.1 s in which nothing came.

        Something that it left behind, and that holds its output open, is waited for 2 s.
        """
        with selectors.DefaultSelector() as selector:
            for pipe, source in self._pipes():
                selector.register(pipe, selectors.EVENT_READ, source)
            heard = monotonic()
            while selector.get_map():
                ready = selector.select(TICK)
                for key, _ in ready:
                    if data := os.read(key.fd, 65536):
                        yield key.data, data
                    else:
                        selector.unregister(key.fileobj)
                if ready:
                    heard = monotonic()
                    continue
                yield "idle", b""
                if self._process.poll() is not None and monotonic() - heard > LINGER:
                    break
        while not self._ended():
            yield "idle", b""

    def feed(self, data: bytes) -> None:
        """Give it something to read; nothing at all means that no more comes. Raises ``OSError`` when it has ended."""
        if self._process.stdin and data:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        elif self._process.stdin:
            self._process.stdin.close()

    @property
    def status(self) -> int:
        """Its exit status once it ended, as a shell says it: 128 plus the number of the signal that ended it."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def hang_up(self, patience: float = 1.0) -> None:
        """What a lost terminal does: close its output and send SIGHUP; SIGKILL after ``patience`` seconds."""
        for pipe, _ in self._pipes():
            pipe.close()
        self._signal(signal.SIGHUP)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """Let go of a child that ended."""
        for pipe, _ in self._pipes():
            pipe.close()
        self.feed(b"")
        self._process.wait()

    def _pipes(self) -> list[tuple[IO[bytes], Source]]:
        stdout, stderr = self._process.stdout, self._process.stderr
        if stdout is None or stderr is None:
            raise AssertionError("both were asked for")
        return [(stdout, "stdout"), (stderr, "stderr")]

    def _ended(self) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(TICK)
        return self._process.returncode is not None

    def _signal(self, number: signal.Signals) -> None:
        # The group is still ours to name while its leader has not been waited for.
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
