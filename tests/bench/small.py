"""Hundreds of small hosts in one run: the time against as many parallel ``ssh`` lines, and the most memory.

A part of ``make bench``; alone: ``python -m tests.bench.small [HOSTS …]``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rollback_ops.core.tasks import AT_ONCE
from tests.bench.measures import in_turn, ssh_command, table, timed
from tests.support.command import RollbackOps
from tests.support.small_hosts import COMMANDS, RELEASES, ROOT, SmallHosts, small_hosts

_LINE = (
    f"ln -s releases/{RELEASES[-2]} {ROOT}/c && mv -T {ROOT}/c {ROOT}/current && ({COMMANDS['stop']}); "
    f"({COMMANDS['start']}) && cd {ROOT}/current && until {COMMANDS['status']} && test ! -e bad; do sleep 0.01; done"
)


@dataclass
class _Used:
    """The use of our command in all rounds: CPU seconds of each, and the largest resident set (MB)."""

    cpu: list[float]
    peak: float = 0.0


def by_small_hosts(here: Path, counts: Sequence[int], rounds: int) -> str:
    """The same rollback on hosts that are an sshd and a process each: hundreds of them fit on one machine."""
    rows = []
    for count in sorted(counts):
        folder = here / f"small{count}"
        folder.mkdir()
        with small_hosts(folder, count) as hosts:
            for connections in sorted({min(count, AT_ONCE), count}):
                measured = _measured(folder / str(connections), hosts, connections, rounds)
                rows.append([str(count), str(connections), *measured])
    columns = [
        "small hosts",
        "`connections`",
        "parallel `ssh` lines, s",
        "rollback-ops, s",
        "ratio",
        "its CPU, s",
        "its memory, MB",
    ]
    return table("By number of small hosts", columns, rows)


def _measured(folder: Path, hosts: SmallHosts, connections: int, rounds: int) -> list[str]:
    folder.mkdir()
    run = RollbackOps(folder, hosts.secrets, warm=False)
    run.settings(hosts.toml(None if connections == AT_ONCE else {"connections": connections}))
    known = folder / "known_hosts_of_ssh"
    known.write_text(hosts.known_hosts)
    line, used = ssh_command(folder.parent / "client_key", known), _Used([])
    plain, ours = in_turn(
        rounds,
        [
            lambda: timed(lambda: _ssh_lines(line, hosts), before=lambda: _newest_again(hosts)),
            lambda: timed(lambda: _roll_back(run, used), before=lambda: _newest_again(hosts)),
        ],
    )
    base, took = median(plain), median(ours)
    return [f"{base:.1f}", f"{took:.1f}", f"{took / base:.2f} ×", f"{median(used.cpu):.1f}", f"{used.peak:.0f}"]


def _ssh_lines(line: Sequence[str], hosts: SmallHosts) -> None:
    addresses = [address.rpartition(":") for address in hosts.addresses]
    processes = [subprocess.Popen([*line, "-p", port, host, _LINE]) for host, _, port in addresses]
    if sum(process.wait() != 0 for process in processes):
        raise RuntimeError("an ssh line failed")


def _roll_back(run: RollbackOps, used: _Used) -> None:
    command = [sys.executable, "-m", "rollback_ops", "rollback", "prod", "--reason", "benchmark", "--json"]
    with (run.directory / "out").open("w") as out, (run.directory / "err").open("w") as err:
        process = subprocess.Popen(
            command, cwd=run.directory, env=run.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError((run.directory / "err").read_text())
    used.cpu.append(usage.ru_utime + usage.ru_stime)
    used.peak = max(used.peak, usage.ru_maxrss / 1000)


def _newest_again(hosts: SmallHosts) -> None:
    for host in hosts.hosts:
        shutil.rmtree(host.disk / ".rollback", ignore_errors=True)
        (host.disk / "c").symlink_to(f"releases/{RELEASES[-1]}")
        (host.disk / "c").rename(host.disk / "current")


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.bench.small", description=__doc__)
    options.add_argument("hosts", type=int, nargs="*", default=[200])
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(by_small_hosts(Path(directory), asked.hosts, asked.rounds))


if __name__ == "__main__":
    main()
