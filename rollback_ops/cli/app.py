"""The command line.

Everything that takes time to import is imported when a command runs: ``--help`` answers at once. The survey of the
hosts begins before the rest is imported.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import NoReturn

from rollback_ops.cli import exit as process
from rollback_ops.cli.root import app
from rollback_ops.cli.session import Session
from rollback_ops.cli.verbs import deploy, look, roll_back, set_up

__all__ = ["app", "deploy", "look", "main", "roll_back", "set_up"]


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and exit with its code. Errors that this package raises are never shown as a traceback."""
    # A command lives for seconds: collecting garbage while modules are imported only makes it start later.
    gc.disable()
    # The login runs in a thread while modules are imported here. By default Python lets it wait 5 ms, at each packet.
    sys.setswitchinterval(0.0005)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, process.at_once)
    session = Session(os.environ)
    process.guard_outputs(session.crashed)
    sys.exit(int(session.run(lambda: app(arguments, prog_name="rollback-ops", obj=session))))
