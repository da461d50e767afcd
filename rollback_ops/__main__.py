"""The command, and ``python -m rollback_ops``. A signal ends it silently, even while modules are imported."""

import os
import signal
import sys
from typing import NoReturn

from rollback_ops.cli.exit import at_once, leave, print_only
from rollback_ops.cli.stored_help import stored_help


def main() -> NoReturn:
    """Run the command that was typed, and end the process with its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, at_once)
    if text := stored_help(sys.argv[1:], os.environ):
        leave(print_only(text))
    # pydantic would look through all installed packages for plugins. None is wanted here, and the search takes 20 ms.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from rollback_ops.cli.start import main as run

    try:
        run()
    except SystemExit as left:
        leave(left.code)


if __name__ == "__main__":
    main()
