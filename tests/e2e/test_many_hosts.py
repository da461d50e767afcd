"""Many hosts at once: each for itself, and one that is dead holds up neither the others nor the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost
from tests.support.scene import QUICK, SECOND, WHY, released
from tests.support.waiting import Running

# Only one worker boots so many hosts.
pytestmark = pytest.mark.xdist_group("many hosts")
NUMBER = 6
CONNECT = 3.0


@pytest.fixture
def services(hosts: Callable[[int], list[LabHost]]) -> Iterator[list[Deployed]]:
    """The same service on many hosts."""
    deployed = [host.deploy("fleet") for host in hosts(NUMBER)]
    yield deployed
    for service in deployed:
        service.remove()


@contextmanager
def cut(services: list[Deployed]) -> Iterator[None]:
    for service in services:
        service.host.cut_network()
    try:
        yield
    finally:
        for service in services:
            service.host.restore_network()


def addresses(services: list[Deployed]) -> list[str]:
    return [f"root@{service.host.address}" for service in services]


@pytest.fixture
def command(services: list[Deployed], rollback_ops: RollbackOps) -> RollbackOps:
    """Ready to roll all of them back."""
    limits = {"connect": f"{CONNECT}s"}
    rollback_ops.settings(services[0].toml(addresses(services), verify=QUICK, limits=limits))
    return rollback_ops


@pytest.mark.long
def test_one_dead_host_of_many_costs_the_others_no_more_than_the_time_to_connect(
    command: RollbackOps, services: list[Deployed]
) -> None:
    dead, alive = services[4], [*services[:4], *services[5:]]

    with cut([dead]):
        began = time.monotonic()
        ended = command("rollback", "prod", *WHY, "--json")
        took = time.monotonic() - began

    assert ended.code == 5, ended.err
    record = ended.document
    assert (record["outcome"], record["exit_code"], record["to"]["release"]) == ("partial", 5, SECOND)
    outcomes = {told["host"]: told["outcome"] for told in record["hosts"]}
    assert outcomes == dict.fromkeys(addresses(alive), "succeeded") | {f"root@{dead.host.address}": "unreachable"}
    (unreachable,) = (told["detail"] for told in record["hosts"] if told["outcome"] == "unreachable")
    assert "3 s" in unreachable
    assert {(service.live(), released(service)) for service in alive} == {(SECOND, SECOND)}
    assert dead.live() != SECOND
    # The others began when the dead one was given up, and nothing of it held up the end. What was looked at before the
    # record began counts for the whole only.
    assert CONNECT < took < record["duration_seconds"] + 6

    # The one that stayed behind catches up; the others have what they were to have.
    again = command("rollback", "prod", *WHY, "--json")
    assert again.code == 0, again.err
    outcomes = {told["host"]: told["outcome"] for told in again.document["hosts"]}
    assert outcomes == dict.fromkeys(addresses(alive), "nothing_to_do") | {f"root@{dead.host.address}": "succeeded"}
    assert {(service.live(), released(service)) for service in services} == {(SECOND, SECOND)}


@pytest.mark.long
def test_a_host_that_dies_in_the_middle_leaves_the_others_done_and_itself_unknown(
    services: list[Deployed], rollback_ops: RollbackOps
) -> None:
    four = services[:4]
    limits = {"connect": "10s", "total": "40s"}
    verify = {"min_healthy_time": "0s", "healthy_deadline": "20s"}
    rollback_ops.settings(four[0].toml(addresses(four), verify=verify, limits=limits))
    running = Running(rollback_ops.start("rollback", "prod", *WHY, "--json"))
    assert running.process.stderr is not None
    next(line for line in running.process.stderr if line.startswith("▸ switch"))

    with cut(four[:1]):
        ended = running.end(within=120)

    assert ended.code == 5, ended.err
    outcomes = [told["outcome"] for told in ended.document["hosts"]]
    assert outcomes == ["unknown", "succeeded", "succeeded", "succeeded"]


def test_when_no_host_answers_the_command_is_refused_after_one_connect_timeout(
    command: RollbackOps, services: list[Deployed]
) -> None:
    with cut(services):
        began = time.monotonic()
        ended = command("rollback", "prod", *WHY, "--json")
        took = time.monotonic() - began

    assert ended.code == 1, ended.err
    assert ended.document["outcome"] == "refused"
    assert [told["outcome"] for told in ended.document["hosts"]] == ["unreachable"] * NUMBER
    assert took < CONNECT + 12
