"""The end of the process: exit codes, signals, and outputs that cannot be written to."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, TextIO

from rollback_ops.core.errors import Exit


class Ended(Exception):
    """Carries a command's exit code past Click, which would use 2 for its own purpose."""

    def __init__(self, code: int) -> None:
        self.code = code


class OutputError(Exception):
    """Standard output cannot be written. Not an ``OSError``, because Click turns those into an exit code of its own."""


def at_once(signal_number: int, _: object) -> NoReturn:
    """Handle a signal while nothing is running that must be finished. A rollback installs its own handlers.

    Ends the process at once: an exception could be raised inside an import, or swallowed.
    """
    os._exit(128 + signal_number)


def leave(code: object) -> NoReturn:
    """End the process as it is. With many hosts, Python takes a fifth of a second to clean up."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, OutputError):
            stream.flush()
    os._exit(code if isinstance(code, int) else Exit.FAILED)


def warn(*lines: str) -> None:
    """Write lines to standard error. They must hold no secret."""
    sys.stderr.write("\n".join([*lines, ""]))


@contextmanager
def result_is_optional() -> Iterator[None]:
    """Keep the exit code of a command whose result cannot be printed."""
    try:
        yield
        sys.stdout.flush()
    except OutputError as error:
        unprinted(error)


def unprinted(error: OutputError) -> int:
    """Say on standard error that the result could not be printed. Returns the exit code of a read-only command."""
    warn(f"error: the result could not be printed: {error}")
    return Exit.FAILED


def print_only(text: str) -> int:
    """Print a text as the whole result of a command. Returns the exit code."""
    guard_outputs(lambda _: None)
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OutputError as error:
        return unprinted(error)
    return Exit.OK


def guard_outputs(crashed: Callable[[Exception], None]) -> None:
    """Make both outputs take any text, and make a closed output harmless. ``crashed`` is told of defects in threads."""

    def in_thread(crash: threading.ExceptHookArgs) -> None:
        # No code waits for that thread, and Python's own traceback would show secrets.
        if isinstance(crash.exc_value, Exception):
            crashed(crash.exc_value)

    threading.excepthook = in_thread
    sys.stdout, sys.stderr = _guarded(sys.stdout, _Results), _guarded(sys.stderr, _ProgressStream)


class _Results(io.TextIOWrapper):
    """Standard output. Text that it does not take is dropped; Python would retry, and end with another exit code."""

    def write(self, text: str, /) -> int:
        with self._dropping():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with self._dropping():
            super().flush()

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            self._dropped(error)

    def _dropped(self, error: OSError) -> None:
        # A reader that has seen enough (`| head`, `| grep -q`) is no failure of the command.
        if not isinstance(error, BrokenPipeError):
            raise OutputError(error.strerror) from None


class _ProgressStream(_Results):
    """Standard error. Progress that nobody can read must not stop a rollback in the middle."""

    def _dropped(self, error: OSError) -> None:
        pass


def _guarded(stream: TextIO | None, kind: type[_Results]) -> TextIO:
    # Python has no stream for an output that was closed.
    stream = stream or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    encoding, by_line = stream.encoding, stream.line_buffering
    return kind(stream.detach(), encoding, errors="backslashreplace", line_buffering=by_line)
