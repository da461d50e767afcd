"""A rollback in waves on real hosts: what stops it, and how another runner goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.test_many_hosts import addresses
from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab
from tests.support.scene import FIRST, QUICK, SECOND, THIRD, WHY, evident, pid, released
from tests.support.waiting import Running, hear

pytestmark = pytest.mark.xdist_group("many hosts")
ONE_BY_ONE = {"canary": 1, "max_parallel": 1}

Fleet = Callable[..., list[Deployed]]


@pytest.fixture
def fleet(hosts: Callable[[int], list[LabHost]], lab: Lab, rollback_ops: RollbackOps) -> Iterator[Fleet]:
    """The same service on some hosts; the first one may be deployed in another way."""
    deployed: list[Deployed] = []

    def deploy(count: int, **first: Any) -> list[Deployed]:
        one, *others = hosts(count)
        # Some of them may have been booted only now.
        rollback_ops.secrets = {**rollback_ops.secrets, "ROLLBACK_KNOWN_HOSTS": lab.known_hosts}
        deployed.append(one.deploy(**first))
        deployed.extend(host.deploy(deployed[0].name) for host in others)
        return deployed

    yield deploy
    for service in deployed:
        service.remove()


def settings(command: RollbackOps, services: list[Deployed], **strategy: Any) -> None:
    limits = {"connect": "6s"}
    environment = {"strategy": {**ONE_BY_ONE, **strategy}}
    command.settings(services[0].toml(addresses(services), environment, limits=limits, **evident(services[0])))


def begun(command: RollbackOps) -> Running:
    return Running(command.start("rollback", "prod", *WHY, "--json"))


def outcomes(document: dict[str, Any]) -> list[str]:
    return [host["outcome"] for host in document["hosts"]]


def live(services: list[Deployed]) -> list[str | None]:
    return [released(service) for service in services]


def test_another_runner_goes_on_where_one_was_killed_between_two_waves(fleet: Fleet, rollback_ops: RollbackOps) -> None:
    services = fleet(4)
    settings(rollback_ops, services, pause="10m", max_parallel=3)
    running = begun(rollback_ops)
    hear(running, "pause")
    running.kill()
    assert live(services) == [SECOND, THIRD, THIRD, THIRD]
    process = pid(services[0])

    settings(rollback_ops, services)
    resumed = rollback_ops("resume", "prod", *WHY, "--json")

    assert resumed.code == 0, resumed.err
    assert [(wave["number"], len(wave["hosts"])) for wave in resumed.document["waves"]] == [(2, 3)]
    assert outcomes(resumed.document) == ["nothing_to_do", *["succeeded"] * 3]
    assert live(services) == [SECOND] * 4
    assert pid(services[0]) == process, "what was done is left as it is"
    assert resumed.document["hosts"][0]["checks"] != [], "and is verified again"


def test_a_canary_that_fails_keeps_every_other_host_as_it_is(fleet: Fleet, rollback_ops: RollbackOps) -> None:
    services = fleet(3, releases={FIRST: "healthy", SECOND: "unhealthy", THIRD: "healthy"})
    settings(rollback_ops, services, max_failures=2)
    untouched = [pid(service) for service in services[1:]]

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert ended.code == 5, ended.err
    assert outcomes(ended.document) == ["verification_failed", "not_begun", "not_begun"]
    assert [pid(service) for service in services[1:]] == untouched
    assert "resume" in ended.document["strategy"]["then"]


def test_without_a_canary_the_wave_that_exceeds_the_budget_is_the_last(fleet: Fleet, rollback_ops: RollbackOps) -> None:
    services = fleet(6)
    settings(rollback_ops, services, canary=0, max_parallel=2, max_failures=1)
    for sick in (services[1], services[2]):
        sick.host.write(f"{sick.releases_directory}/{SECOND}/behaviour", "unhealthy\n")
    untouched = [pid(service) for service in services[4:]]

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert ended.code == 5, ended.err
    waves = [(len(wave["hosts"]), wave["outcome"]) for wave in ended.document["waves"]]
    assert waves == [(2, "partial"), (2, "partial"), (2, "not_begun")]
    changed = ["succeeded", "verification_failed", "verification_failed", "succeeded"]
    assert outcomes(ended.document) == [*changed, *["not_begun"] * 2]
    assert (live(services[:4]), live(services[4:])) == ([SECOND] * 4, [THIRD] * 2)
    assert [pid(service) for service in services[4:]] == untouched


def test_a_done_host_that_goes_down_in_a_pause_takes_all_of_them_back(fleet: Fleet, rollback_ops: RollbackOps) -> None:
    services = fleet(3)
    settings(rollback_ops, services, pause="10m", on_exceeded="restore")
    running = begun(rollback_ops)
    hear(running, "pause")
    services[0].host.run(f"systemctl stop {services[0].units[0]}")
    ended = running.end(within=60)

    assert ended.code == 3, ended.err
    assert outcomes(ended.document) == ["restored", "not_begun", "not_begun"]
    assert live(services) == [THIRD] * 3


def test_a_region_that_cannot_be_reached_is_left_out(fleet: Fleet, rollback_ops: RollbackOps) -> None:
    services = fleet(3)
    names = addresses(services)
    regions = {"eu": {"hosts": names[:2]}, "us": {"hosts": names[2:]}}
    rollback_ops.settings(services[0].toml([], {"hosts": [], "regions": regions}, verify=QUICK))

    with services[2].host.refusing():
        refused = rollback_ops("rollback", "prod", *WHY, "--json")
        unchanged = live(services[:2])
        ended = rollback_ops("rollback", "prod", *WHY, "--exclude-region", "us", "--json")

    assert (refused.code, refused.document["outcome"]) == (1, "refused"), refused.err
    assert unchanged == [THIRD] * 2
    assert (ended.code, ended.document["to"]["release"]) == (0, SECOND), ended.document["rejected"]
    assert [(host["region"], host["outcome"]) for host in ended.document["hosts"]] == [("eu", "succeeded")] * 2
    assert ended.document["strategy"]["excluded"] == ["us"]
    assert live(services) == [SECOND, SECOND, THIRD]
