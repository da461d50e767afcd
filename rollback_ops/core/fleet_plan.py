"""One plan for more hosts than one runner should hold, divided into shards. Pure.

One job makes the plan, and writes it to a file. Each shard is carried out by a job of its own, stage by stage: hosts
that were unhealthy before, the canary, the rest. A last job merges the records of all shards (``core.merging``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from itertools import count
from typing import Any, get_args

from pydantic import TypeAdapter

from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Mode, Trigger
from rollback_ops.core.plan import Plan
from rollback_ops.core.record import PlanRef
from rollback_ops.core.rollout import Role, Rollout, Wave
from rollback_ops.core.stored_plan import StoredPlan

STAGES: tuple[Role, ...] = get_args(Role)
# GitHub's limit for the jobs of a matrix. Its documents give it for a whole workflow run, too.
MOST_SHARDS = 256


@frozen
class Shard:
    """Hosts for one job. ``sources``: what each leaves. ``rollout``: their waves, with a part of the budget."""

    number: int
    stage: Role
    sources: dict[str, str]
    rollout: Rollout
    done: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        return (*self.sources, *self.done)


@dataclass(frozen=True)
class FleetPlan:
    """A plan in shards. ``settings`` is a hash of the settings that it was made with, ``at`` when (RFC 3339).

    ``max_failures`` is the budget of all shards together, without the ``lost`` hosts, which could not be surveyed (each
    with the reason). ``at_once``: how many shards of a stage may run at the same time. ``whole``: no host of the
    environment was left out. ``targets`` has the hosts on which the target has another name.
    """

    id: str
    service: str
    environment: str
    at: str
    settings: str
    mode: Mode
    trigger: Trigger
    reason: str
    actor: str
    run_url: str
    bad: bool
    whole: bool
    origin: str
    target: str
    revision: str
    max_failures: int
    told: tuple[str, ...]
    shards: tuple[Shard, ...]
    at_once: dict[Role, int]
    lost: dict[str, str]
    targets: dict[str, str]
    region: str = ""
    excluded: tuple[str, ...] = ()

    @cached_property
    def hash(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def ref(self) -> PlanRef:
        return PlanRef(id=self.id, hash=self.hash)

    def stage(self, stage: Role) -> list[Shard]:
        return [shard for shard in self.shards if shard.stage == stage]

    def text(self) -> str:
        """Return the text of the plan's file."""
        return json.dumps({"hash": self.hash, **asdict(self)}, separators=(",", ":")) + "\n"


@frozen
class PinnedShard:
    """The only shard that a run may carry out. ``again`` is the command that goes on with it."""

    shard: Shard
    fleet: FleetPlan
    again: str = ""

    @property
    def plan(self) -> StoredPlan:
        """The plan of the shard's hosts, in the form that ``resume`` uses."""
        fleet, hosts = self.fleet, self.shard.hosts
        return StoredPlan(
            id=fleet.id,
            service=fleet.service,
            environment=fleet.environment,
            at=fleet.at,
            target=fleet.target,
            revision=fleet.revision,
            sources=self.shard.sources,
            done=self.shard.done,
            rollout=self.shard.rollout,
            targets={host: fleet.targets[host] for host in hosts if host in fleet.targets},
        )


def read_fleet_plan(text: str | bytes) -> FleetPlan:
    """Return the plan in a text. Raises ``ValueError`` for text that is no plan, or was changed since."""
    try:
        said: dict[str, Any] = json.loads(text)
        expected = said.pop("hash", None)
        plan = _adapter().validate_python(said)
    except (ValueError, AttributeError, RecursionError):
        raise ValueError("is not a plan that `rollback-ops shards` wrote") from None
    if plan.hash != expected:
        raise ValueError("was changed since `rollback-ops shards` wrote it")
    return plan


@cache
def _adapter() -> TypeAdapter[FleetPlan]:
    return TypeAdapter(FleetPlan)


def divide(plan: Plan, rollout: Rollout, failures: int, size: int, connections: int) -> tuple[Shard, ...]:
    """Divide the hosts of a plan into shards of at most ``size`` hosts, none of which is in two stages.

    ``failures`` is the budget that is left. Each shard has its part of it, rounded down: together they never have more.
    Hosts that run the target already come last, in shards of their own: they are verified.
    """
    numbers, waves = count(1), count(1)
    sources = {host.host: host.source.name for host in plan.with_action("switch")}
    there = [host.host for host in plan.with_action("leave")]
    every = len(sources) + len(there)

    def part(hosts: Sequence[str]) -> int:
        return failures * len(hosts) // every

    def shards() -> Iterator[Shard]:
        for stage in STAGES:
            hosts = [host for wave in rollout.waves if wave.role == stage for host in wave.hosts]
            at_once = min(size if stage == "unhealthy" else rollout.shares[0].max_parallel, size, connections)
            for some in _parts(hosts, size):
                region = rollout.shares[0].region
                steps = tuple(Wave(next(waves), chunk, stage, region) for chunk in _parts(some, at_once))
                own = _own(rollout, steps, at_once, part(some))
                yield Shard(next(numbers), stage, {host: sources[host] for host in some}, own)
        for some in _parts(there, size):
            yield Shard(next(numbers), "rest", {}, _own(rollout, (), 1, part(some)), some)

    return tuple(shards())


def _parts(hosts: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    yield from (tuple(hosts[start : start + size]) for start in range(0, len(hosts), size))


def shards_at_once(rollout: Rollout, size: int) -> dict[Role, int]:
    """Return how many shards of each stage may run at the same time, so that ``max_parallel`` holds for all of them."""
    most = max(1, rollout.shares[0].max_parallel // size) if rollout.shares else MOST_SHARDS
    return {"unhealthy": MOST_SHARDS, "canary": most, "rest": most}


def _own(rollout: Rollout, waves: tuple[Wave, ...], max_parallel: int, failures: int) -> Rollout:
    """Return the rollout of one shard."""
    hosts = sum(len(wave.hosts) for wave in waves)
    share = replace(rollout.shares[0], hosts=hosts, max_parallel=max_parallel, max_failures=failures, canary=0)
    return replace(rollout, waves=waves, shares=(share,), max_failures=failures, excluded=(), told=())
