"""The workflow for very many hosts (``docs/workflows/shards.yml``): four shards of three hosts, and what goes wrong."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.act.act import Workflows
from tests.support.act.callers import REASON, filed
from tests.support.act.run import Ran
from tests.support.act.workflow import for_act
from tests.support.github_api.server import GitHubApi
from tests.support.lab.ground import wait_until
from tests.support.project import PROJECT
from tests.support.receiver import Receiver
from tests.support.small_hosts import SmallHosts, small_hosts

WORKFLOW = (PROJECT / "docs/workflows/shards.yml").read_text()
OURS, REGION = "OWNER/rollback-ops@REF", "./.github/workflows/shards-region.yml"


@pytest.fixture
def fleet(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SmallHosts]:
    with small_hosts(tmp_path, request.param) as hosts:
        yield hosts


@pytest.fixture
def repository(workflows: Workflows, action: Path, fleet: SmallHosts, team: Receiver) -> Workflows:
    workflows.actions["OWNER/rollback-ops"] = action
    workflows.secrets |= fleet.secrets | {"ROLLBACK_WEBHOOK_URL": team.url}
    return workflows


def _for_act(repository: Workflows, outer: str) -> None:
    """Add both workflows.

    act knows no ``${{ fromJSON(…) }}`` as a number. It ends the whole run when a job of a called workflow fails: there,
    a job goes on where a shard has failed, and the others have to refuse by themselves.
    """
    inner = (PROJECT / ".github/workflows/shards-region.yml").read_text()
    parallel, step = "max-parallel: ${{ fromJSON(inputs.shards).at_once }}", "        uses: $/\n"
    assert (inner.count(parallel), inner.count(step)) == (2, 4)
    inner = inner.replace(parallel, "max-parallel: 1").replace(step, f"        continue-on-error: true\n{step}")
    repository.write(".github/workflows/shards-region.yml", for_act(inner.replace("$/", OURS))[0])
    outer = outer.replace("OWNER/rollback-ops/.github/workflows/shards-region.yml@REF", REGION)
    repository.workflow(outer.replace("size: 100", "size: 3"))


def _command_of_shard(number: int) -> list[int]:
    """The processes that carry out a shard."""
    wanted = f"ROLLBACK_SHARD={number}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_it = wanted in (process / "environ").read_bytes().split(b"\0")
            if is_it and b"launch.py" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


def _end_the_third_shard(fleet: SmallHosts) -> None:
    """Kill the job while one of its hosts is in its transaction, and take a host of the next shard down."""
    wait_until(lambda: fleet.live[7:9] == ["b2"] * 2, 60, "its other hosts done")
    fleet.hosts[10].go_down()
    for process in _command_of_shard(3):
        os.kill(process, signal.SIGKILL)


@pytest.mark.long
@pytest.mark.parametrize("fleet", [12], indirect=True)
def test_a_killed_job_and_a_host_that_is_down_are_in_the_one_record_and_nothing_else_is(
    repository: Workflows, fleet: SmallHosts, api: GitHubApi, team: Receiver
) -> None:
    _for_act(repository, WORKFLOW)
    repository.write("rollback.toml", fleet.toml({"max_parallel": 3, "max_failures": 6}))
    fleet.hosts[6].hang()
    api.repository.knows(repository.sha)
    running = repository.start(reason=REASON)
    with ThreadPoolExecutor(1) as pool:
        # Somebody has to read what act prints, or it waits.
        ending = pool.submit(running.end, 300)
        try:
            wait_until(lambda: ending.done() or bool(_command_of_shard(3)), 240, "the third shard at work")
            assert not ending.done(), ending.result().journal.text
            _end_the_third_shard(fleet)
        finally:
            fleet.hosts[6].go_on()
        ran = ending.result()

    assert (ran.code, ran.journal.job) == (1, "failure")
    record = _merged(ran)
    outcomes = [host["outcome"] for host in record["hosts"]]
    assert outcomes == ["succeeded"] * 6 + ["unknown"] * 3 + ["succeeded", "unreachable", "succeeded"]
    assert (record["outcome"], record["exit_code"]) == ("partial", 5)
    assert [shard["number"] for shard in record["shards"]] == [1, 2, 3, 4]
    assert filed(api)["payload"]["id"] == record["id"]
    assert len(team.documents) == 1
    # The host finishes what it began, whatever becomes of the job.
    wait_until(lambda: fleet.live == ["b2"] * 10 + ["b3", "b2"], 60, "the host at the end of its transaction")


def _merged(ran: Ran) -> dict[str, Any]:
    """The one record of all shards."""
    (path,) = ran.artifacts.glob("rollback-*/*.json")
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def _in_two_regions(fleet: SmallHosts, strategy: dict[str, Any]) -> str:
    half = len(fleet.addresses) // 2
    parts = {"eu": fleet.addresses[:half], "us": fleet.addresses[half:]}
    return fleet.toml(strategy, regions={name: {"hosts": hosts} for name, hosts in parts.items()})


@pytest.mark.long
@pytest.mark.parametrize("fleet", [6], indirect=True)
def test_a_region_that_exceeds_its_budget_leaves_the_next_one_untouched_and_the_one_record_says_so(
    repository: Workflows, fleet: SmallHosts, api: GitHubApi, team: Receiver
) -> None:
    called = (PROJECT / ".github/workflows/shards.yml").read_text().replace("$/.github", "./.github")
    repository.write(".github/workflows/shards.yml", for_act(called.replace("$/", OURS))[0])
    caller = (PROJECT / "docs/workflows/shards-called.yml").read_text()
    _for_act(repository, caller.replace("OWNER/rollback-ops/", "./").replace("shards.yml@REF", "shards.yml"))
    repository.write("rollback.toml", _in_two_regions(fleet, {"canary": 1, "max_failures": "20%", "bake": "1s"}))
    fleet.hosts[2].spoil("b2")
    api.repository.knows(repository.sha)

    ran = repository.start(reason=REASON).end(300)

    record = _merged(ran)
    assert (ran.code, fleet.live) == (1, ["b2"] * 3 + ["b3"] * 3), ran.journal.text
    found = [(host["region"], host["outcome"]) for host in record["hosts"]]
    eu = [("eu", "succeeded"), ("eu", "succeeded"), ("eu", "verification_failed")]
    assert found[:3] == eu
    assert {region for region, outcome in found[3:] if outcome in ("not_begun", "refused")} == {"us"}
    assert (record["outcome"], record["exit_code"], len(team.documents)) == ("partial", 5, 1)
    assert filed(api)["payload"]["id"] == record["id"]
    assert {shard["region"] for shard in record["shards"]} == {"eu", "us"}
    assert "reviewed" in ran.journal.text


@pytest.mark.long
@pytest.mark.parametrize("fleet", [4], indirect=True)
def test_after_each_canary_a_second_run_goes_on_until_all_regions_are_done(
    repository: Workflows, fleet: SmallHosts, api: GitHubApi
) -> None:
    _for_act(repository, WORKFLOW)
    repository.write("rollback.toml", _in_two_regions(fleet, {"canary": 1, "after_canary": "stop"}))
    api.repository.knows(repository.sha)

    lives = (["b2", "b3", "b3", "b3"], ["b2", "b2", "b2", "b3"], ["b2"] * 4)
    records = []
    for number, live in enumerate(lives):
        ran = repository.start(reason=REASON, resume=str(number - 1) if number else "").end(300)
        assert fleet.live == live, ran.journal.text
        records.append(_merged(ran))
    assert [record["outcome"] for record in records] == ["partial", "partial", "succeeded"]
    assert len({record["id"] for record in records}) == 1
    assert "not_begun" not in {host["outcome"] for host in records[-1]["hosts"]}
