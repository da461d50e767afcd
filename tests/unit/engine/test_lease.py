"""Leases are renewed while a run works, without a login for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rollback_ops.core.errors import ConnectionLost
from rollback_ops.engine.lease import LeaseKeeper
from tests.support.fakes import FakeHost, raising
from tests.support.lab.ground import wait_until


@contextmanager
def keeper(most: int = 10) -> Iterator[LeaseKeeper]:
    kept = LeaseKeeper(most, renew_after=0.01, again_after=0.01)
    yield kept
    kept.stop()


def test_a_lease_is_renewed_again_and_again_until_the_keeper_is_stopped() -> None:
    host = FakeHost()
    with keeper() as leases:
        leases.keep(host, "run-1")
        wait_until(lambda: len(host.asked_by) > 2, 60, "the third renewal", interval=0.01)
    assert set(host.asked_by) == {"run-1"}
    leases.keep(other := FakeHost("h2"), "run-1")
    wait_until(lambda: not leases.at_work, 60, "the end of the keeper", interval=0.01)
    assert other.asked_by == []


def test_a_host_that_does_not_answer_is_asked_again_and_holds_up_no_other() -> None:
    mute, host = FakeHost("h1", before={"ask": raising(ConnectionLost("gone"))}), FakeHost("h2")
    with keeper() as leases:
        leases.keep(mute, "run-1")
        leases.keep(host, "run-1")
        wait_until(lambda: len(mute.did("ask")) > 1 and len(host.asked_by) > 1, 60, "renewals", interval=0.01)


def test_leases_are_renewed_although_no_thread_could_be_started_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    start, refusals, host = threading.Thread.start, iter(range(3)), FakeHost()

    def refuse(thread: threading.Thread) -> None:
        if next(refusals, None) is None:
            return start(thread)
        raise RuntimeError("can't start new thread")

    with keeper() as leases:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        leases.keep(host, "run-1")
        # The next host is another occasion to begin.
        leases.keep(FakeHost("h2"), "run-1")
        leases.keep(FakeHost("h3"), "run-1")
        leases.keep(FakeHost("h4"), "run-1")
        wait_until(lambda: len(host.asked_by) > 2, 60, "the third renewal", interval=0.01)


def test_a_host_that_gave_its_connection_away_is_not_connected_for_its_lease() -> None:
    away, host = FakeHost("h1", connected=False), FakeHost("h2")
    with keeper() as leases:
        leases.keep(away, "run-1")
        leases.keep(host, "run-1")
        wait_until(lambda: len(host.asked_by) > 2, 60, "the third renewal", interval=0.01)
    assert away.asked_by == []


@pytest.mark.parametrize("most", [1, 2])
def test_only_the_last_leases_are_kept(most: int) -> None:
    hosts = [FakeHost(f"h{number}") for number in range(1, 4)]
    with keeper(most) as leases:
        for host in hosts:
            leases.keep(host, "run-1")
        assert leases.names == [host.name for host in hosts[-most:]]
