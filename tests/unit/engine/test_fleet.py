"""The hosts of a run under one deadline."""

from __future__ import annotations

import pytest

from rollback_ops.core import tasks
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.fleet import Fleet
from tests.support.fakes import FakeHost, Listener

# Seconds. No test takes as long.
TOTAL = 10_000.0


def fleet(connections: int) -> Fleet:
    hosts = [FakeHost(f"h{number}") for number in range(1, 6)]
    by_name = {host.name: host for host in hosts}
    survey = tasks.begin(by_name, lambda name: by_name[name].survey())
    return Fleet(hosts, survey, Listener(), Cancellation(), TOTAL, connections)


@pytest.mark.parametrize(("connections", "turns"), [(5, 1), (4, 2), (2, 3), (1, 5)])
def test_there_is_time_for_every_host_to_have_its_turn(connections: int, turns: int) -> None:
    run = fleet(connections)
    assert round(run.left() / TOTAL, 1) == turns
    run.renew(TOTAL * 2)
    assert round(run.left() / TOTAL, 1) == turns * 2
    run.extend(TOTAL, run.names)
    assert round(run.left() / TOTAL, 1) == turns * 3
    run.renew(TOTAL, run.names[:1])
    assert round(run.left() / TOTAL, 1) == 1
    run.extend(TOTAL)
    assert round(run.left() / TOTAL, 1) == 2
