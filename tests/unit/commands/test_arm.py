"""Arming fake hosts: all of them, or none."""

from __future__ import annotations

import signal
import threading

import pytest

from rollback_ops.commands.arm import arm
from rollback_ops.commands.context import Context
from rollback_ops.config import Settings
from rollback_ops.config.request import Request
from rollback_ops.config.resolve import resolve
from rollback_ops.core.errors import Cancelled, ConnectionLost, Exit
from rollback_ops.core.model import Armed, ArmOrder
from rollback_ops.core.tasks import Cancellation
from tests.support.fakes import FakeHost, live_at, raising, releases

LOST = ConnectionLost("h2: it did not answer in time")


class Deaf(FakeHost):
    """A host that is armed, and whose answer is lost."""

    def arm(self, order: ArmOrder) -> Armed:
        super().arm(order)
        raise LOST


class Noting(FakeHost):
    """A host that keeps the order with which it was armed."""

    def arm(self, order: ArmOrder) -> Armed:
        self.order = order
        return super().arm(order)


def context(*hosts: FakeHost, **settings: object) -> Context:
    made = Settings.model_validate(
        {
            "services": {"rosey": {"root": "/opt/rosey", "units": ["bot"]} | settings},
            "environments": {"prod": {"hosts": ["h1", "h2"]}},
        }
    )
    request = Request(environment="prod")
    return Context(request, resolve(made, request), list(hosts))


def two() -> tuple[FakeHost, FakeHost]:
    found = releases("b1", "b2")
    return FakeHost("h1", found, live_at("b2")), Deaf("h2", found, live_at("b2"))


def test_a_host_whose_answer_is_lost_is_disarmed_as_the_others_are() -> None:
    hosts = two()
    done = arm(context(*hosts), Cancellation())
    assert (done.exit_code, done.armed, list(done.lost)) == (Exit.REFUSED, {}, ["h2"])
    assert [host.armed for host in hosts] == [None, None]
    assert all(host.did("confirm") == host.did("arm") for host in hosts), "bound to the run"


def test_a_host_that_may_still_be_armed_is_named() -> None:
    hosts = two()
    hosts[0].before = {"confirm": raising(ConnectionLost("h1: the connection was lost"))}
    done = arm(context(*hosts), Cancellation())
    assert (done.exit_code, sorted(done.lost)) == (Exit.REFUSED, ["h1", "h2"])
    armed = hosts[0].armed
    assert armed
    assert armed.until in done.lost["h1"].message


def test_a_signal_leaves_no_host_armed() -> None:
    first, second = two()
    cancellation, end = Cancellation(), threading.Event()

    def signalled() -> None:
        cancellation.ask(signal.SIGTERM, 60.0)
        end.wait()

    second.before = {"arm": signalled}
    try:
        with pytest.raises(Cancelled):
            arm(context(first, second), cancellation)
    finally:
        end.set()
    assert (first.did("arm"), first.armed) == (first.did("confirm"), None)


@pytest.mark.parametrize("what", ["bad", "all"])
def test_a_host_is_told_what_it_is_to_hold(what: str) -> None:
    host = Noting("h1", releases("b1", "b2"), live_at("b2"))
    arm(context(host, hold={"after_rollback": what, "for": "1h"}), Cancellation())
    assert host.order.hold.split("\t")[1:] == ["3600", what]
