"""How a command ends when something is in its way: an output that takes nothing, or a defect of our own."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, TextIO

from rollback_ops.core.errors import Exit, RollbackOpsError

_PACKAGE = f"{os.sep}rollback_ops{os.sep}"
_LONGEST = 300


class Ended(Exception):
    """Carries a command's exit code past Typer, which would take 2 for its own."""

    def __init__(self, code: int) -> None:
        self.code = code


def code_of(command: Callable[[], object]) -> int:
    """Run a command; the exit code that it ends with. No exception and no traceback gets past this."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return _code_of(command)
    from rollback_ops.cli.actions import step

    step.begin(os.environ)
    code = _code_of(command)
    step.end(code)
    return code


def _code_of(command: Callable[[], object]) -> int:
    try:
        code = _foreseen(command)
        sys.stdout.flush()
    except _UnheardError as error:
        return _unheard(error)
    except Exception as error:
        return _defect(error)
    return code


def at_once(signal_number: int, _: object) -> NoReturn:
    """What a signal does where nothing has begun that must be seen to its end; a rollback listens for itself.

    At once: an exception could come up inside an import, or anything else that swallows it.
    """
    os._exit(128 + signal_number)


def leave(code: object) -> NoReturn:
    """End the process as it is. With many hosts Python takes a fifth of a second to tidy up what is gone anyway."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, _UnheardError):
            stream.flush()
    os._exit(code if isinstance(code, int) else Exit.FAILED)


def _foreseen(command: Callable[[], object]) -> int:
    try:
        command()
    except Ended as ended:
        return ended.code
    except RollbackOpsError as error:
        from rollback_ops.cli.actions import step
        from rollback_ops.cli.output.terminal import show
        from rollback_ops.cli.output.text import explained

        lines = list(explained(error))
        step.because(line.text for line in lines)
        show(lines, err=True)
        return error.exit_code
    except SystemExit as left:
        # What is left is Typer's own: help and version with 0, and everything that was typed wrong.
        return Exit.USAGE if left.code else Exit.OK
    return Exit.OK


def _defect(error: Exception) -> int:
    """Say what nobody foresaw; the exit code.

    Python's own would be 1, which means that nothing was changed. Nobody knows that here.
    """
    from rollback_ops.cli.actions import step

    lines = _words_for(error)
    step.because(lines)
    _say(*map(step.shown, lines))
    return Exit.FAILED


def _in_a_thread(crash: threading.ExceptHookArgs) -> None:
    """Nobody waits for that thread; Python's own words would show what is secret."""
    from rollback_ops.cli.actions import step

    if isinstance(crash.exc_value, Exception):
        _say(*map(step.shown, _words_for(crash.exc_value)))


def _words_for(error: Exception) -> tuple[str, ...]:
    """A defect in a few lines, without a secret in them."""
    from traceback import extract_tb

    from rollback_ops.config.secrets import Secrets
    from rollback_ops.core.redaction import mask
    from rollback_ops.core.text import one_line, short

    what = short(one_line(mask(f"{type(error).__name__}: {error}", Secrets.read(os.environ).texts())), _LONGEST)
    frames = [frame for frame in extract_tb(error.__traceback__) if _PACKAGE in frame.filename]
    places = [f"{frame.filename.rpartition(_PACKAGE)[2]}:{frame.lineno} {frame.name}" for frame in frames[-5:]]
    return (
        f"error: a defect in rollback-ops: {what}",
        "  Look with `rollback-ops list` at what is live now, and please report this:",
        f"  {' > '.join(places)}",
    )


@contextmanager
def shown() -> Iterator[None]:
    """What a rollback came to does not depend on whether anybody can be shown it."""
    try:
        yield
        sys.stdout.flush()
    except _UnheardError as error:
        _unheard(error)


class _UnheardError(Exception):
    """Standard output takes nothing. It is no ``OSError``: of those Typer makes a code of its own."""


def _unheard(error: _UnheardError) -> int:
    _say(f"error: the result could not be shown: {error}")
    return Exit.FAILED


class _Output(io.TextIOWrapper):
    """Standard output. What it did not take is dropped: Python would try again, and end with a code of its own."""

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
        raise _UnheardError(error.strerror) from None


class _Progress(_Output):
    """Standard error. A progress that nobody can read is no reason to leave a rollback in the middle."""

    def _dropped(self, error: OSError) -> None:
        pass


def speak() -> None:
    """Make the outputs take any text, and end nothing: a terminal may know few characters, an output be closed."""
    threading.excepthook = _in_a_thread
    sys.stdout, sys.stderr = _opened(sys.stdout, _Output), _opened(sys.stderr, _Progress)


def _opened(stream: TextIO | None, kind: type[_Output]) -> TextIO:
    # Where one was closed, Python has none.
    stream = stream or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    encoding, by_line = stream.encoding, stream.line_buffering
    return kind(stream.detach(), encoding, errors="backslashreplace", line_buffering=by_line)


def _say(*lines: str) -> None:
    sys.stderr.write("\n".join([*lines, ""]))
