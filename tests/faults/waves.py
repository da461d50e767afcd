"""``make faults``, second part: the runner of a rollback in waves is killed, within each wave and between two of them.

Three real hosts are changed one after the other. The runner is killed, or cancelled as GitHub does it, at every
boundary of the transaction of each host, and in both pauses. Then ``resume`` goes on from another process.

What counts as a loss: a host without a running service, or whose running release is not the live one; a host before the
wave of the fault that is not done, or one after it that was changed; a ``resume`` that does not end with 0, or leaves a
host behind; a host that was switched to the target more than once.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from pathlib import Path

from tests.faults.gates import ASKED, BOUNDARIES, Gates
from tests.faults.injuries import cancelled, runner_killed
from tests.faults.scene import RELEASES, SOURCE, TARGET, Run, Running, Scene, wait_for
from tests.faults.tally import Judged, lower_bound
from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.lab import Lab, blocker
from tests.support.scene import logins

HOSTS = 3
PAUSE = "pause"
STRIKES = {"runner-killed": runner_killed, "cancelled": cancelled}
# These are reached in the end, when all waves are over: the record of a rollback is written once.
AT_THE_END = frozenset({"record", "release"})
# What happens before the first wave, too: a check is asked once on every host, and the plan is stored in each journal.
_SECOND_TIME = {"verify": ("[mr][vm]:*/open*",), "begin": ("ln:*",)}
_VERIFY = {"min_healthy_time": "0s", "healthy_deadline": "30s"}
# A machine that is busy is no fault.
_LIMITS = {"connect": "30s", "total": "4m"}


@dataclass(frozen=True)
class WaveTrial:
    """``wave`` is the one in which the runner is killed, from 1; with ``where`` = pause, the one before the pause."""

    fault: str
    wave: int
    where: str

    def __str__(self) -> str:
        return f"{self.fault}@wave{self.wave}:{self.where}"


@dataclass(frozen=True)
class WavesSeen:
    """``live`` and ``running`` have every host, before the ``resume`` and after it."""

    trial: WaveTrial
    reached: bool
    first: Run
    settled: bool
    live: Sequence[str]
    running: Sequence[str]
    resumed: Run
    live_then: Sequence[str]
    running_then: Sequence[str]
    journals: Sequence[str]


def matrix() -> list[WaveTrial]:
    """Return every boundary of every wave, and both pauses."""
    waves = range(1, HOSTS + 1)
    within = [WaveTrial(f, w, b) for f, w, b in itertools.product(STRIKES, waves, BOUNDARIES)]
    return within + [WaveTrial(fault, wave, PAUSE) for fault in STRIKES for wave in waves[:-1]]


def losses(seen: WavesSeen) -> list[str]:
    """Return every loss in words; none when all is well."""
    return [*_commands(seen), *_between(seen), *_after(seen)]


def _commands(seen: WavesSeen) -> Iterator[str]:
    for run in (seen.first, seen.resumed):
        if run.hung:
            yield f"the {run.name} command hung"
        if "a defect in rollback-ops" in run.said:
            yield f"the {run.name} command broke: {run.said[-300:]}"
    if seen.trial.fault == "cancelled" and seen.first.code is None:
        yield "the cancelled command had to be killed"
    if not seen.settled:
        yield "the hosts did not come to rest"


def _between(seen: WavesSeen) -> Iterator[str]:
    """The state after the fault, before ``resume``."""
    yield from _service(seen.live, seen.running)
    done = HOSTS if seen.trial.where in AT_THE_END else seen.trial.wave - (seen.trial.where != PAUSE)
    struck = () if seen.trial.where in (*AT_THE_END, PAUSE) else (seen.trial.wave,)
    for number, live in enumerate(seen.live, 1):
        if number not in struck and live != (TARGET if number <= done else SOURCE):
            yield f"host {number} runs {live}, and the runner was gone in wave {seen.trial.wave}"


def _after(seen: WavesSeen) -> Iterator[str]:
    if seen.resumed.code != 0:
        yield f"resume ended with {seen.resumed.code}: {seen.resumed.said[-400:]}"
    yield from _service(seen.live_then, seen.running_then)
    if set(seen.live_then) != {TARGET}:
        yield f"after the resume, {', '.join(seen.live_then)} are live"
    for number, journal in enumerate(seen.journals, 1):
        ends = [event for event in map(_event, journal.splitlines()) if event.get("event") == "end"]
        if [event.get("outcome") for event in ends] != ["switched"]:
            yield f"host {number}: its transactions ended as {[event.get('outcome') for event in ends]}"


def _service(live: Sequence[str], running: Sequence[str]) -> Iterator[str]:
    for number, (there, answers) in enumerate(zip(live, running, strict=True), 1):
        if there not in (SOURCE, TARGET) or answers != there:
            yield f"host {number}: current is {there}, and {answers or 'nothing'} runs"


def _event(line: str) -> Mapping[str, object]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class WavesStage:
    """Three hosts with gates. They run one trial after the other."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self._hosts = [lab.boot(f"wave{number}", srv_mib=16) for number in range(1, HOSTS + 1)]
        self._gates = [Gates(host) for host in self._hosts]
        directory.mkdir(exist_ok=True)
        known = "".join(host.known_hosts_line() for host in self._hosts)
        self._ops = RollbackOps(directory, {"ROLLBACK_SSH_KEY": lab.private_key, "ROLLBACK_KNOWN_HOSTS": known})

    def play(self, trial: WaveTrial) -> WavesSeen:
        services = self._deploy()
        struck = min(trial.wave, HOSTS) - 1
        scenes = [Scene(h, g, s, self._ops) for h, g, s in zip(self._hosts, self._gates, services, strict=True)]
        scene = scenes[struck]
        try:
            if trial.where != PAUSE:
                scene.gates.arm(trial.where, after=_SECOND_TIME.get(trial.where, ()))
            running = scene.begin("first")
            reached = _pause(running, trial.wave) if trial.where == PAUSE else _gate(scene, running)
            injury = STRIKES[trial.fault](scene, running)
            next(injury)
            scene.go()
            first = running.end()
            settled = wait_for(lambda: not any(one.works() for one in scenes), 60)
            live, answers = _look(scenes)
            # The lease of a runner that was killed is waited for.
            resumed = scene.begin("resume", command="resume", ROLLBACK_WAIT="30s").end()
            live_then, answers_then = _look(scenes)
            journals = [one.journal() for one in scenes]
            return WavesSeen(trial, reached, first, settled, live, answers, resumed, live_then, answers_then, journals)
        finally:
            scene.go()
            for service in services:
                service.remove()
                service.host.run(f"rm -rf {service.root}", check=False)

    def _deploy(self) -> list[Deployed]:
        one = self._hosts[0].deploy(layout="releases", releases=RELEASES)
        others = [host.deploy(one.name, layout="releases", releases=RELEASES) for host in self._hosts[1:]]
        services = [one, *others]
        for service in services:
            # So that the step that makes the links has something to do.
            service.host.run(f"rm {service.releases_directory}/b[34]/config.json")
        checks = {
            "health": {"kind": "http", "url": f"http://127.0.0.1:{one.port}/health", "json": {"release": "{release}"}},
            "asked": {"kind": "command", "run": f": {ASKED}"},
        }
        strategy = {"max_parallel": 1, "order": "listed", "pause": "2s"}
        self._ops.settings(
            one.toml(
                hosts=logins(*services),
                environment={"strategy": strategy},
                verify=_VERIFY,
                limits=_LIMITS,
                checks=checks,
                requires=["service.py"],
            )
        )
        return services


def _gate(scene: Scene, running: Running) -> bool:
    wait_for(lambda: scene.gates.reached or running.process.poll() is not None, 90, interval=0.005)
    return scene.gates.reached


def _pause(running: Running, wave: int) -> bool:
    """Wait for the pause after a wave."""
    assert running.process.stderr is not None
    return any(line.startswith("▸ pause") and f"wave {wave + 1}" in line for line in running.process.stderr)


def _look(scenes: Sequence[Scene]) -> tuple[list[str], list[str]]:
    for scene in scenes:
        wait_for(lambda scene=scene: bool(scene.running()), 20)  # type: ignore[misc]
    return [scene.live() for scene in scenes], [scene.running() for scene in scenes]


def main() -> int:
    options = argparse.ArgumentParser(prog="make faults", description=__doc__)
    options.add_argument(
        "--count", type=int, default=len(matrix()), help="faults to inject; the matrix has %(default)s"
    )
    options.add_argument("--seed", type=int, default=1, help="the order")
    asked = options.parse_args()
    if missing := blocker():
        print(f"real hosts cannot be made here: {missing} is missing", file=sys.stderr)
        return 1
    trials = matrix()
    random.Random(asked.seed).shuffle(trials)
    judged: list[Judged] = []
    with Lab() as lab, tempfile.TemporaryDirectory() as directory:
        stage = WavesStage(lab, Path(directory, "waves"))
        for trial in trials[: asked.count]:
            judged.append(one := _judge(stage, trial))
            print(f"{len(judged)}/{asked.count} {'LOST' if one.losses else 'ok'} {one.name}", *one.losses, sep="\n    ")
    lost = [one for one in judged if one.losses]
    # A lower bound is never rounded up.
    bound = floor(10_000 * lower_bound(len(judged), len(lost))) / 100
    told = f"{len(judged)} runners killed or cancelled in waves, {len(lost)} lost something"
    print(f"{told}: with 95 % confidence at least {bound:.2f} % lose nothing")
    return 1 if any(one.losses for one in judged) else 0


def _judge(stage: WavesStage, trial: WaveTrial) -> Judged:
    """Judge a trial. One that cannot be judged counts as lost, because it proves nothing."""
    try:
        seen = stage.play(trial)
        found = losses(seen) if seen.reached else ["the boundary was not reached"]
    except Exception as error:
        found = [f"the trial broke: {type(error).__name__}: {error}"]
    return Judged(trial.fault, f"wave{trial.wave}-{trial.where}", str(trial), tuple(found))


if __name__ == "__main__":
    sys.exit(main())
