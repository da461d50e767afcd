"""The measures: the same rollback by one plain ``ssh`` line and by us, in turn on the same host."""

from __future__ import annotations

import json
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
from typing import Any

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab

_RELEASES = {f"2024010{n}_120000": "healthy" for n in range(1, 5)}
_NO_WINDOW = {"min_healthy_time": "0s"}


def downtime(lab: Lab, host: LabHost, here: Path, rounds: int) -> str:
    """Return the table of the downtimes that a client sees, with a request every 10 ms."""
    service, run = prepared(lab, host, here, "down")
    restart = f"systemctl restart {service.units[0]}"
    plain, ours = in_turn(
        rounds,
        [
            lambda: _gap(service, lambda: host.run(restart)),
            lambda: _gap(service, lambda: roll_back(run), before=lambda: newest_again(service)),
        ],
    )
    columns = ["`systemctl restart` alone, s", "rollback-ops, s", "ratio"]
    return table("Downtime seen by a client", columns, [_compared(plain, ours)])


def by_releases(lab: Lab, host: LabHost, here: Path, counts: Sequence[int], rounds: int) -> str:
    """A standard rollback with its checks on a host that keeps so many releases; how long it looked around first."""
    rows = []
    for count in counts:
        service = host.deploy(f"keeps{count}", owner="root", layout="releases", releases=_RELEASES)
        host.run(
            f"cd {service.releases_directory} && for n in $(seq {count - len(_RELEASES)}); do "
            f"mkdir 2023_$n && cp 20240101_120000/* 2023_$n/; done"
        )
        run = _command(lab, service, here / f"keeps{count}", [f"root@{host.address}"])
        surveys: list[float] = []
        plain, ours = _rollbacks(lab, [service], run, rounds, surveys)
        rows.append([str(count), *_compared(plain, ours), f"{median(surveys):.3f}"])
    return table(
        "By number of releases", ["releases", "one `ssh` line, s", "rollback-ops, s", "ratio", "survey, s"], rows
    )


def by_answer(lab: Lab, host: LabHost, here: Path, rounds: int) -> str:
    """A standard rollback of a service that answers at once, and of one that takes 0.3 s to answer."""
    rows = []
    for name, behaviour in (("at once", "healthy"), ("in 0.3 s", "answers_in_300ms")):
        service, run = prepared(lab, host, here, f"answers-{behaviour.replace('_', '-')}", behaviour)
        rows.append([name, *_compared(*_rollbacks(lab, [service], run, rounds))])
    columns = ["the service answers", "one `ssh` line, s", "rollback-ops, s", "ratio"]
    return table("By how long the service takes to answer", columns, rows)


def command_line(rounds: int) -> str:
    """CPU time of `--help`."""

    def cpu() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "rollback_ops", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return table("CPU time", ["`rollback-ops --help`, s"], [[f"{median(cpu() for _ in range(rounds)):.3f}"]])


def by_hosts(lab: Lab, here: Path, counts: Sequence[int], rounds: int) -> str:
    """The same rollback on many hosts at once, against as many parallel ``ssh`` lines."""
    services: list[Deployed] = []
    rows = []
    for count in sorted(counts):
        # Those that have nothing to do yet would take their part of the machine.
        hosts = lab.boot_all(f"many{n}" for n in range(len(services), count))
        services += [host.deploy("many", owner="root", layout="releases", releases=_RELEASES) for host in hosts]
        addresses = [f"root@{service.host.address}" for service in services]
        run = _command(lab, services[0], here / f"many{count}", addresses)
        rows.append([str(count), *_compared(*_rollbacks(lab, services, run, rounds))])
    return table("By number of hosts", ["hosts", "parallel `ssh` lines, s", "rollback-ops, s", "ratio"], rows)


def _rollbacks(
    lab: Lab, services: Sequence[Deployed], run: RollbackOps, rounds: int, surveys: list[float] | None = None
) -> list[list[float]]:
    """Seconds of the plain ``ssh`` lines and of ours, in turn; notes how long our surveys took."""

    def again() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(newest_again, services))

    def ours() -> None:
        record = roll_back(run)
        if surveys is not None:
            steps = {step["name"]: step["seconds"] for step in record["hosts"][0]["steps"]}
            surveys.append(steps["find"])

    return in_turn(
        rounds, [lambda: timed(lambda: _ssh_line(lab, services), before=again), lambda: timed(ours, before=again)]
    )


def prepared(
    lab: Lab, host: LabHost, here: Path, name: str, behaviour: str = "healthy"
) -> tuple[Deployed, RollbackOps]:
    service = host.deploy(name, owner="root", layout="releases", releases=dict.fromkeys(_RELEASES, behaviour))
    return service, _command(lab, service, here / name, [f"root@{host.address}"])


def _command(lab: Lab, service: Deployed, directory: Path, addresses: Sequence[str]) -> RollbackOps:
    directory.mkdir()
    run = RollbackOps(
        directory, {"ROLLBACK_SSH_KEY": lab.private_key, "ROLLBACK_KNOWN_HOSTS": lab.known_hosts}, warm=False
    )
    run.settings(service.toml(addresses, verify=_NO_WINDOW))
    return run


def roll_back(run: RollbackOps) -> dict[str, Any]:
    ended = run("rollback", "prod", "--reason", "benchmark", "--json")
    if ended.code:
        raise RuntimeError(ended.err + ended.out)
    record: dict[str, Any] = json.loads(ended.out)
    return record


def _ssh_line(lab: Lab, services: Sequence[Deployed]) -> None:
    """Run the line that a person would type: switch, restart, and poll the health until it is there."""
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
    return ssh_command(Path(lab.key_file), known)


def ssh_command(key: Path, known: Path) -> list[str]:
    """A plain ``ssh`` with this key and these known hosts, and nothing of the person's own configuration."""
    options = {
        "UserKnownHostsFile": str(known),
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
    }
    return ["ssh", "-F", "none", "-i", str(key), *(f"-o{k}={v}" for k, v in options.items())]


def newest_again(service: Deployed) -> None:
    """As if the newest release had just been deployed, and nothing had ever happened."""
    service.host.run(
        f"rm -rf {service.root}/.rollback && ln -s {service.releases_directory}/20240104_120000 {service.root}/c && "
        f"mv -T {service.root}/c {service.root}/current && systemctl restart {service.units[0]}"
    )
    wait_until(service.listens, 60, "the service listening", interval=0.005)


def timed(work: Callable[[], object], before: Callable[[], object]) -> float:
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
    wait_until(lambda: len(answered) > 3, 60, "the client's first answers", interval=0.01)
    work()
    seen = len(answered)
    wait_until(lambda: len(answered) > seen + 3, 60, "the client's last answers", interval=0.01)
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


def in_turn(rounds: int, works: Sequence[Callable[[], float]]) -> list[list[float]]:
    """One of each, again and again: what else the machine does hits all alike."""
    results: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for result, work in zip(results, works, strict=True):
            result.append(work())
    return results


def _compared(plain: Sequence[float], ours: Sequence[float]) -> list[str]:
    """The medians, and their ratio."""
    base, own = median(plain), median(ours)
    return [f"{base:.3f}", f"{own:.3f}", f"{own / base:.2f} ×"]


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (columns, ["---"] * len(columns), *rows)]
    return "\n".join([f"\n{title}\n", *lines])
