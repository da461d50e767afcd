"""``make drills``: drills on a real host, one after the other, and the table of docs/evidence.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.support.command import RollbackOps
from tests.support.lab.lab import Lab, blocker
from tests.support.scene import quick


def main() -> int:
    options = argparse.ArgumentParser(prog="make drills", description=__doc__)
    options.add_argument("--times", type=int, default=59, help="how many; the first that fails is the last")
    times = options.parse_args().times
    if missing := blocker():
        print(f"real hosts cannot be made here: {missing} is missing", file=sys.stderr)
        return 1
    with Lab() as lab, tempfile.TemporaryDirectory() as directory:
        service = lab.boot("drills").deploy("drilled", owner="root")
        secrets = {"ROLLBACK_SSH_KEY": lab.private_key, "ROLLBACK_KNOWN_HOSTS": lab.known_hosts}
        command = RollbackOps(Path(directory), secrets, warm=False)
        command.settings(quick(service))
        process = command.start("drill", "prod", "--times", str(times))
        out, err = process.communicate()
        print(out, end="")
        if process.returncode:
            print(err, end="", file=sys.stderr)
        return process.returncode


if __name__ == "__main__":
    sys.exit(main())
