"""A rolling rollback behind a real load balancer: with drain and undrain, no request is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.balancer import HAPROXY, Balancer, Load, balancer
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.scene import SECOND, THIRD, WHY, quick, released

_NUMBERS = count(1)
TRAFFIC = {"drain": "/usr/local/bin/balancer drain", "undrain": "/usr/local/bin/balancer ready", "timeout": "20s"}


@pytest.fixture
def services(hosts: Callable[[int], list[LabHost]]) -> Iterator[list[Deployed]]:
    # Its files stay on the hosts, so each test has a service of its own.
    name = f"web{next(_NUMBERS)}"
    with ExitStack() as running:
        deployed = [host.deploy(name, owner="deploy") for host in hosts(3)]
        for service in deployed:
            running.callback(service.remove)
        yield deployed


@pytest.fixture
def in_front(services: list[Deployed], tmp_path: Path) -> Iterator[Balancer]:
    if not Path(HAPROXY).exists():
        pytest.skip("haproxy is missing")
    with balancer(services, tmp_path) as running:
        for number, service in enumerate(services):
            running.let(service, f"s{number}")
        yield running


def roll(rollback_ops: RollbackOps, services: list[Deployed], **settings: object) -> None:
    """One host after the other."""
    logins = [f"deploy@{service.host.address}" for service in services]
    one_by_one = {"strategy": {"max_parallel": 1}}
    rollback_ops.settings(quick(services[0], hosts=logins, environment=one_by_one, **settings))
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert ended.code == 0, ended.err
    assert [released(service) for service in services] == [SECOND] * 3


def test_a_rolling_rollback_with_drain_loses_no_request(
    services: list[Deployed], in_front: Balancer, rollback_ops: RollbackOps
) -> None:
    with Load(in_front.port).going_on() as load:
        roll(rollback_ops, services, traffic=TRAFFIC)
    assert load.asked > 100
    assert load.lost == []


@pytest.mark.long
def test_without_drain_the_same_loses_some(
    services: list[Deployed], in_front: Balancer, rollback_ops: RollbackOps
) -> None:
    with Load(in_front.port).going_on() as load:
        roll(rollback_ops, services)
    assert load.lost


def test_a_drain_that_fails_leaves_the_host_as_it_was(
    services: list[Deployed], in_front: Balancer, rollback_ops: RollbackOps
) -> None:
    service = services[0]
    in_front.let(service, "nobody")
    rollback_ops.settings(quick(service, traffic=TRAFFIC))
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert (ended.code, service.live(), released(service)) == (4, THIRD, THIRD), "nor can it be given back"


@pytest.mark.parametrize("killed", ["worker", "runner"])
def test_whoever_is_killed_while_the_host_is_drained_it_gets_its_traffic_back(
    services: list[Deployed], in_front: Balancer, rollback_ops: RollbackOps, killed: str
) -> None:
    service = services[0]
    slow = TRAFFIC["drain"] + " && touch $ROLLBACK_ROOT/drained && sleep 2"
    rollback_ops.settings(quick(service, traffic={**TRAFFIC, "drain": slow}))
    process = rollback_ops.start("rollback", "prod", *WHY)
    wait_until(
        lambda: service.host.run(f"test -e {service.root}/drained", check=False).returncode == 0, 30, "the drain"
    )
    if killed == "worker":
        service.host.run(f"kill -KILL $(cat {service.state}/runs/*/pid)")
    else:
        process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: in_front.server("s0") == "no check" and released(service) == SECOND, 60, "traffic to the target")
