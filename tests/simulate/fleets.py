"""Simulated fleets: the real planning, shards and merge on hosts that are made up, with the times of real ones.

The plan and the merge are measured without waits; what a runner would wait for is added by a simulated clock. A few
shards run in real time, with stragglers and failures; the others are drawn from their durations.
"""

from __future__ import annotations

import heapq
import random
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from typing import TypeVar

from rollback_ops import checks
from rollback_ops.config import Check, CommandCheck, Strategy, Verify
from rollback_ops.core import tasks
from rollback_ops.core.errors import HostUnreachable
from rollback_ops.core.fleet_plan import FleetPlan, PinnedShard, all_shares, divide, shards_at_once
from rollback_ops.core.merging import merged
from rollback_ops.core.model import StepReport, Survey, SwitchOrder, SwitchResult
from rollback_ops.core.plan import Plan, Selection
from rollback_ops.core.record import Record
from rollback_ops.core.run import RunInfo, rfc3339
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.rollback import Rollback, roll_back
from rollback_ops.engine.spec import RollbackSpec
from tests.support.fakes import FakeHost, Listener, live_at, releases

T = TypeVar("T")
AFTER: dict[str, Check] = {"health": CommandCheck(kind="command", run="true")}
VERIFY = Verify(min_healthy_time=0.5, healthy_deadline=10)
# Seconds, as 97 real hosts took them: (median, σ of the logarithm).
SURVEY, SWITCH = (0.25, 0.4), (0.6, 0.4)
# CPU seconds of the runner for SSH to one host, which these hosts do not need.
SSH_CPU = 0.022
STRAGGLERS, DOWN, UNHEALTHY = 0.01, 0.001, 0.001
# Seconds until a job of GitHub has begun its step.
JOB_STARTS = 20.0
_SAMPLE = 4


class SimulatedHost(FakeHost):
    """A host that takes its time, where ``waits``. ``straggles``: ten times as long."""

    waits = False
    fate = ""
    chance = random.Random(0)

    def _take(self, median: float, sigma: float) -> None:
        if self.waits:
            time.sleep(self.chance.lognormvariate(0, sigma) * median * (10 if self.fate == "straggles" else 1))

    def survey(self, *, sizes: bool = False) -> Survey:
        self._take(*SURVEY)
        if self.fate == "down" and self.waits:
            raise HostUnreachable(f"{self.name}: no answer within 5 s")
        return super().survey(sizes=sizes)

    def switch(self, order: SwitchOrder, on_step: Callable[[StepReport], None]) -> SwitchResult:
        self._take(*SWITCH)
        self.says = 1 if self.fate == "unhealthy" else 0
        return super().switch(order, on_step)


@dataclass(frozen=True)
class Costs:
    """The cost of a rollback of so many hosts. Times in seconds, memory in MB."""

    hosts: int
    shards: int
    plan: float
    plan_memory: float
    shard: float
    shard_memory: float
    whole: float
    merge: float
    plan_file: float
    failed: int


def simulate(hosts: int, size: int, jobs: int, seed: int = 1) -> Costs:
    """Simulate a rollback in shards of ``size`` hosts, with ``jobs`` of GitHub at the same time."""
    chance = random.Random(seed)
    names = [f"deploy@web-{number:05}.example.org" for number in range(hosts)]
    fates = {name: _fate(chance) for name in names}
    (plan, planning), plan_memory = _apart(lambda: _planned(names, size))
    surveys = _makespan([chance.lognormvariate(0, SURVEY[1]) * SURVEY[0] for _ in names], tasks.AT_ONCE)
    planning = max(planning + hosts * SSH_CPU, surveys)
    sample = chance.sample(plan.shards, min(_SAMPLE, len(plan.shards)))
    ran = [_apart(partial(_carried_out, plan, shard.number, fates, seed)) for shard in sample]
    records = [record for record, _ in ran]
    took = [record.duration_seconds + len(record.hosts) * SSH_CPU for record in records]
    every = [chance.choice(took) + JOB_STARTS for _ in plan.shards]
    began = time.process_time()
    record = merged(plan, records)
    merging = time.process_time() - began
    return Costs(
        hosts,
        len(plan.shards),
        planning,
        plan_memory,
        max(took),
        max(memory for _, memory in ran),
        JOB_STARTS + planning + _makespan(every, jobs) + JOB_STARTS + merging,
        merging,
        len(plan.text()) / 1e6,
        sum(host.outcome not in ("succeeded", "unknown") for host in record.hosts),
    )


def _fate(chance: random.Random) -> str:
    drawn = chance.random()
    for fate, share in (("down", DOWN), ("unhealthy", UNHEALTHY), ("straggles", STRAGGLERS)):
        if drawn < share:
            return fate
        drawn -= share
    return ""


def _hosts(names: Sequence[str], fates: dict[str, str] | None = None, seed: int = 0) -> list[SimulatedHost]:
    found = releases("b1", "b2", "b3", "b4", "b5")
    made = [SimulatedHost(name, found, live_at("b5")) for name in names]
    for host in made:
        host.waits, host.fate = fates is not None, (fates or {}).get(host.name, "")
        host.chance = random.Random(f"{seed} {host.name}")
    return made


def _rollback(hosts: Sequence[SimulatedHost], spec: RollbackSpec) -> tuple[RollbackSpec, Fleet]:
    by_name = {host.name: host for host in hosts}
    survey = tasks.begin(by_name, lambda name: by_name[name].survey())
    return spec, Fleet(hosts, survey, Listener(), Cancellation(), 60.0)


def _spec(run: str, **more: object) -> RollbackSpec:
    info = RunInfo(run, "web", "prod", "standard", "manual", "logins fail", "alice")
    built = RollbackSpec(
        info, Selection(), lambda name: checks.build(AFTER, name), VERIFY, checks.thresholds(AFTER, VERIFY)
    )
    return replace(built, wait=0.0, **more)  # type: ignore[arg-type]


def _planned(names: Sequence[str], size: int, regions: Sequence[str] = ()) -> tuple[FleetPlan, float]:
    """Plan, without waiting for a host. Returns the CPU seconds, too. ``regions`` have as many hosts each."""
    began = time.process_time()
    of = {name: regions[at * len(regions) // len(names)] for at, name in enumerate(names)} if regions else {}
    strategy = Strategy.model_validate({"canary": 1, "max_failures": "5%", "connections": 1000})
    strategy = strategy.model_copy(update={"connections": len(names)})
    spec, fleet = _rollback(_hosts(names), _spec("20261127T000000Z-00000000", strategy=strategy, regions=of))
    run = Rollback(spec, fleet, Listener())
    run.survey()
    run.plan()
    state, decision = run.state, run.state.decision
    if not isinstance(decision, Plan) or state.rollout is None:
        raise AssertionError(decision)
    rollout = all_shares(decision, state.rollout, of)
    plan = FleetPlan(
        id=spec.info.id,
        service="web",
        environment="prod",
        at=rfc3339(state.started_at),
        settings="",
        mode="standard",
        trigger="manual",
        reason="logins fail",
        actor="alice",
        run_url="",
        bad=False,
        whole=True,
        origin=state.origin,
        target=decision.target,
        revision=decision.revision,
        rollout=replace(rollout, waves=()),
        shards=divide(decision, rollout, size, tasks.AT_ONCE, regions=of),
        at_once=shards_at_once(rollout, size),
        lost={},
        targets={},
    )
    return plan, time.process_time() - began


def _carried_out(plan: FleetPlan, number: int, fates: dict[str, str], seed: int) -> Record:
    """Carry out one shard in real time."""
    shard = plan.shards[number - 1]
    spec = _spec(f"20261127T000000Z-{number:08}", pinned=PinnedShard(shard, plan))
    spec, fleet = _rollback(_hosts(shard.hosts, fates, seed), spec)
    return roll_back(spec, fleet, Listener())


def _makespan(seconds: Sequence[float], at_once: int) -> float:
    """Return when the last of these ends, where so many go on at the same time, in their order."""
    free = [0.0] * min(at_once, len(seconds))
    for each in seconds:
        heapq.heappush(free, heapq.heappop(free) + each)
    return max(free)


def _apart(work: Callable[[], T]) -> tuple[T, float]:
    """Do the work in a process of its own. Returns its result and its peak memory in MB."""
    ours, its = get_context("fork").Pipe()
    process = get_context("fork").Process(target=lambda: its.send((work(), _peak())))
    process.start()
    its_result = ours.recv()
    process.join()
    result, memory = its_result
    return result, memory


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(seed: int) -> None:
    print("\nA rollback in shards, with 20 jobs of GitHub at the same time:\n")
    columns = ("hosts", "shards", "plan", "its memory", "a shard", "its memory", "whole, 20 jobs", "merge", "plan file")
    print(f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", sep="\n")
    for hosts, size in ((40, 40), (1_000, 100), (10_000, 100), (50_000, 200)):
        found = simulate(hosts, size, 20, seed)
        cells = [f"{hosts:,}", f"{found.shards}", f"{found.plan:.0f} s", f"{found.plan_memory:.0f} MB"]
        cells += [f"{found.shard:.1f} s", f"{found.shard_memory:.0f} MB", f"{found.whole / 60:.1f} min"]
        cells += [f"{found.merge:.2f} s", f"{found.plan_file:.2f} MB"]
        print(f"| {' | '.join(cells)} |", flush=True)
