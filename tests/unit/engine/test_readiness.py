"""The warnings of ``check`` about the checks themselves, on fake hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rollback_ops import checks
from rollback_ops.config import Check, CommandCheck, Verify
from rollback_ops.core import tasks
from rollback_ops.core.errors import ConnectionLost
from rollback_ops.core.model import Live
from rollback_ops.core.plan import Selection
from rollback_ops.core.run import RunInfo
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.readiness import warnings
from rollback_ops.engine.spec import RollbackSpec
from tests.support.fakes import FakeHost, Listener, live_at, raising, releases

INFO = RunInfo("run-1", "bot", "prod", "standard", "manual", "a look", "alice", dry_run=True)
HEALTH: dict[str, Check] = {"health": CommandCheck(kind="command", run="curl {release}.localhost")}


def host(name: str, status: int = 0) -> FakeHost:
    return FakeHost(name, releases("b1", "b2"), live_at("b2"), says=status)


def told(*hosts: FakeHost, asked: Mapping[str, Check] = HEALTH) -> list[str]:
    names = {each.name: each for each in hosts}
    survey = tasks.begin(names, lambda name: names[name].survey())
    fleet = Fleet(hosts, survey, Listener(), Cancellation(), 30.0)
    policy = Verify()
    spec = RollbackSpec(
        INFO, Selection(), lambda release: checks.build(asked, release), policy, checks.thresholds(asked, policy)
    )
    return list(warnings(spec, fleet, [each.survey() for each in hosts]))


def test_checks_that_pass_are_not_spoken_of() -> None:
    assert told(host("h1"), host("h2")) == []


def test_hosts_with_the_same_warning_share_a_line() -> None:
    failed, unknown = told(host("h1", 1), host("h2", 127), host("h3", 1))
    assert failed.startswith("h1, h3: ")
    assert "b2" in failed
    assert unknown.startswith("h2: ")


def test_a_check_that_found_nothing_out_is_asked_once_more_and_only_that() -> None:
    well, odd = host("h1"), host("h2", 127)
    told(well, odd)
    assert [sum(done == "ask" for _, done, _ in each.events) for each in (well, odd)] == [2, 3], (
        "of them one, the units"
    )


def test_a_host_without_a_live_release_is_not_asked() -> None:
    elsewhere = replace(host("h1"), live=Live("dangling", "b2", "releases/b2"))
    assert told(elsewhere) == []


def test_a_host_that_is_lost_meanwhile_is_told() -> None:
    lost = host("h1")
    lost.before = {"ask": raising(ConnectionLost("h1: it is gone"))}
    assert all(line.startswith("h1: ") and "it is gone" in line for line in told(lost))


def test_a_check_before_is_no_check_of_what_runs() -> None:
    before: dict[str, Check] = {"config": CommandCheck(kind="command", run="true", phase="before")}
    (line,) = told(host("h1"), asked=before)
    assert "services.bot.checks" in line
