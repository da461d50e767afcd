"""A rollback of more hosts than one runner should hold: planned once, carried out shard by shard, and merged."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rollback_ops.core.fleet_plan import Confirmed, read_fleet_plan
from rollback_ops.core.run import rfc3339
from tests.support.command import Ended, RollbackOps
from tests.support.small_hosts import SmallHosts, small_hosts

WHY = ("--reason", "logins fail")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[SmallHosts]:
    with small_hosts(tmp_path, 6) as hosts:
        yield hosts


@pytest.fixture
def command(tmp_path: Path, fleet: SmallHosts) -> RollbackOps:
    here = tmp_path / "repository"
    here.mkdir()
    made = RollbackOps(here, fleet.secrets)
    made.settings(fleet.toml({"canary": 1, "max_parallel": 2}))
    return made


def planned(command: RollbackOps, *more: str) -> dict[str, Any]:
    ended = command("shards", "prod", *WHY, "--size", "2", *more)
    assert ended.code == 0, ended.err
    return ended.document


def run(command: RollbackOps, number: int, *more: str) -> Ended:
    file = f"records/{number}.json"
    return command(
        "rollback", "prod", "--plan", "rollback-plan.json", "--shard", str(number), "--record", file, "--json", *more
    )


def merged(command: RollbackOps, **variables: str) -> Ended:
    return command("merge", "records", "--json", **variables)


def outcomes(ended: Ended) -> list[str]:
    return [host["outcome"] for host in ended.document["hosts"]]


def test_a_plan_is_carried_out_shard_by_shard_and_merged_into_one_record(
    command: RollbackOps, fleet: SmallHosts
) -> None:
    (command.directory / "records").mkdir()
    plan = planned(command)
    assert (plan["from"], plan["to"], plan["hosts"]) == ("b3", "b2", 6)
    jobs = {"region": "", "gate": 0, "unhealthy": [], "canary": [1], "rest": [2, 3, 4], "at_once": 1}
    assert plan["regions"] == [jobs]
    assert fleet.live == ["b3"] * 6

    for number in (1, 2, 3):
        ended = run(command, number, "--records", "records")
        assert ended.code == 0, ended.err
    assert fleet.live == ["b2"] * 5 + ["b3"]
    journals = [(host.disk / ".rollback/journal.jsonl") for host in fleet.hosts]
    # Break-glass on a host warns of a plan without a record.
    assert [path.exists() and '{"event":"plan","id":"' in path.read_text() for path in journals] == [True] * 5 + [False]
    unfinished = merged(command)
    assert (unfinished.code, unfinished.document["outcome"]) == (5, "partial")
    assert outcomes(unfinished) == ["succeeded"] * 5 + ["unknown"]
    assert [shard["outcome"] for shard in unfinished.document["shards"]] == ["succeeded"] * 3 + ["unknown"]

    assert run(command, 4, "--records", "records").code == 0
    again = run(command, 4, "--records", "records")
    assert (again.code, outcomes(again)) == (0, ["nothing_to_do"])
    assert again.document["hosts"][0]["checks"] != [], "what is done is verified again"
    whole = merged(command)
    assert (whole.code, fleet.live) == (0, ["b2"] * 6)
    assert (whole.document["id"], whole.document["plan"]["hash"]) == (whole.document["plan"]["id"], plan["hash"])
    assert (whole.document["from"]["release"], whole.document["to"]["release"]) == ("b3", "b2")
    assert whole.document["reason"] == WHY[1]


@pytest.mark.parametrize(
    ("spoil", "outcome", "code"),
    [
        ("hash", "was changed", 1),
        ("target", "was changed", 1),
        ("nothing", "", 0),
    ],
)
def test_a_plan_that_was_changed_is_refused(
    command: RollbackOps, fleet: SmallHosts, spoil: str, outcome: str, code: int
) -> None:
    planned(command)
    file = command.directory / "rollback-plan.json"
    plan = json.loads(file.read_text())
    file.write_text(json.dumps(plan | ({spoil: "b1"} if spoil in plan else {})))
    ended = command("rollback", "prod", "--plan", str(file), "--shard", "1")
    assert (ended.code, outcome in ended.err) == (code, True)
    assert fleet.live[0] == ("b3" if code else "b2")


def test_what_does_not_fit_the_plan_is_refused_before_a_host_is_contacted(
    command: RollbackOps, fleet: SmallHosts
) -> None:
    planned(command)
    for host in fleet.hosts:
        host.go_down()
    usage = [
        ("prod", "--plan", "rollback-plan.json"),
        ("prod", "--shard", "1"),
        ("prod", "--plan", "rollback-plan.json", "--shard", "9"),
        ("prod", "--plan", "rollback-plan.json", "--shard", "0"),
        ("prod", "--plan", "nowhere.json", "--shard", "1"),
        ("prod", "--plan", "rollback-plan.json", "--shard", "1", "--to", "b1"),
        ("prod", "--plan", "rollback-plan.json", "--shard", "1", "--emergency"),
        ("prod", "--plan", "rollback-plan.json", "--shard", "1", "--host", fleet.addresses[0]),
        ("test", "--plan", "rollback-plan.json", "--shard", "1"),
    ]
    command.settings(fleet.toml({"canary": 1, "max_parallel": 2}) + "[environments.test]\nhosts = ['root@h']\n")
    assert [command("rollback", *words).code for words in usage] == [64] * len(usage)

    pinned = ("rollback", "prod", "--plan", "rollback-plan.json", "--shard", "1", "--json")
    assert command(*pinned).document["outcome"] == "refused", "the hosts are down"
    command.settings(fleet.toml({"canary": 1, "max_parallel": 1}))
    changed = command(*pinned)
    assert (changed.code, outcomes(changed)) == (1, ["refused"])
    assert "the settings" in changed.document["hosts"][0]["detail"]

    command.settings(fleet.toml({"canary": 1, "max_parallel": 2}))
    file = command.directory / "rollback-plan.json"
    for hours, minutes in ((-1, -1), (0, 6)):
        at = rfc3339(datetime.now(UTC) + timedelta(hours=hours, minutes=minutes))
        file.write_text(replace(read_fleet_plan(file.read_text()), at=at).text())
        old = command(*pinned)
        assert (old.code, outcomes(old)) == (1, ["refused"])
        assert "within the last hour" in old.document["hosts"][0]["detail"]

    fresh = replace(read_fleet_plan(file.read_text()), at=rfc3339(datetime.now(UTC)))
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        address = f"root@127.0.0.1:{stranger.getsockname()[1]}"
        forged = replace(fresh.shards[0], sources={address: "b3"})
        file.write_text(replace(fresh, shards=(forged, *fresh.shards[1:])).text())
        strange = command(*pinned)
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.accept()
    assert (strange.code, address in strange.document["hosts"][0]["detail"]) == (1, True)


def test_too_many_failures_or_a_bad_canary_stop_the_shards_that_have_not_begun(
    command: RollbackOps, fleet: SmallHosts
) -> None:
    (command.directory / "records").mkdir()
    fleet.hosts[0].spoil("b2")
    planned(command)
    early = run(command, 2, "--records", "records")
    assert (early.code, early.document["outcome"]) == (1, "refused"), "the canary has no record yet"
    (command.directory / "records/2.json").unlink()
    assert run(command, 1, "--records", "records").code == 2
    late = run(command, 2, "--records", "records")
    assert (late.code, outcomes(late)) == (1, ["refused"] * 2)
    assert fleet.live == ["b2"] + ["b3"] * 5
    ended = merged(command, ROLLBACK_NOT_BEGUN="rest")
    assert ended.code == 5
    assert outcomes(ended) == ["verification_failed", "refused", "refused", "not_begun", "not_begun", "not_begun"]


def test_what_cannot_be_planned_writes_no_plan(command: RollbackOps, fleet: SmallHosts) -> None:
    file = command.directory / "rollback-plan.json"
    none = command("shards", "prod", *WHY, "--to", "b9")
    assert (none.code, none.out, file.exists()) == (1, "", False)
    assert command("shards", "prod", "--size", "2").code == 64, "no reason"
    assert command("shards", "prod", *WHY, "--size", "0").code == 64
    assert (command("shards", "prod", *WHY, "--records", "records").code, file.exists()) == (64, False), (
        "of which plan?"
    )


def in_two_regions(command: RollbackOps, fleet: SmallHosts, **strategy: Any) -> dict[str, Any]:
    """Plan a rollback of three hosts in each region: shards of two hosts."""
    (command.directory / "records").mkdir(exist_ok=True)
    regions = {"eu": {"hosts": fleet.addresses[:3]}, "us": {"hosts": fleet.addresses[3:]}}
    command.settings(fleet.toml({"canary": 1, "max_parallel": 2, "bake": "1s", **strategy}, regions=regions))
    return planned(command)


def begun(command: RollbackOps, *numbers: int) -> list[int]:
    """Run shards as the jobs of a workflow do. Returns their exit codes."""
    return [run(command, number, "--records", "records").code for number in numbers]


def test_one_plan_has_all_regions_and_the_next_begins_when_the_hosts_of_the_former_were_verified_again(
    command: RollbackOps, fleet: SmallHosts
) -> None:
    plan = in_two_regions(command, fleet)
    stages = {"unhealthy": [], "at_once": 1}
    assert plan["regions"] == [
        {"region": "eu", "gate": 0, "canary": [1], "rest": [2], **stages},
        {"region": "us", "gate": 3, "canary": [4], "rest": [5], **stages},
    ]
    assert begun(command, 2, 3, 4) == [1, 1, 1], "the canary of eu is first"
    assert begun(command, 1, 2, 4) == [0, 0, 1], "us waits for the bake of eu"
    assert fleet.live == ["b2"] * 3 + ["b3"] * 3
    baked = run(command, 3, "--records", "records")
    assert (baked.code, outcomes(baked)) == (0, ["nothing_to_do"] * 3)
    assert begun(command, 4, 5) == [0, 0]

    whole = merged(command).document
    assert (whole["outcome"], fleet.live) == ("succeeded", ["b2"] * 6)
    assert [host["region"] for host in whole["hosts"]] == ["eu"] * 3 + ["us"] * 3
    assert [(each["stage"], each["region"]) for each in whole["shards"]] == [
        ("canary", "eu"), ("rest", "eu"), ("bake", "eu"), ("canary", "us"), ("rest", "us")
    ]  # fmt: skip
    assert [share["region"] for share in whole["strategy"]["shares"]] == ["eu", "us"]


@pytest.mark.parametrize("when", [pytest.param("in its shard", marks=pytest.mark.long), "in the bake"])
def test_a_region_with_more_failures_than_its_budget_leaves_the_next_one_untouched(
    command: RollbackOps, fleet: SmallHosts, when: str
) -> None:
    # One of six may fail in all, and none of three.
    in_two_regions(command, fleet, max_failures="20%")
    if when == "in its shard":
        fleet.hosts[1].spoil("b2")
    assert begun(command, 1, 2) == [0, 0 if when == "in the bake" else 5]
    fleet.hosts[1].spoil("b2")
    gate = run(command, 3, "--records", "records")
    assert gate.code == (2 if when == "in the bake" else 1)
    assert begun(command, 4) == [1]
    (command.directory / "records/4.json").unlink()

    ended = merged(command)
    assert (ended.code, fleet.live) == (5, ["b2"] * 3 + ["b3"] * 3)
    assert outcomes(ended) == ["succeeded", "verification_failed", "succeeded"] + ["not_begun"] * 3
    assert [wave["outcome"] for wave in ended.document["waves"]][-2:] == ["not_begun"] * 2
    assert "region eu" in ended.document["strategy"]["stopped"]


def test_after_the_canary_a_later_run_verifies_it_again_and_goes_on_with_the_same_plan(
    command: RollbackOps, fleet: SmallHosts
) -> None:
    plan = in_two_regions(command, fleet, after_canary="stop")
    assert [(each["region"], each["canary"], each["rest"]) for each in plan["regions"]] == [("eu", [1], [])]
    assert begun(command, 1) == [0]
    stopped = merged(command)
    assert (stopped.code, outcomes(stopped)) == (5, ["succeeded"] + ["not_begun"] * 5)
    assert "after_canary" in stopped.document["strategy"]["stopped"]
    go_on = stopped.document["strategy"]["then"].removeprefix("rollback-ops ").split()
    assert begun(command, 2) == [1]

    fleet.hosts[0].spoil("b2")
    assert command(*go_on).code == 1, "the canary is unhealthy now"
    fleet.hosts[0].heal("b2")
    again = command(*go_on)
    assert (again.code, again.document["hash"]) == (0, plan["hash"]), again.err
    assert [(each["gate"], each["canary"], each["rest"]) for each in again.document["regions"]] == [
        (0, [], [2]),
        (3, [4], []),
    ]
    assert begun(command, 2, 3, 4, 5) == [0, 0, 0, 1]
    assert outcomes(merged(command, ROLLBACK_NOT_BEGUN="")) == ["succeeded"] * 4 + ["refused"] * 2
    assert command(*go_on).code == 0
    assert begun(command, 5) == [0]
    whole = merged(command).document
    assert (whole["id"], whole["outcome"]) == (stopped.document["id"], "succeeded")


def test_after_a_killed_canary_a_later_run_changes_what_the_host_says_was_not_changed(
    command: RollbackOps, fleet: SmallHosts
) -> None:
    (command.directory / "records").mkdir()
    planned(command)
    record = run(command, 1, "--dry-run").document | {"dry_run": False, "outcome": "failed", "exit_code": 4}
    # As the last step of the action leaves it: nobody knows how the transaction ended, if there was one.
    record["hosts"][0]["outcome"] = "unknown"
    (command.directory / "records/1.json").write_text(json.dumps(record))
    assert begun(command, 2) == [1]

    again = command("shards", "prod", "--plan", "rollback-plan.json", "--records", "records")
    assert (again.code, again.document["regions"][0]["canary"]) == (0, [1]), again.err
    assert (begun(command, 1, 2), fleet.live[:3]) == ([0, 0], ["b2"] * 3)


def test_no_shard_begins_after_the_deadline_of_the_whole(command: RollbackOps, fleet: SmallHosts) -> None:
    (command.directory / "records").mkdir()
    command.settings(fleet.toml({"canary": 1, "deadline": "30m"}))
    planned(command)
    file = command.directory / "rollback-plan.json"
    plan = read_fleet_plan(file.read_text())
    file.write_text(replace(plan, at=rfc3339(datetime.now(UTC) - timedelta(minutes=31))).text())
    assert begun(command, 1) == [1]


def test_a_plan_whose_hosts_changed_is_not_gone_on_with(command: RollbackOps, fleet: SmallHosts) -> None:
    (command.directory / "records").mkdir()
    planned(command)
    assert begun(command, 1) == [0]
    go_on = ("shards", "prod", "--plan", "rollback-plan.json", "--records", "records")
    assert command("rollback", "prod", *WHY, "--to", "b1", "--host", fleet.addresses[5]).code == 0
    moved = command(*go_on)
    assert (moved.code, fleet.addresses[5] in moved.err) == (1, True)
    command.settings(fleet.toml({"canary": 2}))
    assert command(*go_on).code == 1


def test_a_plan_is_as_old_as_the_last_shard_that_ended(command: RollbackOps, fleet: SmallHosts) -> None:
    (command.directory / "records").mkdir()
    planned(command)
    file = command.directory / "rollback-plan.json"
    old = replace(read_fleet_plan(file.read_text()), at=rfc3339(datetime.now(UTC) - timedelta(hours=3)))
    file.write_text(old.text())
    assert begun(command, 1) == [1]
    file.write_text(replace(old, confirmed=Confirmed(rfc3339(datetime.now(UTC)))).text())
    assert begun(command, 1) == [0]
    file.write_text(old.text())
    assert begun(command, 2) == [0]


def test_without_a_record_of_any_shard_nobody_knows_anything(command: RollbackOps) -> None:
    planned(command)
    (command.directory / "records").mkdir()
    (command.directory / "records/x.json").write_text("{}")
    ended = merged(command)
    assert (ended.code, ended.document["outcome"]) == (4, "failed")
    assert outcomes(ended) == ["unknown"] * 6
    assert merged(command, ROLLBACK_ENVIRONMENT="test").code == 64
    assert merged(command, ROLLBACK_NOT_BEGUN="other").code == 64
