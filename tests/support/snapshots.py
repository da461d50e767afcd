"""Snapshots for the tests of the dashboard's pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rollback_ops.commands.dashboard import ObservedService, Snapshot
from rollback_ops.commands.history import History
from rollback_ops.core.errors import HostUnreachable
from rollback_ops.core.model import Live, ServiceId, Survey, Unit
from rollback_ops.core.plan import Plan
from rollback_ops.core.record import Record
from rollback_ops.core.redaction import Redactor
from tests.support.fakes import live_at, releases

NOW = 1_704_200_000.0


def survey(host: str = "deploy@bot1", live: str | Live = "b2", **words: Any) -> Survey:
    """A host on which the service runs, and whose live release was verified."""
    found: dict[str, Any] = {
        "releases": releases("b1", "b2", "b3", b2="good", b3="bad"),
        "live": live_at(live) if isinstance(live, str) else live,
        "units": (Unit("bot", "running"),),
    }
    return Survey(host, **found | words)


def observed(*surveys: Survey, lost: Sequence[str] = (), decision: Any = None, **words: Any) -> ObservedService:
    return ObservedService(
        ServiceId("bot", "prod"),
        "https://bot.example.org/",
        {each.host: each for each in surveys},
        {host: HostUnreachable(f"{host}: it does not answer") for host in lost},
        decision or Plan("b1", "", ()),
        **words,
    )


def snapshot(*found: ObservedService, records: Sequence[Record] = (), **words: Any) -> Snapshot:
    return Snapshot(found, History(tuple(records), **words), NOW, Redactor(["s3cr3t-of-ours"]))
