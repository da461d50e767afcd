"""Preview on fake hosts: it shows what a rollback would choose, under the names that each host has."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from rollback_ops.cli.output.preview import lines
from rollback_ops.commands.context import Context
from rollback_ops.commands.list import list_releases
from rollback_ops.commands.preview import Expected, Preview, preview
from rollback_ops.config import Settings
from rollback_ops.config.request import Request
from rollback_ops.config.resolve import resolve
from rollback_ops.core.comparison import Comparison, Files, Keys, LockFile
from rollback_ops.core.errors import ConnectionLost, HostUnreachable
from rollback_ops.core.model import Hold, Release
from rollback_ops.core.plan import Plan
from rollback_ops.core.record import HostRecord, Record, ReleaseRef
from rollback_ops.core.schema import KnownSchema
from rollback_ops.core.tasks import Cancellation
from tests.support.fakes import FakeHost, live_at, raising, releases
from tests.support.records import record

SERVICE = {"root": "/srv/bot", "units": ["bot"], "schema": {"migrations": ["sql/*"]}}
ALL = tuple(KnownSchema(tuple(f"sql/{number}" for number in range(1, many + 1))) for many in (1, 2, 3))

SAME = dict.fromkeys(("b1", "b2", "b3"), ALL[2])


def context(*hosts: FakeHost, **service: Any) -> Context:
    made = Settings.model_validate(
        {"services": {"bot": SERVICE | service}, "environments": {"prod": {"hosts": ["h1"]}}}
    )
    request = Request(environment="prod", dry_run=True)
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


def sealed(*names: str, **changes: Any) -> FakeHost:
    changes.setdefault("knows", dict(zip(names, ALL, strict=True)))
    return FakeHost("h1", releases(*names, sealed=True), live_at(names[-1]), **changes)


def test_what_one_part_lacks_blocks_no_other() -> None:
    down = raising(ConnectionLost("h1: it ended"))
    found = previewed(sealed("b1", "b2", "b3", before={"compare": down, "journal": down, "inspect": down}))
    assert (found.migrations, found.files.known, bool(found.files.why)) == (("sql/3",), False, True)
    assert (found.missing, bool(found.refusal)) == ({"expected": "h1: it ended"}, True)
    assert (found.exit_code, len(found.hash)) == (0, 64)


def test_files_of_directories_are_compared_only_where_nothing_else_says_which_change() -> None:
    listed, other = Files(("x",), source="manifests"), Files(removed=("sql/9",), source="directories")
    known = sealed("b1", "b2", "b3", compared=Comparison(listed), in_directories=Comparison(other))
    assert (previewed(known).files, known.did("compare")) == (listed, ["b3 b2"])
    unknown = sealed("b1", "b2", "b3", in_directories=Comparison(other))
    assert (previewed(unknown).files, unknown.did("compare")) == (other, ["b3 b2", "b3 b2 directories"])


def test_a_target_whose_seal_is_broken_gives_way_to_the_one_that_a_rollback_would_choose() -> None:
    found = previewed(sealed("b1", "b2", "b3", broken={"b2": "app: changed"}, knows=SAME))
    assert found.returns_to
    assert (found.returns_to.name, found.refusal) == ("b1", "")
    assert isinstance(found.decision, Plan)
    assert ("b2", True) in [(each.release, "app: changed" in each.why) for each in found.decision.rejected]


def test_it_says_what_would_refuse_the_rollback_and_which_holds_exist() -> None:
    hold = Hold("run-1", "ana", "the price job", 0.0, time.time() + 60)
    found = previewed(sealed("b1", "b2", "b3", holds=(hold,), knows=SAME))
    assert (bool(found.refusal), len(found.holds), "the price job" in found.holds[0]) == (False, 1, True)
    schema = {"current": "psql", "migrations": ["sql/*"]}
    ahead = preview(context(sealed("b1", "b2", "b3", versions=("3",)), schema=schema), Cancellation())
    assert "does not know 3" in ahead.refusal


def test_the_time_to_expect_is_the_median_of_the_journal() -> None:
    def line(number: int) -> str:
        return record(id=f"run-{number}", service="bot", environment="prod", duration_seconds=float(number)).line()

    host = sealed("b1", "b2", "b3", lines=[line(1), line(2), line(30), "damaged"])
    assert previewed(host).expected == Expected(0.2, 2.0, 3)


def test_the_text_names_every_part_and_no_more_than_20_lines_of_one() -> None:
    packages = tuple(f"[[package]]\nname = 'p{n}'\nversion = '1'\n" for n in range(50))
    compared = Comparison(
        Files(tuple(f"d{n}/x" for n in range(50)), source="manifests"),
        (LockFile("uv.lock", "".join(packages), None), LockFile("yarn.lock", "a", "b")),
        (Keys(".env", ("NEW",), ("OLD",), tuple(f"K{n}" for n in range(50))), Keys("app.yml", readable=False)),
    )
    shown = [line.text for line in lines(previewed(sealed("b1", "b2", "b3", compared=compared)))]
    assert len(shown) < 70
    text = "\n".join(shown)
    for part in (
        "leaves b3",
        "returns to b2",
        "p0 1 → (none)",
        "yarn.lock",
        "+NEW",
        "−OLD",
        "app.yml",
        "--approved",
        "d0",
    ):
        assert part in text
