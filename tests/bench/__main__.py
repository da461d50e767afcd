"""``make bench``: prints the tables that the README quotes."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench.measures import command_line, downtime, many_hosts, one_host, survey
from tests.lab.lab import Lab, obstacle


def main() -> int:
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--rounds", type=int, default=15, help="of each, in turn; the median counts")
    options.add_argument("--hosts", type=int, default=40, help="for the table of many hosts")
    asked = options.parse_args()
    if missing := obstacle():
        print(f"real hosts cannot be made here: {missing} is missing", file=sys.stderr)
        return 1
    with Lab() as lab, tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        host = lab.boot("bench")
        print(one_host(lab, host, here, asked.rounds))
        print(downtime(lab, host, here, asked.rounds))
        print(survey(lab, host, here))
        print(command_line(asked.rounds))
        print(many_hosts(lab, here, asked.hosts, max(3, asked.rounds // 5)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
