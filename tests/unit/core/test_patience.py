"""How long a run waits for a host that another run holds: as asked, else until a dead owner's lease is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollback_ops.core.model import Lease
from rollback_ops.core.patience import Patience

LEASE = Lease("run-0", "bob", expires_in=7.0, until="700")


def test_without_a_wish_the_end_of_the_lease_is_waited_for() -> None:
    patience = Patience(100.0)
    assert 7 < patience.left({"h1": LEASE}, 100.0) < 9
    assert 4 < patience.left({"h1": replace(LEASE, expires_in=4.0)}, 103.0) < 6
    assert patience.left({"h1": replace(LEASE, expires_in=0.0)}, 109.0) <= 0


@pytest.mark.parametrize("alive", [replace(LEASE, until="900", expires_in=10.0), replace(LEASE, run="run-1")])
def test_an_owner_that_shows_that_it_is_alive_is_not_waited_for(alive: Lease) -> None:
    patience = Patience(100.0)
    assert patience.left({"h1": LEASE}, 100.0) > 0
    assert patience.left({"h1": alive}, 101.0) <= 0


def test_a_lease_that_claims_to_last_for_ever_is_waited_for_as_long_as_any() -> None:
    assert Patience(0.0).left({"h1": replace(LEASE, expires_in=86400.0)}, 0.0) < 12


def test_the_host_that_is_held_longest_decides() -> None:
    patience = Patience(0.0)
    leases = {"h1": replace(LEASE, expires_in=2.0), "h2": replace(LEASE, expires_in=9.0)}
    assert 9 < patience.left(leases, 0.0) < 11


@pytest.mark.parametrize(("wait", "now", "waits"), [(0.0, 100.0, False), (120.0, 219.0, True), (120.0, 221.0, False)])
def test_a_wish_counts_from_the_beginning_whoever_has_the_lease(wait: float, now: float, waits: bool) -> None:
    patience = Patience(100.0, wait)
    patience.left({"h1": LEASE}, 100.0)
    assert (patience.left({"h1": replace(LEASE, run="run-5", until="1")}, now) > 0) is waits
