"""``--help`` of the program, written beforehand: to make it, all commands would have to be built.

``python -m rollback_ops.cli.stored_help`` makes it anew, and ``make help`` writes it to ``cli/help.txt``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

# Not pathlib, which takes longer to import than the rest of this.
_FILE = os.path.join(os.path.dirname(__file__), "help.txt")
# Click's widest text. On a narrower terminal the lines have other breaks.
_WIDTH = 80
_ASKS = (["--help"], ["-h"])
# In a workflow, the step prints inside a fence; a shell that completes wants another text.
_OTHERWISE = ("GITHUB_ACTIONS", "_ROLLBACK_OPS_COMPLETE")


def stored_help(arguments: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """Return the stored help where only that was asked for, and Click would print the same. None: Click prints it."""
    if list(arguments) not in _ASKS or any(environ.get(name) for name in _OTHERWISE) or _columns(environ) < _WIDTH:
        return None
    try:
        with open(_FILE, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeError):
        return None


def _columns(environ: Mapping[str, str]) -> int:
    """Return the width of the terminal, as ``shutil.get_terminal_size`` finds it for Click."""
    given = environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(1).columns or _WIDTH
    except OSError:
        return _WIDTH


def made() -> str:
    """Return the help as Click makes it."""
    import click

    from rollback_ops.cli.app import app

    context = click.Context(app, info_name="rollback-ops", terminal_width=_WIDTH - 2, **app.context_settings)
    return f"{app.get_help(context)}\n"


if __name__ == "__main__":
    sys.stdout.write(made())
