"""``make faults``: injects faults into rollbacks on real hosts, and counts those that lost something."""

from __future__ import annotations

import argparse
import itertools
import queue
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.faults.injuries import matrix
from tests.faults.judge import losses
from tests.faults.tally import Judged, report
from tests.faults.trial import Stage, Trial
from tests.support.lab.lab import Lab, blocker

# On a machine so busy that a run ends before its boundary, a trial is run again.
ATTEMPTS = 3


def main() -> int:
    options = argparse.ArgumentParser(prog="make faults", description=__doc__)
    options.add_argument("--count", type=int, default=400, help="faults to inject; the matrix has %(default)s or fewer")
    options.add_argument("--seed", type=int, default=1, help="the order, the random instants, and who owns the service")
    options.add_argument("--jobs", type=int, default=4, help="hosts at once")
    options.add_argument("--only", action="append", type=Trial.parse, metavar="TRIAL", help="as a report names it")
    asked = options.parse_args()
    if missing := blocker():
        print(f"real hosts cannot be made here: {missing} is missing", file=sys.stderr)
        return 1
    judged: list[Judged] = []
    # A long run that is stopped still says what it has found.
    with suppress(KeyboardInterrupt):
        play(asked.only or plan(asked.count, asked.seed), asked.jobs, judged)
    print(report(judged))
    return 1 if any(one.losses for one in judged) else 0


def plan(count: int, seed: int) -> list[Trial]:
    """Return the whole matrix in an order that depends on the seed, again and again, each time with the other owner."""
    chance = random.Random(seed)
    cells = matrix()
    chance.shuffle(cells)
    owners = itertools.chain.from_iterable([("root", "deploy"), ("deploy", "root")] for _ in itertools.count())
    rounds = (
        Trial(fault, where, pair[number % 2], seed + turn)
        for turn, pair in enumerate(owners)
        for number, (fault, where) in enumerate(cells)
    )
    return list(itertools.islice(rounds, count))


def play(trials: Sequence[Trial], jobs: int, judged: list[Judged]) -> None:
    """Run the trials on so many hosts at the same time. Prints each one as it ends, and adds it to ``judged``."""
    waiting: queue.SimpleQueue[Trial] = queue.SimpleQueue()
    ended: queue.SimpleQueue[Judged] = queue.SimpleQueue()
    for trial in trials:
        waiting.put(trial)
    with Lab() as lab, tempfile.TemporaryDirectory() as directory:
        stages = [
            Stage(lab, f"faults{number}", Path(directory, str(number))) for number in range(min(jobs, len(trials)))
        ]
        workers = [threading.Thread(target=_work, args=(stage, waiting, ended), daemon=True) for stage in stages]
        for worker in workers:
            worker.start()
        for number in range(1, len(trials) + 1):
            judged.append(one := ended.get())
            _tell(one, number, len(trials))


def _work(stage: Stage, waiting: queue.SimpleQueue[Trial], ended: queue.SimpleQueue[Judged]) -> None:
    while True:
        try:
            trial = waiting.get_nowait()
        except queue.Empty:
            return
        ended.put(_judge(stage, trial))


def _judge(stage: Stage, trial: Trial) -> Judged:
    """Judge a trial. One that cannot be judged counts as lost, because it proves nothing.

    Where the boundary was not reached, nothing was injected: the trial is run again.
    """
    try:
        seen = next((s for _ in range(ATTEMPTS) if (s := stage.play(trial)).reached), None)
        found = losses(seen) if seen else ["the boundary was not reached"]
    except Exception as error:
        found = [f"the trial broke: {type(error).__name__}: {error}"]
    return Judged(trial.fault, trial.where, str(trial), tuple(found))


def _tell(one: Judged, number: int, of: int) -> None:
    mark = "LOST" if one.losses else "ok"
    print(f"{time.strftime('%H:%M:%S')} {number}/{of} {mark} {one.name}", *one.losses, sep="\n    ", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
