"""``make bench``: prints the tables that the README quotes."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench.action import action
from tests.bench.cold import cold_start
from tests.bench.measures import by_answer, by_hosts, by_releases, command_line, downtime
from tests.bench.page import page
from tests.bench.small import by_small_hosts
from tests.support.lab.lab import Lab, blocker


def main() -> int:
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--rounds", type=int, default=15, help="of each, in turn; the median counts")
    options.add_argument("--hosts", type=int, nargs="+", default=[1, 10, 40], help="for the table of many hosts")
    options.add_argument("--releases", type=int, nargs="+", default=[4, 200, 2000], help="for the table of releases")
    options.add_argument("--small-hosts", type=int, nargs="+", default=[200], help="for the table of small hosts")
    asked = options.parse_args()
    if missing := blocker():
        print(f"real hosts cannot be made here: {missing} is missing", file=sys.stderr)
        return 1
    with Lab() as lab, tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        host = lab.boot("bench")
        print(by_releases(lab, host, here, asked.releases, asked.rounds))
        print(by_answer(lab, host, here, asked.rounds))
        print(downtime(lab, host, here, asked.rounds))
        print(action(lab, host, here, max(3, asked.rounds // 3)))
        print(cold_start(here, max(3, asked.rounds // 3)))
        print(command_line(asked.rounds))
        print(page(here, asked.rounds))
        print(by_small_hosts(here, asked.small_hosts, max(3, asked.rounds // 5)))
        print(by_hosts(lab, here, asked.hosts, asked.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
