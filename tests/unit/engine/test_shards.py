"""Plans in shards for fleets of any size, planned by the engine on hosts that are made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from rollback_ops.core.fleet_plan import MOST_SHARDS, FleetPlan, Shard, least_size, read_fleet_plan
from rollback_ops.core.merging import merged, records_by_shard
from rollback_ops.core.outcome import overall
from rollback_ops.core.record import HostOutcome, HostRecord, Record, ReleaseRef, ShardRef, StepRecord, WaveRecord
from rollback_ops.core.shard_order import confirmed, done, hosts_so_far, left, stopped
from tests.simulate.fleets import _planned


@pytest.mark.parametrize(
    ("hosts", "size", "regions", "shards"),
    [
        (1, 100, (), 1),
        (3, 2, (), 2),
        (40, 40, (), 2),
        (1_000, 100, (), 11),
        (1_000, 100, ("eu", "us", "ap"), 17),
    ],
)
def test_every_host_is_in_one_shard_and_the_parts_of_the_budget_are_no_more_than_the_whole(
    hosts: int, size: int, regions: tuple[str, ...], shards: int
) -> None:
    names = [f"h{number}" for number in range(hosts)]
    plan, _ = _planned(names, size, regions)
    assert sorted(host for shard in plan.shards for host in shard.hosts) == sorted(names)
    assert (len(plan.shards), max(len(shard.hosts) for shard in plan.shards) <= size) == (shards, True)
    budget = sum(shard.rollout.max_failures for shard in plan.shards if shard.stage != "bake")
    assert budget <= plan.rollout.max_failures
    assert [shard.region for shard in plan.shards if shard.stage == "bake"] == list(regions[:-1])
    assert plan.regions == (regions or ("",))
    numbers = [wave.number for shard in plan.shards for wave in shard.rollout.waves]
    assert numbers == list(range(1, len(numbers) + 1))
    assert read_fleet_plan(plan.text()) == plan
    record = merged(plan, [])
    assert (len(record.hosts), {host.outcome for host in record.hosts}) == (hosts, {"unknown"})


@pytest.mark.parametrize(("hosts", "regions", "size"), [(750, 5, 4), (300, 1, 2), (300, 100, 0)])
def test_the_size_that_is_named_for_too_many_shards_is_one_with_which_they_fit(
    hosts: int, regions: int, size: int
) -> None:
    names, parts = [f"h{number}" for number in range(hosts)], [f"r{number}" for number in range(regions)]
    found = least_size(_planned(names, 1, parts)[0])
    assert found == size
    assert (len(_planned(names, found or hosts, parts)[0].shards) <= MOST_SHARDS) is (size > 0)


def test_a_dry_run_of_a_shard_says_nothing_of_what_became_of_its_hosts() -> None:
    plan, _ = _planned(["h1", "h2"], 1)
    shard = plan.shards[0]
    hosts = tuple(HostRecord(host=name, outcome="nothing_to_do") for name in shard.hosts)
    ref = ShardRef(number=shard.number, of=len(plan.shards))
    rehearsed = merged(plan, []).model_copy(update={"hosts": hosts, "shard": ref, "outcome": "nothing_to_do"})
    for dry_run, outcome in ((False, "nothing_to_do"), (True, "unknown")):
        record = merged(plan, [rehearsed.model_copy(update={"dry_run": dry_run})])
        assert [host.outcome for host in record.hosts] == [outcome, "unknown"]


def _ran(plan: FleetPlan, run: str, outcomes: Mapping[str, HostOutcome], shard: int = 1) -> Record:
    """The record of one run of a shard of the plan, which began at minute ``run``."""
    target = ReleaseRef(release=plan.target)
    hosts = tuple(HostRecord(host=name, outcome=outcome, to=target) for name, outcome in outcomes.items())
    wave = WaveRecord(number=1, hosts=tuple(outcomes), outcome=overall(list(outcomes.values())))
    whole = merged(plan, []).model_copy(update={"id": run, "started_at": f"2026-11-27T10:0{run}:00.000Z"})
    return whole.model_copy(
        update={
            "hosts": hosts,
            "shard": ShardRef(number=shard, of=len(plan.shards)),
            "outcome": overall(list(outcomes.values())),
            "waves": (wave,),
        }
    )


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ("succeeded", "refused", "succeeded"),
        ("succeeded", "unreachable", "succeeded"),
        ("succeeded", "cancelled", "succeeded"),
        ("unknown", "refused", "unknown"),
        ("verification_failed", "not_begun", "verification_failed"),
        ("refused", "succeeded", "succeeded"),
        ("refused", "unreachable", "unreachable"),
        ("succeeded", "nothing_to_do", "succeeded"),
        ("unknown", "nothing_to_do", "succeeded"),
        ("restored", "nothing_to_do", "nothing_to_do"),
        ("nothing_to_do", "verification_failed", "verification_failed"),
    ],
)
def test_a_run_of_a_shard_that_says_nothing_of_a_host_takes_nothing_from_an_earlier_one(
    first: HostOutcome, second: HostOutcome, both: HostOutcome
) -> None:
    plan, _ = _planned(["h1", "h2", "h3"], 2)
    (host,) = plan.shards[0].hosts
    runs = [_ran(plan, "1", {host: first}), _ran(plan, "2", {host: second})]
    for order in (runs, runs[::-1]):
        record = merged(plan, order)
        assert next(each.outcome for each in record.hosts if each.host == host) == both
        assert (record.shards[0].outcome, record.waves[0].outcome) == (overall([both]),) * 2
        assert [(run.id, run.outcome) for run in record.shards[0].runs] == [
            ("1", overall([first])),
            ("2", overall([second])),
        ]
        assert any("shard 1 was run 2 times" in warning for warning in record.warnings)


def _of(plan: FleetPlan, shard: Shard, outcomes: Mapping[str, HostOutcome], steps: bool = True) -> Record:
    """The record of one shard. Hosts that are not named did well."""
    good: HostOutcome = "nothing_to_do" if shard.stage == "bake" else "succeeded"
    find = (StepRecord(name="find", seconds=0.1, outcome="ok"),) if steps else ()
    hosts = tuple(HostRecord(host=name, outcome=outcomes.get(name, good), steps=find) for name in shard.hosts)
    ended = {"hosts": hosts, "outcome": overall([host.outcome for host in hosts]), "id": f"r{shard.number}"}
    ref = ShardRef(number=shard.number, of=len(plan.shards))
    return merged(plan, []).model_copy(update=ended | {"shard": ref})


@pytest.mark.parametrize(
    ("rest", "bake", "may_begin"),
    [
        ({}, {}, True),
        # One of thirty may fail in each region, and three of sixty in all.
        ({"h2": "verification_failed"}, {}, True),
        ({"h2": "unreachable"}, {}, True),
        ({"h2": "verification_failed", "h3": "restored"}, {}, False),
        ({"h2": "verification_failed"}, {"h4": "verification_failed"}, False),
        ({}, {"h0": "verification_failed"}, True),
        ({}, {"h0": "verification_failed", "h1": "health_unknown"}, False),
        ({"h2": "cancelled"}, {}, False),
        ({"h2": "not_begun"}, {}, False),
        ({}, None, False),
    ],
)
def test_a_region_begins_when_the_one_before_was_verified_and_failed_within_the_budgets(
    rest: dict[str, HostOutcome], bake: dict[str, HostOutcome] | None, may_begin: bool
) -> None:
    plan, _ = _planned([f"h{number}" for number in range(60)], 100, ("eu", "us"))
    canary, others, gate, following, _ = plan.shards
    records = {1: _of(plan, canary, {}), 2: _of(plan, others, rest)}
    if bake is not None:
        records[3] = _of(plan, replace(gate, done=done(plan, gate, records)), bake)
    assert (stopped(plan, following, records) == "") is may_begin
    outcomes = {host.outcome for host in merged(plan, list(records.values())).hosts if host.host in following.hosts}
    # What has no record is unknown, where the records before it do not prove that it had to refuse.
    assert outcomes == ({"unknown"} if may_begin or bake is None else {"not_begun"})


def test_what_comes_after_a_stage_that_was_skipped_did_not_begin_either() -> None:
    plan, _ = _planned([f"h{number}" for number in range(60)], 100, ("eu", "us"))
    record = merged(plan, [_of(plan, plan.shards[0], {})], ["rest:eu"])
    assert [shard.outcome for shard in record.shards] == ["succeeded"] + ["not_begun"] * 4


@pytest.mark.parametrize(("outcome", "may_begin"), [("succeeded", True), ("cancelled", False), ("refused", False)])
def test_the_rest_of_a_region_begins_when_its_canary_is_done_and_healthy(outcome: HostOutcome, may_begin: bool) -> None:
    plan, _ = _planned([f"h{number}" for number in range(60)], 20, ("eu", "us"))
    canary, first, second = plan.shards[:3]
    records = {1: _of(plan, canary, dict.fromkeys(canary.hosts, outcome), steps=False)}
    # A shard that had to refuse has contacted no host: it is no failure.
    records[3] = _of(plan, second, dict.fromkeys(second.hosts, "refused"), steps=False)
    assert (stopped(plan, first, records) == "") is may_begin


def test_the_same_record_counts_once_and_a_refused_run_again_stops_no_other_shard() -> None:
    plan, _ = _planned(["h1", "h2", "h3"], 2)
    (canary,) = plan.shards[0].hosts
    done = _ran(plan, "1", {canary: "succeeded"})
    twice = merged(plan, [done, done])
    assert (twice.shards[0].runs, [w for w in twice.warnings if "left out" in w]) == ((), [])
    runs = records_by_shard(plan, [done, _ran(plan, "2", {canary: "refused"})])
    assert stopped(plan, plan.shards[1], runs) == ""
    assert stopped(plan, plan.shards[1], records_by_shard(plan, [_ran(plan, "2", {canary: "refused"})])) != ""


NAMES = [f"h{number}" for number in range(8)]


def _outcomes(plan: FleetPlan, *records: Record) -> list[str]:
    """What became of the hosts of the first region, and whether it is the same in the merged record."""
    found = hosts_so_far(plan, records_by_shard(plan, records))
    all_of_them = {host.host: host.outcome for host in merged(plan, records).hosts}
    assert {name: all_of_them[name] for name in found} == {name: host.outcome for name, host in found.items()}
    return [found[name].outcome for name in NAMES[:4]]


def _every(outcome: HostOutcome, **others: HostOutcome) -> dict[str, HostOutcome]:
    return {**dict.fromkeys(NAMES[:4], outcome), **others}


def _in_regions() -> tuple[FleetPlan, list[Record]]:
    """A plan of two regions, of which the first is done: its canary, its others. Its third shard is the bake."""
    plan, _ = _planned(NAMES, 4, ["eu", "us"])
    assert [shard.stage for shard in plan.shards[:4]] == ["canary", "rest", "bake", "canary"]
    canary, rest = plan.shards[0].hosts, plan.shards[1].hosts
    done = [_ran(plan, "1", dict.fromkeys(canary, "succeeded")), _ran(plan, "2", dict.fromkeys(rest, "succeeded"), 2)]
    return plan, done


def test_a_host_that_a_bake_cannot_reach_is_unknown_and_counts_as_failed() -> None:
    plan, done = _in_regions()
    bake = _ran(plan, "3", _every("nothing_to_do", h2="unreachable"), 3)
    assert _outcomes(plan, *done, bake) == ["succeeded", "succeeded", "health_unknown", "succeeded"]
    assert "h2" in stopped(plan, plan.shards[3], records_by_shard(plan, [*done, bake]))


def test_a_bake_that_is_run_again_verifies_all_hosts_again() -> None:
    plan, done = _in_regions()
    first = _ran(plan, "3", _every("nothing_to_do", h1="verification_failed"), 3)
    second = _ran(plan, "4", _every("nothing_to_do", h2="unreachable"), 3)
    assert _outcomes(plan, *done, first, second) == ["succeeded", "succeeded", "health_unknown", "succeeded"]
    refused = _ran(plan, "5", _every("refused"), 3)
    assert _outcomes(plan, *done, first, refused) == ["succeeded", "verification_failed", "succeeded", "succeeded"]


def test_an_earlier_bake_takes_nothing_back_that_a_shard_found_out_after_it() -> None:
    plan, done = _in_regions()
    bake = _ran(plan, "3", _every("nothing_to_do"), 3)
    again = _ran(plan, "4", dict.fromkeys(plan.shards[1].hosts, "verification_failed"), 2)
    assert _outcomes(plan, *done, bake, again) == ["succeeded"] + ["verification_failed"] * 3


def test_the_record_of_a_shard_says_nothing_of_the_hosts_of_others() -> None:
    plan, _ = _planned(NAMES, 4)
    record = merged(plan, [_ran(plan, "1", dict.fromkeys(NAMES, "succeeded"))])
    assert [host.outcome for host in record.hosts] == ["succeeded"] + ["unknown"] * 7


@pytest.mark.parametrize(
    ("recorded", "first", "second", "now"),
    [
        ("verification_failed", "nothing_to_do", "nothing_to_do", "succeeded"),
        ("succeeded", "verification_failed", "unreachable", "verification_failed"),
        ("succeeded", "unreachable", "unreachable", "health_unknown"),
        ("succeeded", "unreachable", "nothing_to_do", "succeeded"),
        ("verification_failed", "nothing_to_do", "unreachable", "health_unknown"),
    ],
)
def test_a_plan_that_is_gone_on_with_twice_keeps_what_was_found_the_first_time(
    recorded: HostOutcome, first: HostOutcome, second: HostOutcome, now: HostOutcome
) -> None:
    plan, (canary, _) = _in_regions()
    records = [canary, _ran(plan, "2", dict.fromkeys(plan.shards[1].hosts, recorded), 2)]
    for minute, outcome in ((3, first), (4, second)):
        run = _ran(plan, str(minute), _every("nothing_to_do", h1=outcome))
        run = run.model_copy(update={"finished_at": f"2026-11-27T10:0{minute}:30.000Z"})
        verified = set(NAMES[:4]) - ({"h1"} if outcome == "unreachable" else set())
        plan = confirmed(plan, records_by_shard(plan, records), run, verified)
    assert _outcomes(plan, *records)[1] == now


def test_a_failure_of_a_shard_counts_once_when_it_is_run_again() -> None:
    plan, _ = _planned([f"h{number}" for number in range(60)], 30)
    failed = _ran(plan, "1", {plan.shards[1].hosts[0]: "verification_failed"}, 2)
    records = records_by_shard(plan, [failed])
    share = plan.rollout.share("")
    assert left(plan, plan.shards[1], records) == (share.max_failures, plan.rollout.max_failures)
    assert left(plan, plan.shards[2], records) == (share.max_failures - 1, plan.rollout.max_failures - 1)
