"""One plan for more hosts than one runner should hold, divided into shards. Pure.

One job makes the plan, and writes it to a file. Each shard is carried out by a job of its own, region by region and
stage by stage: hosts that were unhealthy before, the canary, the rest. Before the next region, one job verifies the
hosts that are done (stage "bake"). A last job merges the records of all shards (``core.merging``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from itertools import count
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Mode, Trigger
from rollback_ops.core.plan import Plan
from rollback_ops.core.record import HostOutcome, PlanRef
from rollback_ops.core.rollout import Role, Rollout, Share, Wave
from rollback_ops.core.stored_plan import StoredPlan

# "bake": the hosts of this region and of those before are verified for ``strategy.bake``, and nothing is changed.
Stage = Literal[Role, "bake"]
ROLES: tuple[Role, ...] = get_args(Role)
STAGES: tuple[Stage, ...] = (*ROLES, "bake")
# GitHub's limit for the jobs of a matrix. Its documents give it for a whole workflow run, too.
MOST_SHARDS = 256


@frozen
class Shard:
    """Hosts for one job. ``sources``: what each leaves. ``rollout``: their waves, with a part of the budget.

    The hosts of a bake are known when it begins: those that are done.
    """

    number: int
    stage: Stage
    sources: dict[str, str]
    rollout: Rollout
    done: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        return (*self.sources, *self.done)

    @property
    def region(self) -> str:
        return self.rollout.shares[0].region


@frozen
class LostHost:
    """A host that could not be surveyed, and why."""

    why: str
    region: str = ""


@frozen
class Confirmed:
    """When the hosts were last found as the plan and the records of its shards say (RFC 3339).

    ``outcomes``: what the hosts came to then that had failed until then, or have failed since.
    """

    at: str
    outcomes: dict[str, HostOutcome] = field(default_factory=dict)


@dataclass(frozen=True)
class FleetPlan:
    """A plan in shards. ``settings`` is a hash of the settings that it was made with, ``at`` when (RFC 3339).

    ``rollout`` has the amounts of all shards together: a share for each region, and no waves, which the shards have.
    ``lost`` hosts could not be surveyed. ``at_once``: how many shards of the canary, or of the rest, may run at the
    same time, by region. ``whole``: no host of the environment was left out. ``targets`` has the hosts on which the
    target has another name. ``confirmed``: a later run went on with the plan.
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
    rollout: Rollout
    shards: tuple[Shard, ...]
    at_once: dict[str, int]
    lost: dict[str, LostHost]
    targets: dict[str, str]
    confirmed: Confirmed | None = None

    @cached_property
    def hash(self) -> str:
        """A hash of the plan, which stays the same when it is confirmed."""
        return _hash({key: value for key, value in asdict(self).items() if key != "confirmed"})

    @property
    def ref(self) -> PlanRef:
        return PlanRef(id=self.id, hash=self.hash)

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions in their order; one without a name where there are none."""
        return tuple(share.region for share in self.rollout.shares)

    def of(self, region: str, stage: Stage) -> list[Shard]:
        return [shard for shard in self.shards if (shard.region, shard.stage) == (region, stage)]

    def place(self, shard: Shard) -> tuple[int, int]:
        """Return when the turn of a shard comes: the number of its region, and that of its stage."""
        return self.regions.index(shard.region), STAGES.index(shard.stage)

    def text(self) -> str:
        """Return the text of the plan's file."""
        said = asdict(self)
        return json.dumps({"hash": _hash(said), **said}, separators=(",", ":")) + "\n"


def _hash(said: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


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
    if _hash(asdict(plan)) != expected:
        raise ValueError("was changed since `rollback-ops shards` wrote it")
    return plan


@cache
def _adapter() -> TypeAdapter[FleetPlan]:
    return TypeAdapter(FleetPlan)


def divide(
    plan: Plan, rollout: Rollout, size: int, connections: int, *, lost: Sequence[str] = (), regions: Mapping[str, str]
) -> tuple[Shard, ...]:
    """Divide the hosts of a plan into shards of at most ``size`` hosts, none of which is in two stages or regions.

    ``lost`` hosts have failed already. Each shard has its part of what is left of its region's budget, rounded down:
    together they never have more. Hosts that run the target already come last in their region, in shards of their own:
    they are verified.
    """
    numbers, waves = count(1), count(1)
    sources = {host.host: host.source.name for host in plan.with_action("switch")}
    there = [host.host for host in plan.with_action("leave")]

    def own(share: Share) -> Iterator[Shard]:
        within = replace(rollout, shares=(share,), bake=0.0)
        leaves = [host for host in there if regions.get(host, "") == share.region]
        failed = [host for host in lost if regions.get(host, "") == share.region]
        left, every = max(0, min(share.max_failures, rollout.max_failures) - len(failed)), share.hosts + len(leaves)
        for stage in ROLES:
            of_stage = [wave for wave in rollout.waves if (wave.role, wave.region) == (stage, share.region)]
            hosts = [host for wave in of_stage for host in wave.hosts]
            at_once = min(size if stage == "unhealthy" else share.max_parallel, size, connections)
            for some in _parts(hosts, size):
                steps = tuple(Wave(next(waves), chunk, stage, share.region) for chunk in _parts(some, at_once))
                part = _own(within, steps, at_once, left * len(some) // every)
                yield Shard(next(numbers), stage, {host: sources[host] for host in some}, part)
        for some in _parts(leaves, size):
            yield Shard(next(numbers), "rest", {}, _own(within, (), 1, left * len(some) // every), some)
        if share is not rollout.shares[-1]:
            bake = replace(_own(within, (), 1, share.max_failures), max_failures=rollout.max_failures)
            yield Shard(next(numbers), "bake", {}, replace(bake, bake=rollout.bake, on_exceeded="stop"))

    return tuple(shard for share in rollout.shares for shard in own(share))


def all_shares(plan: Plan, rollout: Rollout, regions: Mapping[str, str]) -> Rollout:
    """Return the rollout without its waves, and with a share for each region: also where no host is changed."""
    known = {share.region: share for share in rollout.shares}
    every = dict.fromkeys(regions.get(host.host, "") for host in plan.hosts if host.action != "exclude")
    shares = tuple(known.get(region, Share(0, 0, 1, rollout.max_failures, region)) for region in every)
    return replace(rollout, shares=shares)


def least_size(plan: FleetPlan) -> int:
    """Return a size with which the shards fit into the jobs of a matrix; 0 where none does.

    The last shard of a stage may have fewer hosts: there is one of these for each stage of each region.
    """
    last = {(shard.region, shard.stage, bool(shard.done)) for shard in plan.shards}
    room = MOST_SHARDS - len(last)
    return -(-sum(len(shard.hosts) for shard in plan.shards) // room) if room > 0 else 0


def _parts(hosts: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    yield from (tuple(hosts[start : start + size]) for start in range(0, len(hosts), size))


def shards_at_once(rollout: Rollout, size: int) -> dict[str, int]:
    """Return how many shards of each region may run at the same time, so that ``max_parallel`` holds for all of them.

    Those with unhealthy hosts may all run at the same time.
    """
    return {share.region: max(1, share.max_parallel // size) for share in rollout.shares}


def _own(rollout: Rollout, waves: tuple[Wave, ...], max_parallel: int, failures: int) -> Rollout:
    """Return the rollout of one shard."""
    hosts = sum(len(wave.hosts) for wave in waves)
    share = replace(rollout.shares[0], hosts=hosts, max_parallel=max_parallel, max_failures=failures, canary=0)
    return replace(rollout, waves=waves, shares=(share,), max_failures=failures, excluded=(), told=())
