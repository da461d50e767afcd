"""An emergency rollback ends in time, whatever hangs."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost

_TOTAL = 12.0
_LIMITS = {"emergency_total": f"{_TOTAL:g}s"}


def test_an_emergency_ends_in_time_when_neither_stop_nor_start_comes_to_an_end(
    rollback_ops: RollbackOps, deploy: Callable[..., Deployed]
) -> None:
    releases = {"r1": "slow_start_6s", "r2": "ignores_sigterm"}
    service = deploy(layout="releases", owner="root", releases=releases, options=["Type=notify"])
    rollback_ops.settings(service.toml(limits=_LIMITS))

    began = time.monotonic()
    ended = rollback_ops("rollback", "prod", "--emergency", "--json")

    # Without the limit, systemd waits 90 s for the stop.
    assert time.monotonic() - began < _TOTAL + 30
    # It is still starting: nobody knows yet how well it is.
    assert (ended.code, ended.document["outcome"]) == (2, "health_unknown")
    assert service.live() == "r1"
    assert f"{service.name}.service" in ended.err


def test_a_host_that_is_down_leaves_the_others_of_an_emergency_their_time(
    rollback_ops: RollbackOps, host: LabHost, fresh_host: LabHost, deploy: Callable[..., Deployed]
) -> None:
    service = deploy(layout="releases", owner="root", releases={"r1": "healthy", "r2": "unhealthy"})
    # Time enough for the host that is reached, on a machine that is busy.
    limits = {"emergency_total": "30s"}
    rollback_ops.settings(service.toml([f"root@{host.address}", f"root@{fresh_host.address}"], limits=limits))
    fresh_host.cut_network()

    began = time.monotonic()
    ended = rollback_ops("rollback", "prod", "--emergency", "--json")

    assert time.monotonic() - began < 60
    assert ended.code == 5
    assert [h["outcome"] for h in ended.document["hosts"]] == ["succeeded", "unreachable"]
    assert service.live() == "r1"
