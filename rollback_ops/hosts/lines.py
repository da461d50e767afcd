"""Turn the output of a command, which comes in pieces, into lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Literal

from rollback_ops.core.errors import BadAnswer, ConnectionLost
from rollback_ops.hosts.transport import Completed

LONGEST_LINE = 64 * 1024
MOST_OUTPUT = 16 * 1024 * 1024
# A line takes more memory than its bytes: 16 million empty ones take gigabytes. A journal of 8 MB has a tenth of this.
MOST_LINES = 200_000
STDERR_KEPT = 4_000

# Seconds: how often a silent command is looked at, and how long a background process may keep the output open.
TICK = 0.1
LINGER = 2.0

Source = Literal["stdout", "stderr", "idle"]


class LineSplitter:
    """Hands over whole lines. Each is decoded by itself, so a character that the network cut in two stays whole."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._pending = b""
        self._received = 0
        self._handed = 0

    def feed(self, data: bytes) -> None:
        """Take the next piece. Raises ``BadAnswer`` for a line, or an output, that is too long."""
        self._received += len(data)
        if self._received > MOST_OUTPUT:
            raise BadAnswer(f"the command printed more than {MOST_OUTPUT // 1024**2} MiB")
        *whole, self._pending = (self._pending + data).split(b"\n")
        for line in whole:
            self._emit(line)
        if len(self._pending) > LONGEST_LINE:
            self._emit(self._pending)

    def finish(self) -> None:
        """Hand over the text after the last newline. Only for a command that ended by itself."""
        if self._pending:
            self._emit(self._pending)
            self._pending = b""

    def _emit(self, line: bytes) -> None:
        if len(line) > LONGEST_LINE:
            raise BadAnswer(f"the command printed a line of more than {LONGEST_LINE // 1024} KiB")
        self._handed += 1
        if self._handed > MOST_LINES:
            raise BadAnswer(f"the command printed more than {MOST_LINES:,} lines")
        self._on_line(line.decode("utf-8", errors="replace"))


class _ErrorTail:
    """The last 4,000 characters of a command's standard error."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes) -> None:
        self._kept = (self._kept + data)[-4 * STDERR_KEPT :]

    def text(self) -> str:
        return self._kept.decode("utf-8", errors="replace")[-STDERR_KEPT:]


class Silence:
    """Measures how long an ended command has printed nothing. A background process may keep its output open."""

    def __init__(self) -> None:
        self._since: float | None = None

    def broken(self) -> None:
        """Note that it printed something."""
        self._since = None

    def is_over(self, ended: bool) -> bool:
        """Return whether to stop waiting. The last output may arrive later than the news of the end."""
        if ended and self._since is None:
            self._since = monotonic()
        return self._since is not None and monotonic() - self._since > LINGER


class OutputReader:
    """Hands over the lines of one command as they come, until its deadline."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._lines = LineSplitter(on_line)
        self._tail = _ErrorTail()

    def follow(self, output: Iterable[tuple[Source, bytes]], timeout: float, name: str) -> None:
        """Read until the output ends. Raises ``ConnectionLost`` when that takes more than ``timeout`` seconds."""
        deadline = monotonic() + timeout
        for source, data in output:
            if source == "stdout":
                self._lines.feed(data)
            elif source == "stderr":
                self._tail.feed(data)
            if monotonic() > deadline:
                raise too_slow(name, timeout)

    @property
    def errors(self) -> str:
        """The last 4,000 characters of its standard error."""
        return self._tail.text()

    def completed(self, status: int) -> Completed:
        """Return how the command ended, after handing over the text that follows the last newline.

        Not for a lost connection: that text would be half a line.
        """
        self._lines.finish()
        return Completed(status, self.errors)


def too_slow(name: str, timeout: float) -> ConnectionLost:
    return ConnectionLost(f"{name}: the command did not end within {timeout:g} s")


def lost(name: str) -> ConnectionLost:
    return ConnectionLost(f"{name}: the connection ended before the command did")
