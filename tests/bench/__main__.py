"""``make bench``: prints the tables that the README quotes."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.action import action
from tests.bench.cold import cold_start
from tests.bench.measures import by_answer, by_hosts, by_releases, command_line, downtime
from tests.bench.page import page
from tests.bench.small import by_small_hosts
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab, blocker


@dataclass(frozen=True)
class Bench:
    """What the tables are measured with: real hosts, one of which is booted, a directory, and what was asked for."""

    lab: Lab
    host: LabHost
    here: Path
    asked: argparse.Namespace

    @property
    def few(self) -> int:
        """Rounds of what takes long."""
        return max(3, int(self.asked.rounds) // 3)


_TABLES: dict[str, Callable[[Bench], str]] = {
    "releases": lambda b: by_releases(b.lab, b.host, b.here, b.asked.releases, b.asked.rounds),
    "answer": lambda b: by_answer(b.lab, b.host, b.here, b.asked.rounds),
    "downtime": lambda b: downtime(b.lab, b.host, b.here, b.asked.rounds),
    "action": lambda b: action(b.lab, b.host, b.here, b.few),
    "cold": lambda b: cold_start(b.here, b.few),
    "help": lambda b: command_line(b.asked.rounds),
    "page": lambda b: page(b.here, b.asked.rounds),
    "small-hosts": lambda b: by_small_hosts(b.here, b.asked.small_hosts, max(3, b.asked.rounds // 5)),
    "hosts": lambda b: by_hosts(b.lab, b.here, b.asked.hosts, b.asked.rounds),
}


def main() -> int:
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--rounds", type=int, default=15, help="of each, in turn; the median counts")
    options.add_argument("--hosts", type=int, nargs="+", default=[1, 10, 40], help="for the table of many hosts")
    options.add_argument("--releases", type=int, nargs="+", default=[4, 200, 2000], help="for the table of releases")
    options.add_argument("--small-hosts", type=int, nargs="+", default=[200], help="for the table of small hosts")
    options.add_argument(
        "--only", choices=_TABLES, nargs="+", default=list(_TABLES), help="these tables, in this order"
    )
    asked = options.parse_args()
    if missing := blocker():
        print(f"real hosts cannot be made here: {missing} is missing", file=sys.stderr)
        return 1
    with Lab() as lab, tempfile.TemporaryDirectory() as directory:
        bench = Bench(lab, lab.boot("bench"), Path(directory), asked)
        for name in asked.only:
            print(_TABLES[name](bench), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
