"""The hosts of a run under one deadline, and in which order they have their turns."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Never

import pytest

from rollback_ops import checks
from rollback_ops.config import CommandCheck, Verify
from rollback_ops.core import tasks
from rollback_ops.core.errors import HostUnreachable
from rollback_ops.core.health import Claim
from rollback_ops.core.model import SwitchOrder
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.proof import Proof
from tests.support.fakes import Events, FakeHost, Listener

# Seconds. No test takes as long.
TOTAL = 10_000.0


HEALTH = {"health": CommandCheck(kind="command", run="true", failure_threshold=1)}


@dataclass
class Server(FakeHost):
    """A host that notes when its connection may be given to another one again."""

    @contextmanager
    def staying_connected(self) -> Iterator[None]:
        yield
        self._begin("may be closed")


def fleet(connections: int, hosts: Sequence[FakeHost] = (), cancellation: Cancellation | None = None) -> Fleet:
    by_name = {host.name: host for host in hosts or [FakeHost(f"h{number}") for number in range(1, 6)]}
    survey = tasks.begin(by_name, lambda name: by_name[name].survey())
    return Fleet(list(by_name.values()), survey, Listener(), cancellation or Cancellation(), TOTAL, connections)


def surveyed(hosts: Sequence[FakeHost]) -> tuple[Fleet, Events]:
    """Return a run with one connection that has surveyed its hosts, and what they all do from now on, in order."""
    events: Events = []
    for host in hosts:
        host.events = events
    run = fleet(1, hosts)
    run.survey()
    events.clear()
    return run, events


def orders(hosts: Sequence[FakeHost]) -> dict[str, SwitchOrder]:
    return {host.name: SwitchOrder("run-1", "r2", "r1", "me", "{}") for host in hosts}


def proof(hosts: Sequence[FakeHost]) -> Proof:
    policy = Verify(min_healthy_time=0)
    claims = {host.name: Claim("run-1", "r1", leased=True) for host in hosts}
    return Proof(lambda _: checks.build(HEALTH, "r1"), checks.thresholds(HEALTH, policy), claims)


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


def test_hosts_that_are_connected_already_have_their_turns_first() -> None:
    hosts = [FakeHost(f"h{number}", connected=number in (2, 4)) for number in range(1, 6)]
    run, events = surveyed(hosts)

    assert list(run.note("run-1", run.names, "{}")) == []
    assert [host for host, _, _ in events] == ["h2", "h4", "h1", "h3", "h5"]
    events.clear()
    assert list(run.switch(orders(hosts))) == list(run.names), "the answer has the order of the question"
    assert [host for host, did, _ in events if did == "switched"] == ["h2", "h4", "h1", "h3", "h5"]


def test_where_hosts_are_more_than_connections_each_is_verified_before_its_connection_is_closed() -> None:
    hosts = [Server(f"h{number}") for number in range(1, 4)]
    run, events = surveyed(hosts)

    switched = run.switch(orders(hosts), proof=proof(hosts))
    did = dict.fromkeys((host, did) for host, did, _ in events)
    assert list(did) == [(host.name, did) for host in hosts for did in ("switch", "switched", "ask", "may be closed")]
    events.clear()
    found = run.verify(proof(hosts), {name: result.units for name, result in switched.items()})
    assert [each.healthy for each in found.values()] == [True] * 3
    assert events == [], "nobody was asked once more"


def test_where_all_hosts_are_connected_they_are_verified_together_after_all_are_switched() -> None:
    hosts = [Server(f"h{number}") for number in range(1, 4)]
    run = fleet(3, hosts)
    run.survey()
    run.switch(orders(hosts), proof=proof(hosts))
    assert [host.did("ask") for host in hosts] == [[]] * 3
    assert all(each.healthy for each in run.verify(proof(hosts), {}).values())


def test_a_host_that_was_not_switched_is_not_verified() -> None:
    hosts = [Server("h1"), Server("h2", ends="refused")]
    run = fleet(1, hosts)
    run.survey()
    assert [each.outcome for each in run.switch(orders(hosts), proof=proof(hosts)).values()] == ["switched", "refused"]
    assert [bool(host.did("ask")) for host in hosts] == [True, False]


def test_a_signal_ends_the_verification_and_loses_no_result_of_a_switch() -> None:
    cancellation = Cancellation()
    hosts = [Server("h1", before={"ask": lambda: cancellation.ask(signal.SIGTERM, 60)}, says=1), Server("h2")]
    run = fleet(1, hosts, cancellation)
    run.survey()
    ended = run.switch(orders(hosts), proof=proof(hosts))
    assert ended["h1"].outcome == "switched"
    assert hosts[1].orders == [], "no other transaction begins after a signal"


def test_a_host_that_goes_on_to_another_release_is_not_taken_for_verified() -> None:
    hosts = [Server(f"h{number}") for number in range(1, 3)]
    run = fleet(1, hosts)
    run.survey()
    run.switch(orders(hosts), proof=proof(hosts))
    run.switch(orders(hosts))
    asked = [len(host.did("ask")) for host in hosts]
    assert all(each.healthy for each in run.verify(proof(hosts), {}).values())
    assert all(len(host.did("ask")) > before for host, before in zip(hosts, asked, strict=True))


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), HostUnreachable("h1: no route")])
def test_a_verification_that_cannot_be_begun_loses_no_result_of_a_switch(error: Exception) -> None:
    def fails(_: str) -> Never:
        raise error

    hosts = [Server(f"h{number}") for number in range(1, 3)]
    run = fleet(1, hosts)
    run.survey()
    ended = run.switch(orders(hosts), proof=Proof(fails, {}, proof(hosts).claims))
    assert [each.outcome for each in ended.values()] == ["switched"] * 2


def test_what_fails_on_this_machine_meanwhile_loses_no_result_of_a_switch() -> None:
    def fails() -> None:
        raise RuntimeError("can't start new thread")

    hosts = [Server("h1")]
    run = fleet(1, hosts)
    run.survey()
    assert run.switch(orders(hosts), meanwhile=fails)["h1"].outcome == "switched"
