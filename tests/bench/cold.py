"""What the libraries of the action cost before the first byte: on a fresh runner, and on one that has them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from tests.bench.measures import table
from tests.support.action_steps import Job, copy_of_the_action, machine

# Seconds that each may take on a runner that does nothing else.
_MOST = {"cold, from the index": 4.0, "cold, from the wheels of the cache": 2.0, "warm": 0.3}


def cold_start(here: Path, rounds: int) -> str:
    """The seconds of preparing and installing, where the index, the cache or the runner has the libraries."""
    action = copy_of_the_action(here / "cold-action")
    seconds: dict[str, list[float]] = {name: [] for name in _MOST}
    for number in range(rounds):
        job = Job(here / f"cold-{number}", here / f"cold-{number}-tools", action, environ=dict(machine()))
        job.environ.pop("HOME", None)
        seconds["cold, from the index"].append(_start(job, {"PIP_NO_CACHE_DIR": "1"}))
        seconds["warm"].append(_start(job, {}))
        shutil.rmtree(job.libraries)
        seconds["cold, from the wheels of the cache"].append(_start(job, {}))
    rows = [[name, f"{median(seconds[name]):.2f}", f"{limit:g}"] for name, limit in _MOST.items()]
    return table("The libraries of the action, before the first byte", ["", "seconds", "limit"], rows)


def _start(job: Job, environ: Mapping[str, str]) -> float:
    began = time.monotonic()
    job.prepare()
    if job.outputs["ready"] == "false":
        done = job.install(**environ)
        if done.returncode:
            raise RuntimeError(done.stderr)
    return time.monotonic() - began
