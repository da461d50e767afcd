"""Preview on fake hosts: it shows what a rollback would choose, under the names that each host has."""

from __future__ import annotations

from dataclasses import replace

from rollback_ops.commands.context import Context
from rollback_ops.commands.list import list_releases
from rollback_ops.commands.preview import Preview, preview
from rollback_ops.config import Settings
from rollback_ops.config.request import Request
from rollback_ops.config.resolve import resolve
from rollback_ops.core.errors import HostUnreachable
from rollback_ops.core.model import Release
from rollback_ops.core.plan import Plan
from rollback_ops.core.record import HostRecord, Record, ReleaseRef
from rollback_ops.core.schema import KnownSchema
from rollback_ops.core.tasks import Cancellation
from tests.support.fakes import FakeHost, live_at, raising, releases

SERVICE = {"root": "/srv/bot", "units": ["bot"], "schema": {"migrations": ["sql/*"]}}
ALL = tuple(KnownSchema(tuple(f"sql/{number}" for number in range(1, many + 1))) for many in (1, 2, 3))


def context(*hosts: FakeHost) -> Context:
    made = Settings.model_validate({"services": {"bot": SERVICE}, "environments": {"prod": {"hosts": ["h1"]}}})
    request = Request(environment="prod")
    return Context(request, resolve(made, request), list(hosts))


def previewed(*hosts: FakeHost) -> Preview:
    return preview(context(*hosts), Cancellation())


def test_a_rollback_that_did_not_reach_all_hosts_is_gone_on_with() -> None:
    b3, b2 = ReleaseRef(release="b3"), ReleaseRef(release="b2")
    reached = HostRecord(host="h1", outcome="succeeded", from_=b3, to=b2)
    line = Record(
        id="run-1", service="bot", environment="prod", mode="standard", trigger="manual", reason="x", actor="ana",
        started_at="2024-05-06T11:00:00Z", finished_at="2024-05-06T11:00:01Z", duration_seconds=1.0,
        outcome="partial", exit_code=5, from_=b3, to=b2,
        hosts=(reached, HostRecord(host="h2", outcome="unreachable")),
    ).line()  # fmt: skip
    done = FakeHost("h1", releases("b1", "b2", "b3"), live_at("b2"), lines=[line])
    down = FakeHost("h2", before={"survey": raising(HostUnreachable("h2: no route"))})
    found = previewed(done, down)
    assert isinstance(found.decision, Plan)
    assert (found.decision.target, found.returns_to) == ("b2", None)
    assert list_releases(context(done, down), Cancellation()).decision == found.decision


def counting(name: str, first: int) -> FakeHost:
    """A host that counts its releases from ``first``. All hosts have the same three revisions."""
    names = [str(first + number) for number in range(3)]
    there = tuple(Release(n, revision=letter * 40, live_since=0.0) for n, letter in zip(names, "abc", strict=True))
    live = replace(live_at(names[2]), revision="c" * 40)
    return FakeHost(name, there, live, knows=dict(zip(names, ALL, strict=True)))


def test_hosts_that_count_differently_return_to_the_release_that_the_first_of_them_has() -> None:
    found = previewed(counting("h1", 1), counting("h2", 5))
    assert found.leaves
    assert found.returns_to
    assert (found.leaves.name, found.returns_to.name, found.returns_to.revision) == ("3", "2", "b" * 40)
    assert found.migrations == ("sql/3",)


def test_a_live_release_without_migrations_does_not_say_that_the_target_has_all() -> None:
    host = counting("h1", 1)
    host.knows = dict.fromkeys("123", KnownSchema())
    assert previewed(host).migrations is None
