"""One trial: a service of its own, a rollback, a fault, and all that can be observed of the result."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.gates import ASKED, Gates
from tests.faults.injuries import AT_RANDOM, FAULTS, IN_WINDOW, RESTORING, matrix
from tests.faults.scene import RELEASES, TARGET, Run, Running, Scene, wait_for
from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.lab import Lab

VERIFY = {"min_healthy_time": "0s", "healthy_deadline": "5s"}
# For what happens in the verification, which ends when it sees it.
LONGER = {"min_healthy_time": "0s", "healthy_deadline": "30s", "on_failure": "restore"}
LONGER_LIMITS = {"connect": "2s", "total": "40s", "stop": "5s", "start": "5s"}
LIMITS = {"connect": "2s", "total": "10s"}
# The command after a fault meets none, so that only a busy machine makes it slow.
AMPLE = {"connect": "15s", "total": "50s"}
# On a busy machine a second command takes long: the first one must not run out of time meanwhile.
_MEANWHILE = dict.fromkeys(("second-rollback", "second-emergency", "deployed-meanwhile"), "50s")
# A rollback takes half a second, and longer on a machine that is busy: where a random instant may be.
_SPAN = 1.2
_SETTLED_WITHIN = 30.0


@dataclass(frozen=True)
class Trial:
    """``owner``: root's transactions run as a unit of systemd, others' under a shell in a session of its own."""

    fault: str
    where: str
    owner: str
    seed: int

    def __str__(self) -> str:
        return f"{self.fault}@{self.where}:{self.owner}:{self.seed}"

    @property
    def resumes(self) -> bool:
        """Return whether `resume` finishes an open transaction, or the next rollback does."""
        return self.seed % 2 == 0

    @classmethod
    def parse(cls, text: str) -> Trial:
        """Return the trial that a report has named. Raises ``ValueError``."""
        found = re.fullmatch(r"([a-z-]+)@([a-z]+):(root|deploy):([0-9]+)", text)
        if not found or (found[1], found[2]) not in matrix():
            raise ValueError(f"{text} names no trial, like {next(iter(FAULTS))}@stop:root:1")
        return cls(found[1], found[2], found[3], int(found[4]))


@dataclass(frozen=True)
class Seen:
    """``odd``: whatever ``current`` was in the meantime that is no complete release. ``lock``: how long the next
    rollback was told to wait for what this one had left (seconds). ``live`` and ``running`` are after the fault
    was mended, ``next_live`` and ``next_running`` after the next rollback.
    """

    trial: Trial
    reached: bool
    runs: tuple[Run, ...]
    odd: frozenset[str]
    settled: bool
    live: str
    running: str
    journal: str
    next: Run
    lock: float
    next_live: str
    next_running: str


class Stage:
    """One host and its gates. It runs one trial after the other."""

    def __init__(self, lab: Lab, name: str, directory: Path) -> None:
        self.host = lab.boot(name, srv_mib=16)
        self._gates = Gates(self.host)
        directory.mkdir(exist_ok=True)
        secrets = {"ROLLBACK_SSH_KEY": lab.private_key, "ROLLBACK_KNOWN_HOSTS": self.host.known_hosts_line()}
        self._ops = RollbackOps(directory, secrets)

    def play(self, trial: Trial) -> Seen:
        scene = self.set_up(trial, _MEANWHILE.get(trial.fault, LIMITS["total"]))
        try:
            with _watched(scene) as odd:
                reached, runs = _spoil(scene, trial)
                settled = wait_for(lambda: not scene.works(), _SETTLED_WITHIN)
                wait_for(lambda: bool(scene.running()), 10)
                live, running = scene.live(), scene.running()
                self._ops.settings(_settings(scene.service, trial.fault, AMPLE))
                following, lock = _next(scene, "resume" if trial.resumes and scene.is_open() else "rollback")
            wait_for(lambda: bool(scene.running()), 10)
            return Seen(
                trial=trial,
                reached=reached,
                runs=runs,
                odd=frozenset(odd),
                settled=settled,
                live=live,
                running=running,
                journal=scene.journal(),
                next=following,
                lock=lock,
                next_live=scene.live(),
                next_running=scene.running(),
            )
        finally:
            scene.service.remove()
            self.host.run(f"rm -rf {scene.root}", check=False)

    def set_up(self, trial: Trial, total: str = LIMITS["total"], options: Sequence[str] = ()) -> Scene:
        """Set up a service for a trial, with a limit for the whole run. Who runs a trial alone removes it."""
        service = self.host.deploy(owner=trial.owner, layout="releases", releases=RELEASES, options=options)
        # So that the step that makes the links has something to do.
        self.host.run(f"rm {service.releases_directory}/b[34]/config.json")
        scene = Scene(self.host, self._gates, service, self._ops)
        limits = LONGER_LIMITS if trial.fault in IN_WINDOW else LIMITS | {"total": total}
        self._ops.settings(_settings(service, trial.fault, limits))
        if trial.fault in IN_WINDOW:
            self.host.run(f"echo unhealthy >{scene.release(TARGET)}/behaviour")
        if trial.fault == "socket-activated":
            self._listen_for(service)
        return scene

    def _listen_for(self, service: Deployed) -> None:
        """Give the service a socket on which systemd listens. It has to be there before the service."""
        (unit,) = service.units
        socket = f"[Socket]\nListenStream=127.0.0.1:{service.port + 5}\n"
        self.host.write(f"/etc/systemd/system/{unit}.socket", socket)
        self.host.run(f"systemctl daemon-reload && systemctl stop {unit} && systemctl start {unit}.socket {unit}")
        wait_for(service.listens, 15)


def _settings(service: Deployed, fault: str, limits: Mapping[str, str]) -> str:
    """Return settings with a check that passes on the host."""
    policy = {"on_failure": "restore"} if fault in RESTORING else {}
    verify = LONGER if fault in IN_WINDOW else VERIFY | policy
    url = f"http://127.0.0.1:{service.port}/health"
    checks = {
        "health": {"kind": "http", "url": url, "json": {"release": "{release}"}},
        "asked": {"kind": "command", "run": f": {ASKED}"},
    }
    return service.toml(verify=verify, limits=limits, checks=checks, requires=["service.py"])


def _spoil(scene: Scene, trial: Trial) -> tuple[bool, tuple[Run, ...]]:
    """Run a rollback and inject the fault. Returns whether the fault could be injected, and how all commands ended."""
    if trial.where != AT_RANDOM:
        scene.gates.arm(trial.where)
    running = scene.begin("first")
    reached = reach(scene, trial, running)
    injury = FAULTS[trial.fault](scene, running)
    next(injury)
    scene.go()
    runs = tuple(one.end() for one in (running, *scene.others))
    next(injury, None)
    return reached, runs


def reach(scene: Scene, trial: Trial, running: Running) -> bool:
    """Wait for the moment of the trial. Returns whether it came."""
    if trial.where == AT_RANDOM:
        time.sleep(random.Random(str(trial)).uniform(0.0, _SPAN))
        return True
    wait_for(lambda: scene.gates.reached or running.process.poll() is not None, 30, interval=0.005)
    return scene.gates.reached


def _next(scene: Scene, command: str) -> tuple[Run, float]:
    """Run the next command. Returns it, and for how many seconds a lease kept it out, as it was told."""
    following = scene.begin("next", command=command).end()
    refusal = following.host.get("detail", "").split("\n")[0]
    left = re.search(r"locked by .*?(?:at most ([0-9]+) s more)?\)?$", refusal)
    if following.code != 1 or not left:
        return following, 0.0
    told = float(left[1] or 1)
    time.sleep(told + 0.5)
    return scene.begin("next", command=command).end(), told


@contextmanager
def _watched(scene: Scene) -> Iterator[set[str]]:
    """What ``current`` is, looked at every few milliseconds, when it is not what it should be."""
    odd: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.005):
            found = scene.live()
            if found.startswith("("):
                odd.add(found)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield odd
    finally:
        over.set()
        watcher.join()
