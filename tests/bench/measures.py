"""The measures: the same rollback by one plain ``ssh`` line and by us, in turn on the same host."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median

from tests.end_to_end.command import RollbackOps
from tests.lab.deploy import Deployed
from tests.lab.ground import wait_until
from tests.lab.host import LabHost
from tests.lab.lab import Lab

_RELEASES = {f"2024010{n}_120000": "healthy" for n in range(1, 5)}
_NO_WINDOW = {"min_healthy_time": "0s"}


def one_host(lab: Lab, host: LabHost, here: Path, rounds: int) -> str:
    """Whole-process wall time of a standard rollback with its checks, against one ssh line that does the same."""
    service, run = _prepared(lab, host, here, "one")
    plain, ours = _in_turn(
        rounds,
        [
            lambda: _timed(lambda: _ssh_line(lab, [service]), before=lambda: _newest_again(service)),
            lambda: _timed(lambda: _rollback(run), before=lambda: _newest_again(service)),
        ],
    )
    return _table("One host, standard rollback", [("one `ssh` line", plain), ("rollback-ops", ours)])


def downtime(lab: Lab, host: LabHost, here: Path, rounds: int) -> str:
    """How long a client that asks every 10 ms gets no answer."""
    service, run = _prepared(lab, host, here, "down")
    restart = f"systemctl restart {service.units[0]}"
    plain, ours = _in_turn(
        rounds,
        [
            lambda: _gap(service, lambda: host.run(restart)),
            lambda: _gap(service, lambda: _rollback(run), before=lambda: _newest_again(service)),
        ],
    )
    return _table("Downtime seen by a client", [("`systemctl restart` alone", plain), ("rollback-ops", ours)])


def survey(lab: Lab, host: LabHost, here: Path) -> str:
    """`list` with many releases; most of it is Python starting."""
    rows = []
    for count in (4, 200, 2000):
        service, run = _prepared(lab, host, here, f"survey{count}")
        host.run(
            f"cd {service.releases_directory} && for n in $(seq {count - 4}); do "
            f"mkdir 2023_$n && cp 20240101_120000/* 2023_$n/; done"
        )
        rows.append((f"{count} releases", _repeated(lambda run=run: run("check", "prod"), 5)))
    return _table("`check`, by number of releases", rows)


def command_line(rounds: int) -> str:
    """CPU time of `--help`."""

    def cpu() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "rollback_ops", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return _table("CPU time of `rollback-ops --help`", [("rollback-ops --help", [cpu() for _ in range(rounds)])])


def many_hosts(lab: Lab, here: Path, count: int, rounds: int) -> str:
    """The same rollback on many hosts at once, against as many parallel ssh processes."""
    hosts = list(lab.boot_all(f"many{n}" for n in range(count)))
    services = [host.deploy("many", owner="root", layout="releases", releases=_RELEASES) for host in hosts]
    run = _command(lab, services[0], here / "many", [f"root@{host.address}" for host in hosts])

    def again() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(_newest_again, services))

    plain, ours = _in_turn(
        rounds,
        [
            lambda: _timed(lambda: _ssh_line(lab, services), before=again),
            lambda: _timed(lambda: _rollback(run), before=again),
        ],
    )
    return _table(f"{count} hosts at once", [(f"{count} parallel `ssh` lines", plain), ("rollback-ops", ours)])


def _prepared(lab: Lab, host: LabHost, here: Path, name: str) -> tuple[Deployed, RollbackOps]:
    service = host.deploy(name, owner="root", layout="releases", releases=_RELEASES)
    return service, _command(lab, service, here / name, [f"root@{host.address}"])


def _command(lab: Lab, service: Deployed, directory: Path, addresses: Sequence[str]) -> RollbackOps:
    directory.mkdir()
    run = RollbackOps(directory, {"ROLLBACK_SSH_KEY": lab.private_key, "ROLLBACK_KNOWN_HOSTS": lab.known_hosts})
    run.settings(service.toml(addresses, verify=_NO_WINDOW))
    return run


def _rollback(run: RollbackOps) -> None:
    ended = run("rollback", "prod", "--reason", "benchmark")
    if ended.code:
        raise RuntimeError(ended.err + ended.out)


def _ssh_line(lab: Lab, services: Sequence[Deployed]) -> None:
    """What one would type: switch, restart, and ask for the health until it is there."""
    processes, ssh = [], _ssh(lab)
    for service in services:
        target = f"{service.releases_directory}/20240103_120000"
        line = (
            f"ln -s {target} {service.root}/current.new && mv -T {service.root}/current.new {service.root}/current && "
            f"systemctl restart {service.units[0]} && "
            f"until curl -sf http://127.0.0.1:{service.port}/health >/dev/null; do sleep 0.01; done"
        )
        processes.append(subprocess.Popen([*ssh, f"root@{service.host.address}", line]))
    if any(process.wait() for process in processes):
        raise RuntimeError("an ssh line failed")


def _ssh(lab: Lab) -> list[str]:
    known = Path(lab.key_file).with_name("bench_known_hosts")
    known.write_text(lab.known_hosts)
    options = {
        "UserKnownHostsFile": str(known),
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
    }
    return ["ssh", "-F", "none", "-i", str(lab.key_file), *(f"-o{k}={v}" for k, v in options.items())]


def _newest_again(service: Deployed) -> None:
    """As if the newest release had just been deployed, and nothing had ever happened."""
    service.host.run(
        f"rm -rf {service.root}/.rollback && ln -s {service.releases_directory}/20240104_120000 {service.root}/c && "
        f"mv -T {service.root}/c {service.root}/current && systemctl restart {service.units[0]}"
    )
    wait_until(service.listens, 15, "the service listening", interval=0.005)


def _timed(work: Callable[[], object], before: Callable[[], object]) -> float:
    before()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _gap(service: Deployed, work: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """The longest time between two answers while the work goes on."""
    before()
    done = threading.Event()
    answered: list[float] = []

    def poll() -> None:
        while not done.is_set():
            if _answers(service):
                answered.append(time.perf_counter())
            done.wait(0.01)

    poller = threading.Thread(target=poll)
    poller.start()
    wait_until(lambda: len(answered) > 3, 5, "the client's first answers", interval=0.01)
    work()
    seen = len(answered)
    wait_until(lambda: len(answered) > seen + 3, 5, "the client's last answers", interval=0.01)
    done.set()
    poller.join()
    return max(later - earlier for earlier, later in pairwise(answered))


def _answers(service: Deployed) -> bool:
    try:
        with socket.create_connection((service.host.address, service.port), timeout=1) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _in_turn(rounds: int, works: Iterable[Callable[[], float]]) -> list[list[float]]:
    """One of each, again and again: what else the machine does hits all alike."""
    results: list[list[float]] = [[] for _ in works] if isinstance(works, list) else []
    for _ in range(rounds):
        for result, work in zip(results, works, strict=True):
            result.append(work())
    return results


def _repeated(work: Callable[[], object], rounds: int) -> list[float]:
    return [_timed(work, before=lambda: None) for _ in range(rounds)]


def _table(title: str, rows: Sequence[tuple[str, list[float]]]) -> str:
    base = median(rows[0][1])
    lines = [f"\n{title} (median of {len(rows[0][1])})", "", "| | seconds | ratio |", "| --- | --- | --- |"]
    lines += [f"| {name} | {median(times):.3f} | {median(times) / base:.2f} × |" for name, times in rows]
    return "\n".join(lines)
