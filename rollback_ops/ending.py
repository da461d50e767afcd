"""How a command ends when something is in its way: an output that takes nothing, or a defect of our own."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from rollback_ops.errors import Exit, RollbackOpsError

_PACKAGE = f"{os.sep}rollback_ops{os.sep}"
_LONGEST = 300


class Ended(Exception):
    """Carries a command's exit code past Typer, which would take 2 for its own."""

    def __init__(self, code: int) -> None:
        self.code = code


def code_of(command: Callable[[], object]) -> int:
    """Run a command; the exit code that it ends with. No exception and no traceback gets past this."""
    try:
        code = _foreseen(command)
        sys.stdout.flush()
    except OSError as error:
        return _defect(error) if error.filename else _unheard(error)
    except Exception as error:
        return _defect(error)
    return code


def at_once(signal_number: int, _: object) -> NoReturn:
    """What a signal does where nothing has begun that must be seen to its end; a rollback listens for itself.

    At once: an exception could come up inside an import, or anything else that swallows it.
    """
    os._exit(128 + signal_number)


def _foreseen(command: Callable[[], object]) -> int:
    try:
        command()
    except Ended as ended:
        return ended.code
    except RollbackOpsError as error:
        from rollback_ops.report import explained
        from rollback_ops.terminal import show

        show(explained(error), err=True)
        return error.exit_code
    except SystemExit as left:
        # What is left is Typer's own: help and version with 0, and everything that was typed wrong.
        return Exit.USAGE if left.code else Exit.OK
    return Exit.OK


def _defect(error: Exception) -> int:
    """Say in a few lines what nobody foresaw, without a secret in them; the exit code.

    Python's own would be 1, which means that nothing was changed. Nobody knows that here.
    """
    from dataclasses import astuple
    from traceback import extract_tb

    from rollback_ops.masking import mask
    from rollback_ops.settings.credentials import Secrets
    from rollback_ops.wording import one_line, short

    secrets = [secret.get_secret_value() for secret in astuple(Secrets.read(os.environ)) if secret]
    what = short(one_line(mask(f"{type(error).__name__}: {error}", secrets)), _LONGEST)
    frames = [frame for frame in extract_tb(error.__traceback__) if _PACKAGE in frame.filename]
    places = [f"{frame.filename.rpartition(_PACKAGE)[2]}:{frame.lineno} {frame.name}" for frame in frames[-5:]]
    _say(
        f"error: a defect in rollback-ops: {what}",
        "  Look with `rollback-ops list` at what is live now, and please report this:",
        f"  {' > '.join(places)}",
    )
    return Exit.FAILED


@contextmanager
def shown() -> Iterator[None]:
    """What a rollback came to does not depend on whether anybody can be shown it."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        _unheard(error)


def _unheard(error: OSError) -> int:
    """Standard output takes nothing. What is left is dropped: Python would try again, and end with its own code."""
    if sys.stdout.writable():
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _say(f"error: the result could not be shown: {error.strerror or error}")
    return Exit.FAILED


def speak() -> None:
    """Make the outputs take any text: a terminal may know fewer characters than people, and an output be closed."""
    # Where one was closed, Python has none.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say(*lines: str) -> None:
    with suppress(OSError):
        sys.stderr.write("\n".join([*lines, ""]))
        sys.stderr.flush()
