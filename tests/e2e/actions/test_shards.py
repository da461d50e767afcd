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
from tests.support.github_api.server import GitHubApi
from tests.support.lab.ground import wait_until
from tests.support.project import PROJECT
from tests.support.receiver import Receiver
from tests.support.small_hosts import SmallHosts, small_hosts

WORKFLOW = (PROJECT / "docs/workflows/shards.yml").read_text()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[SmallHosts]:
    with small_hosts(tmp_path, 12) as hosts:
        yield hosts


@pytest.fixture
def repository(workflows: Workflows, action: Path, fleet: SmallHosts, team: Receiver) -> Workflows:
    workflows.actions["OWNER/rollback-ops"] = action
    workflows.secrets |= fleet.secrets | {"ROLLBACK_WEBHOOK_URL": team.url}
    # act knows no `${{ fromJSON(…) }}` as a number.
    parallel = "      max-parallel: ${{ fromJSON(needs.plan.outputs.max-parallel) }}\n"
    assert WORKFLOW.count(parallel) == 2
    workflows.workflow(WORKFLOW.replace(parallel, "      max-parallel: 1\n").replace("size: 100", "size: 3"))
    workflows.write("rollback.toml", fleet.toml({"max_parallel": 3, "max_failures": 6}))
    return workflows


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
def test_a_killed_job_and_a_host_that_is_down_are_in_the_one_record_and_nothing_else_is(
    repository: Workflows, fleet: SmallHosts, api: GitHubApi, team: Receiver
) -> None:
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
