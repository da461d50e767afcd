"""The workflow for very many hosts (``docs/workflows/shards.yml``): four shards of three hosts, and what goes wrong."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.act.act import Workflows
from tests.support.act.callers import REASON, filed
from tests.support.act.workflow import for_act
from tests.support.github_api.server import GitHubApi
from tests.support.lab.ground import wait_until
from tests.support.project import PROJECT
from tests.support.receiver import Receiver
from tests.support.small_hosts import SmallHosts, small_hosts

WORKFLOW = (PROJECT / "docs/workflows/shards.yml").read_text()


@pytest.fixture
def fleet(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SmallHosts]:
    with small_hosts(tmp_path, request.param) as hosts:
        yield hosts


@pytest.fixture
def repository(workflows: Workflows, action: Path, fleet: SmallHosts, team: Receiver) -> Workflows:
    workflows.actions["OWNER/rollback-ops"] = action
    workflows.secrets |= fleet.secrets | {"ROLLBACK_WEBHOOK_URL": team.url}
    return workflows


def _one_by_one(workflow: str) -> str:
    """act knows no ``${{ fromJSON(…) }}`` as a number."""
    parallel = "      max-parallel: ${{ fromJSON(needs.plan.outputs.max-parallel) }}\n"
    assert workflow.count(parallel) == 2
    return workflow.replace(parallel, "      max-parallel: 1\n")


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
    repository.workflow(_one_by_one(WORKFLOW).replace("size: 100", "size: 3"))
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
    (path,) = ran.artifacts.glob("rollback-*/*.json")
    record = json.loads(path.read_text())
    outcomes = [host["outcome"] for host in record["hosts"]]
    assert outcomes == ["succeeded"] * 6 + ["unknown"] * 3 + ["succeeded", "unreachable", "succeeded"]
    assert (record["outcome"], record["exit_code"]) == ("partial", 5)
    assert [shard["number"] for shard in record["shards"]] == [1, 2, 3, 4]
    assert filed(api)["payload"]["id"] == record["id"]
    assert len(team.documents) == 1
    # The host finishes what it began, whatever becomes of the job.
    wait_until(lambda: fleet.live == ["b2"] * 10 + ["b3", "b2"], 60, "the host at the end of its transaction")


@pytest.mark.long
@pytest.mark.parametrize("fleet", [4], indirect=True)
def test_regions_go_one_after_the_other_by_the_reusable_workflow_with_a_review_after_the_canary(
    repository: Workflows, fleet: SmallHosts, api: GitHubApi
) -> None:
    called = (PROJECT / ".github/workflows/shards.yml").read_text().replace("uses: $/", "uses: OWNER/rollback-ops@REF")
    repository.write(".github/workflows/shards.yml", for_act(_one_by_one(called))[0])
    caller = (PROJECT / "docs/workflows/shards-called.yml").read_text()
    repository.workflow(caller.replace("OWNER/rollback-ops/", "./").replace("shards.yml@REF", "shards.yml"))
    regions = {name: {"hosts": hosts} for name, hosts in (("eu", fleet.addresses[:2]), ("us", fleet.addresses[2:]))}
    repository.write("rollback.toml", fleet.toml({"canary": 1}, regions=regions))
    api.repository.knows(repository.sha)

    ran = repository.start(reason=REASON).end(300)

    assert (ran.code, fleet.live) == (0, ["b2"] * 4), ran.journal.text
    records = [json.loads(path.read_text()) for path in ran.artifacts.glob("rollback-*/*.json")]
    found = {record["hosts"][0]["region"]: record for record in records}
    assert {region: record["outcome"] for region, record in found.items()} == {"eu": "succeeded", "us": "succeeded"}
    assert [shard["stage"] for shard in found["us"]["shards"]] == ["canary", "rest"]
    assert found["eu"]["finished_at"] <= found["us"]["started_at"]
    assert "reviewed" in ran.journal.text
