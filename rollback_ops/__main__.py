"""The command, and ``python -m rollback_ops``. A signal ends it silently, even while modules are imported."""

import signal
from typing import NoReturn

from rollback_ops.cli.exit import at_once, leave


def main() -> NoReturn:
    """Run the command that was typed, and end the process with its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, at_once)
    from rollback_ops.cli.app import main as run

    try:
        run()
    except SystemExit as left:
        leave(left.code)


if __name__ == "__main__":
    main()
