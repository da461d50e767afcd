"""Plans in shards for fleets of any size, planned by the engine on hosts that are made up."""

from __future__ import annotations

import pytest

from rollback_ops.core.fleet_plan import read_fleet_plan
from rollback_ops.core.merging import merged
from rollback_ops.core.record import HostRecord, ShardRef
from tests.simulate.fleets import _planned


@pytest.mark.parametrize(("hosts", "size", "shards"), [(1, 100, 1), (3, 2, 2), (40, 40, 2), (1_000, 100, 11)])
def test_every_host_is_in_one_shard_and_the_parts_of_the_budget_are_no_more_than_the_whole(
    hosts: int, size: int, shards: int
) -> None:
    names = [f"h{number}" for number in range(hosts)]
    plan, _ = _planned(names, size)
    assert sorted(host for shard in plan.shards for host in shard.hosts) == sorted(names)
    assert (len(plan.shards), max(len(shard.hosts) for shard in plan.shards) <= size) == (shards, True)
    assert sum(shard.rollout.max_failures for shard in plan.shards) <= plan.max_failures
    numbers = [wave.number for shard in plan.shards for wave in shard.rollout.waves]
    assert numbers == list(range(1, len(numbers) + 1))
    assert read_fleet_plan(plan.text()) == plan
    record = merged(plan, [])
    assert (len(record.hosts), {host.outcome for host in record.hosts}) == (hosts, {"unknown"})


def test_a_dry_run_of_a_shard_says_nothing_of_what_became_of_its_hosts() -> None:
    plan, _ = _planned(["h1", "h2"], 1)
    shard = plan.shards[0]
    hosts = tuple(HostRecord(host=name, outcome="nothing_to_do") for name in shard.hosts)
    ref = ShardRef(number=shard.number, of=len(plan.shards))
    rehearsed = merged(plan, []).model_copy(update={"hosts": hosts, "shard": ref, "outcome": "nothing_to_do"})
    for dry_run, outcome in ((False, "nothing_to_do"), (True, "unknown")):
        record = merged(plan, [rehearsed.model_copy(update={"dry_run": dry_run})])
        assert [host.outcome for host in record.hosts] == [outcome, "unknown"]
