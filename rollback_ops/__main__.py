"""The command, and ``python -m rollback_ops``. A signal ends it without a word also while it is being imported."""

import signal

from rollback_ops.ending import at_once


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, at_once)
    from rollback_ops.cli import main as run

    run()


if __name__ == "__main__":
    main()
