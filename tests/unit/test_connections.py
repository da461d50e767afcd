"""How many hosts are connected at the same time."""

from __future__ import annotations

import threading

from rollback_ops.hosts.connections import Connections
from tests.support.fakes import FakeHost
from tests.support.lab.ground import wait_until


class Server(FakeHost):
    """A host that is compared by identity, as the real ones are."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def test_one_more_connection_closes_the_one_that_was_idle_for_longest() -> None:
    a, b, c = Server("a"), Server("b"), Server("c")
    connections = Connections(2)
    for host in (a, b, a, c):
        with connections.used_by(host):
            pass
    assert [host.did("close") for host in (a, b, c)] == [[], [""], []]


def test_a_connection_in_use_is_not_closed_and_the_next_one_waits_for_it() -> None:
    a, b, connections = Server("a"), Server("b"), Connections(1)
    opened = threading.Event()

    def use() -> None:
        with connections.used_by(b):
            opened.set()

    with connections.used_by(a), connections.used_by(a):
        waiting = threading.Thread(target=use)
        waiting.start()
        assert not opened.is_set()
        assert a.did("close") == []
    assert opened.wait(60)
    wait_until(lambda: a.did("close") == [""], 60, "the idle connection closed")
    waiting.join(60)


def test_many_threads_never_have_more_open_than_allowed() -> None:
    connections, lock, most = Connections(3), threading.Lock(), [0]
    is_open: set[str] = set()

    class Counted(Server):
        def close(self) -> None:
            with lock:
                is_open.discard(self.name)

    hosts = [Counted(f"h{number}") for number in range(10)]

    def use(host: Counted) -> None:
        for _ in range(50):
            with connections.used_by(host), lock:
                is_open.add(host.name)
                most[0] = max(most[0], len(is_open))

    threads = [threading.Thread(target=use, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most[0] == 3
