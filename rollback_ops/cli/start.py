"""Starts the command that was typed.

Everything that takes time to import is imported when a command runs, and only the commands of one module are built. The
survey of the hosts begins before the rest is imported.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from rollback_ops.cli import exit as process
from rollback_ops.cli.session import Session
from rollback_ops.core.stand_ins import StandIn, standing_in

if TYPE_CHECKING:
    import click

# Where the commands of each group of the help are.
MODULES = {"Roll back": "roll_back", "Look": "look", "Deploy with it": "deploy", "Set up": "set_up"}


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and exit with its code. Errors that this package raises are never shown as a traceback."""
    # A command lives for seconds: collecting garbage while modules are imported only makes it start later.
    gc.disable()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, process.at_once)
    session = Session(os.environ)
    process.guard_outputs(session.crashed)
    typed = sys.argv[1:] if arguments is None else arguments
    sys.exit(int(session.run(lambda: app_for(typed)(typed, prog_name="rollback-ops", obj=session))))


def app_for(typed: Sequence[str]) -> click.Group:
    """Return the command line. Where the first word names a command, only the commands of its module are there."""
    # For options that are UUIDs. None is here, and to import it took a sixth of the time of Click.
    with standing_in(StandIn("uuid")):
        from rollback_ops.cli.help import GROUPS
    from rollback_ops.cli.root import app

    modules = (MODULES[title] for title, commands in GROUPS.items() if typed and typed[0] in commands)
    import_module(f"rollback_ops.cli.verbs.{found}" if (found := next(modules, "")) else "rollback_ops.cli.app")
    return app
