"""When all hosts are asked again, and what a page gets meanwhile."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from rollback_ops.commands.dashboard import Snapshot
from rollback_ops.core.errors import Refused
from rollback_ops.web.server.lookout import FRESH, Lookout
from tests.support.dashboard import Clock
from tests.support.snapshots import snapshot

# Seconds. Nothing here takes that long.
LONG = 60.0


@dataclass
class Hosts:
    """Answer when they may, or with an error."""

    error: Exception | None = None
    may: threading.Event = field(default_factory=threading.Event)
    looks: int = 0

    def look(self) -> Snapshot:
        self.looks += 1
        self.may.wait(LONG)
        if self.error:
            raise self.error
        return snapshot()


def test_hosts_are_asked_once_while_the_last_answer_is_fresh() -> None:
    clock, hosts, defects = Clock(), Hosts(), list[Exception]()
    hosts.may.set()
    lookout = Lookout(hosts.look, defects.append, clock)
    first = lookout.see(LONG)
    assert first.snapshot
    assert lookout.see(LONG).snapshot is first.snapshot
    assert hosts.looks == 1
    clock.now += FRESH + 1
    assert lookout.see(LONG).snapshot is not first.snapshot
    lookout.see(LONG, again=True)
    lookout.forget()
    lookout.see(LONG)
    assert (hosts.looks, defects) == (4, [])


def test_a_page_does_not_wait_for_slow_hosts_and_many_pages_are_one_look() -> None:
    hosts = Hosts()
    lookout = Lookout(hosts.look, lambda _: None, Clock())
    seen = [lookout.see(0.0, again=True) for _ in range(5)]
    assert [(each.snapshot, each.looking) for each in seen] == [(None, True)] * 5
    hosts.may.set()
    done = lookout.see(LONG)
    assert (done.snapshot is not None, done.looking, hosts.looks) == (True, False, 1)


def test_an_error_is_shown_and_the_next_page_asks_again() -> None:
    hosts, defects = Hosts(Refused("no settings")), list[Exception]()
    hosts.may.set()
    lookout = Lookout(hosts.look, defects.append, Clock())
    assert isinstance(lookout.see(LONG).problem, Refused)
    hosts.error = None
    assert lookout.see(LONG).snapshot
    hosts.error = ZeroDivisionError()
    after = lookout.see(LONG, again=True)
    assert after.snapshot
    assert after.problem
    assert [type(each) for each in defects] == [ZeroDivisionError]
