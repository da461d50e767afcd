"""Fake hosts that run the same service, for tests of the engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from rollback_ops.core import tasks
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.fleet import Fleet
from tests.support.fakes import Events, FakeHost, Listener, live_at, releases

Host = TypeVar("Host", bound=FakeHost)


class FakeFleet(Generic[Host]):
    """Hosts that have b1, b2 and b3, with b3 live. ``events`` has everything that they did, in order."""

    def __init__(self, kind: type[Host], names: Iterable[str]) -> None:
        self.events: Events = []
        self.cancellation = Cancellation()
        found = releases("b1", "b2", "b3")
        self.hosts = {name: kind(name, found, live_at("b3"), events=self.events) for name in names}
        self.listener = Listener(self.events)

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def fleet(self, total: float = 30.0) -> Fleet:
        """Begin a survey of the hosts. ``total``: seconds."""
        survey = tasks.begin(self.hosts, lambda name: self.hosts[name].survey())
        return Fleet(list(self.hosts.values()), survey, self.listener, self.cancellation, total)
