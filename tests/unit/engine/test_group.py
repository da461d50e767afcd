"""The rollback of a group on fake hosts: the target, the order, and what is said when its services end differently."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from rollback_ops import checks
from rollback_ops.config import Check, CommandCheck, Verify
from rollback_ops.core import tasks
from rollback_ops.core.errors import HostUnreachable
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import Lease, Mode, Note, Release, ServiceState
from rollback_ops.core.plan import Selection
from rollback_ops.core.record import Record
from rollback_ops.core.run import RunInfo
from rollback_ops.core.services import start_steps
from rollback_ops.core.tasks import Cancellation
from rollback_ops.core.verified_set import VerifiedSet, Version
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.group import GroupRollback
from rollback_ops.engine.group_choice import GroupSpec
from rollback_ops.engine.group_guard import GuardedService, guard_group
from rollback_ops.engine.guard import Decision
from rollback_ops.engine.spec import RollbackSpec
from tests.support.fakes import Events, FakeHost, Listener, live_at, raising, releases

HEALTH = "curl -f localhost"
AFTER: dict[str, Check] = {"health": CommandCheck(kind="command", run=HEALTH, fail_fast=True)}
VERIFY = Verify(healthy_deadline=20, min_healthy_time=0, failure_threshold=1)
IN_VAIN = Verify(healthy_deadline=0.3, min_healthy_time=0)
SERVICES = ("db", "api", "web")


class Checked(FakeHost):
    """A host whose health is that of the release that is live. ``sick``: releases that are unhealthy here."""

    sick: frozenset[str] = frozenset()

    def ask(self, run: str, questions: Any = ()) -> ServiceState:
        self.says = 1 if self.live.name in self.sick else 0
        return super().ask(run, questions)


class Stage:
    """The services db, api and web on one host each (``db1`` …), with b3 live. ``events``: all that they did."""

    def __init__(self, services: tuple[str, ...] = SERVICES, hosts: int = 1) -> None:
        self.events: Events = []
        self.cancellation = Cancellation()
        self.runs = 0
        self.hosts = {
            service: [
                Checked(f"{service}{n}", releases("b1", "b2", "b3"), live_at("b3"), events=self.events)
                for n in range(1, hosts + 1)
            ]
            for service in services
        }
        self.listener = Listener(self.events)
        self.policy = VERIFY

    def __getitem__(self, service: str) -> Checked:
        return self.hosts[service][0]

    def parts(self, dry_run: bool = False, emergency: bool = False) -> dict[str, tuple[RollbackSpec, Fleet]]:
        return {name: (self.spec(name, dry_run, emergency), self.fleet(name)) for name in self.hosts}

    def spec(self, name: str, dry_run: bool = False, emergency: bool = False) -> RollbackSpec:
        mode: Mode = "emergency" if emergency else "standard"
        info = RunInfo(f"{name}-{self.runs}", name, "prod", mode, "manual", "logins fail", "alice", dry_run=dry_run)
        return RollbackSpec(
            info,
            Selection(emergency=emergency),
            lambda release: checks.build(AFTER, release),
            self.policy,
            checks.thresholds(AFTER, self.policy),
            wait=0.0,
        )

    def fleet(self, name: str) -> Fleet:
        hosts = {host.name: host for host in self.hosts[name]}
        survey = tasks.begin(hosts, lambda host: hosts[host].survey())
        return Fleet(list(hosts.values()), survey, self.listener, self.cancellation, 30.0)

    def group(self, after: Mapping[str, list[str]] | None = None, **said: Any) -> GroupSpec:
        self.runs += 1
        return GroupSpec(f"run-{self.runs}", "shop", "prod", start_steps(tuple(self.hosts), after), **said)

    def roll_back(self, *, dry_run: bool = False, **said: Any) -> Record:
        group = self.group(**said)
        parts = self.parts(dry_run, group.emergency)
        return GroupRollback(group, parts, self.listener, self.listener, self.cancellation).roll_back()

    def guard(self, **said: Any) -> tuple[Record, Decision]:
        group = self.group(**said)
        services = {n: GuardedService(self.spec(n), self.fleet(n), partial(self.fleet, n), 3) for n in self.hosts}
        return guard_group(group, services, self.listener, self.listener, self.cancellation)

    def verified(self, at: str, **names: str) -> None:
        """Note a set in the journals of all hosts."""
        line = VerifiedSet(
            f"set-{at}", "shop", "prod", at, {n: Version(r, f"sha-{r}") for n, r in names.items()}
        ).line()
        for hosts in self.hosts.values():
            for host in hosts:
                host.lines.append(line)

    @property
    def switched(self) -> list[str]:
        """The services whose hosts were switched, in order."""
        return [host[:-1] for host, done, _ in self.events if done == "switch" and host != "phase"]

    @property
    def live(self) -> str:
        return " ".join(host.live.name for hosts in self.hosts.values() for host in hosts)


def outcomes(record: Record) -> dict[str, str]:
    assert record.group is not None
    return {each.service: each.outcome for each in record.group.services}


def test_all_services_go_to_the_last_set_that_was_verified_together() -> None:
    stage = Stage()
    stage.verified("2026-01-01", db="b1", api="b1", web="b2")
    stage.verified("2026-01-02", db="b2", api="b1", web="b2")
    record = stage.roll_back()
    assert (record.outcome, stage.live) == ("succeeded", "b2 b1 b2")
    assert record.group is not None
    assert record.group.verified_set == "set-2026-01-02"
    assert (record.group.then, record.group.back, record.group.stopped) == ("", "", "")


def test_the_order_is_that_of_the_start_the_other_way_round() -> None:
    stage = Stage()
    record = stage.roll_back()
    assert stage.switched == ["web", "api", "db"]
    assert record.group is not None
    assert record.group.steps == (("web",), ("api",), ("db",))


def test_a_service_is_verified_before_the_next_one_is_changed() -> None:
    stage = Stage()
    stage.roll_back()
    asked = ("switch", "reported verified")
    done = [(host, what) for host, what, _ in stage.events if what in asked and host != "phase"]
    steps = [(f"{name}1", what) for name in ("web", "api", "db") for what in ("switch", "reported verified")]
    assert done == steps


def test_independent_services_are_changed_at_the_same_time() -> None:
    stage = Stage()
    begun = set()

    def meet(name: str) -> None:
        begun.add(name)
        # Each goes on only when the other has begun.
        for _ in range(600):
            if begun == {"db", "api"}:
                return
            stage.cancellation.wait(0.1)
        raise AssertionError("the other one did not begin")

    for name in ("db", "api"):
        stage[name].before = {"switch": partial(meet, name)}
    record = stage.roll_back(after={"web": ["api"]})
    assert record.outcome == "succeeded"
    assert stage.switched[0] == "web"


def test_without_a_set_each_service_goes_to_its_own_choice_with_a_warning() -> None:
    stage = Stage()
    stage["api"].releases = releases("b1", "b2", "b3", b2="bad")
    record = stage.roll_back()
    assert (record.outcome, stage.live) == ("succeeded", "b2 b1 b2")
    assert any("verified together" in warning for warning in record.warnings)


def test_its_own_rollback_notes_the_set_and_the_next_one_does_not_go_forward() -> None:
    stage = Stage()
    stage.verified("2026-01-01", db="b1", api="b1", web="b1")
    stage.verified("2026-01-02", db="b2", api="b2", web="b2")
    stage.verified("2026-01-03", db="b3", api="b3", web="b3")
    assert stage.roll_back().outcome == "succeeded"
    assert stage.live == "b2 b2 b2"
    second = stage.roll_back()
    assert (second.outcome, stage.live) == ("succeeded", "b1 b1 b1")
    assert second.group is not None
    assert second.group.verified_set == "set-2026-01-01"


def test_a_service_that_runs_its_release_of_the_set_is_verified_and_not_changed() -> None:
    stage = Stage()
    stage.verified("2026-01-02", db="b3", api="b2", web="b2")
    record = stage.roll_back()
    assert (record.outcome, stage.switched, stage.live) == ("succeeded", ["web", "api"], "b3 b2 b2")
    assert ("db1", "reported verified", "healthy") in stage.events
    assert outcomes(record) == {"db": "nothing_to_do", "api": "succeeded", "web": "succeeded"}


@pytest.mark.parametrize(
    "names",
    [
        {"db": "b2", "api": "b2", "web": "b9"},
        {"db": "b2", "api": "b0", "web": "b2"},
        {"db": "b2", "api": "b2"},
        {"db": "b2", "api": "b2", "web": "b2", "mail": "b2"},
        {"db": "b3", "api": "b3", "web": "b3"},
        {"db": "b4", "api": "b2", "web": "b2"},
    ],
    ids=["gone", "bad", "without a service", "of another group", "live", "newer"],
)
def test_a_set_that_cannot_be_gone_back_to_is_passed_over(names: dict[str, str]) -> None:
    stage = Stage()
    stage["api"].releases += releases("b0", b0="bad")
    stage["db"].releases += releases("b4")
    stage.verified("2026-01-01", db="b1", api="b1", web="b1")
    stage.verified("2026-01-02", **names)
    assert (stage.roll_back().outcome, stage.live) == ("succeeded", "b1 b1 b1")


def test_a_release_of_a_set_whose_revision_is_another_one_now_is_not_it() -> None:
    stage = Stage()
    stage.verified("2026-01-02", db="b2", api="b2", web="b2")
    stage["api"].releases = tuple(replace(r, revision="other") if r.name == "b2" else r for r in stage["api"].releases)
    record = stage.roll_back()
    assert record.group is not None
    assert record.group.verified_set is None


@pytest.mark.parametrize(
    "line",
    [
        '{"event":"set",',
        '{"event":"set","id":1}',
        '{"event":"set","versions":{"db":1}}',
        '{"event":"set","versions":[]}',
    ],
)
def test_a_line_that_is_no_set_is_left_out(line: str) -> None:
    stage = Stage()
    stage.verified("2026-01-01", db="b1", api="b1", web="b1")
    stage["db"].lines.append(line)
    assert (stage.roll_back().outcome, stage.live) == ("succeeded", "b1 b1 b1")


# --- refusals ------------------------------------------------------------------------------------------


def locked(host: Checked) -> None:
    host.lease = Lease("other", "bob", "2026-01-01T00:00:00Z")


def blocked(host: Checked) -> None:
    host.blockers = ("the disk is full",)


def alone(host: Checked) -> None:
    host.releases = releases("b3")


def unreachable(host: Checked) -> None:
    host.before = {"survey": raising(HostUnreachable("db1: no route"))}


def broken(host: Checked) -> None:
    host.releases = releases("b1", "b3", sealed=True)
    host.broken = {"b1": "app.py differs"}


@pytest.mark.parametrize("fault", [locked, blocked, alone, unreachable, broken])
def test_one_refusal_refuses_all_before_any_service_is_stopped(fault: Any) -> None:
    stage = Stage()
    fault(stage["db"])
    record = stage.roll_back()
    assert (record.outcome, record.exit_code, stage.switched) == ("refused", 1, [])
    assert set(outcomes(record).values()) == {"refused"}
    assert "db" in record.hosts[-1].detail


def test_a_host_of_several_that_cannot_be_reached_does_not_hold_up_the_group() -> None:
    stage = Stage(hosts=2)
    stage.hosts["web"][1].before = {"survey": raising(HostUnreachable("web2: no route"))}
    record = stage.roll_back()
    assert (record.outcome, stage.live) == ("partial", "b2 b2 b2 b2 b2 b3")


def test_a_dry_run_shows_the_order_and_changes_nothing() -> None:
    stage = Stage()
    record = stage.roll_back(dry_run=True)
    assert (record.outcome, stage.switched, stage.live) == ("nothing_to_do", [], "b3 b3 b3")
    assert record.group is not None
    assert record.group.steps == (("web",), ("api",), ("db",))
    assert {each.service: each.to.label for each in record.group.services} == dict.fromkeys(SERVICES, "b2")


# --- mixed states --------------------------------------------------------------------------------------


def test_a_failure_stops_the_group_and_the_record_names_the_commands_that_go_on_and_back() -> None:
    stage = Stage()
    stage["api"].sick = frozenset({"b2"})
    record = stage.roll_back()
    assert (record.outcome, record.exit_code, stage.live) == ("partial", 5, "b3 b2 b2")
    assert outcomes(record) == {"db": "not_begun", "api": "verification_failed", "web": "succeeded"}
    assert record.group is not None
    assert "api on api1" in record.group.stopped
    assert record.group.then == "rollback-ops rollback prod --group shop --to db=b2,api=b2,web=b2"
    assert record.group.back == "rollback-ops rollback prod --group shop --to db=b3,api=b3,web=b3"


@pytest.mark.parametrize(("to", "order"), [("b2", ["db"]), ("b3", ["api", "web"])])
def test_a_mixed_state_is_left_by_naming_the_release_of_each_service(to: str, order: list[str]) -> None:
    stage = Stage()
    stage["api"].sick = frozenset({"b2"})
    stage.roll_back()
    stage["api"].sick = frozenset()
    stage.events.clear()
    record = stage.roll_back(asked=dict.fromkeys(SERVICES, to))
    assert (record.outcome, stage.live, stage.switched) == ("succeeded", f"{to} {to} {to}", order)


def test_hosts_keep_in_their_records_which_services_are_where() -> None:
    stage = Stage()
    stage["api"].sick = frozenset({"b2"})
    whole = stage.roll_back()
    records, _ = read_journal(stage["web"].lines)
    assert records[0].service == "web"
    assert records[0].group == whole.group
    assert [each.id for each in whole.services] == [each.run for each in whole.group.services] if whole.group else False


def test_versions_that_match_go_back_together_when_one_fails() -> None:
    stage = Stage()
    stage["db"].sick = frozenset({"b2"})
    record = stage.roll_back(together=True, restores=True)
    assert (record.outcome, record.exit_code, stage.live) == ("restored", 3, "b3 b3 b3")
    assert stage.switched == ["web", "api", "db", "db", "api", "web"]
    assert record.group is not None
    assert (record.group.then, record.group.back) == ("", "")
    assert not any(host.holds for hosts in stage.hosts.values() for host in hosts)


def test_restore_leaves_a_service_alone_that_somebody_else_took_over() -> None:
    stage = Stage()
    stage["db"].sick = frozenset({"b2"})
    stage["db"].before = {"switch": lambda: setattr(stage["web"], "live", live_at("b1"))}
    record = stage.roll_back(together=True, restores=True)
    assert stage["web"].live.name == "b1"
    assert outcomes(record)["web"] == "superseded"


def test_a_set_whose_versions_differ_is_passed_over_where_they_must_match() -> None:
    stage = Stage()
    stage.verified("2026-01-01", db="b1", api="b1", web="b1")
    stage.verified("2026-01-02", db="b2", api="b1", web="b2")
    stage.roll_back(together=True)
    assert stage.live == "b1 b1 b1"


def test_without_a_set_versions_that_match_are_the_newest_that_all_services_have() -> None:
    stage = Stage()
    stage["api"].releases = releases("b1", "b3")
    record = stage.roll_back(together=True)
    assert (record.outcome, stage.live) == ("succeeded", "b1 b1 b1")


def test_versions_match_by_their_revision_where_the_names_differ() -> None:
    stage = Stage(("api", "web"))
    numbered = [Release(f"{n}", revision=f"sha-b{n}", live_since=0.0) for n in (1, 2, 3)]
    stage["web"].releases, stage["web"].live = tuple(numbered), live_at("3")
    stage.roll_back(together=True)
    assert stage.live == "b2 2"


@pytest.mark.parametrize("asked", [{}, {"db": "b2", "api": "b1", "web": "b2"}])
def test_versions_that_cannot_match_are_refused(asked: dict[str, str]) -> None:
    stage = Stage()
    stage["api"].releases = releases("a1", "b1", "b3") if asked else releases("a1", "b3")
    record = stage.roll_back(together=True, asked=asked)
    assert (record.outcome, stage.switched) == ("refused", [])


def test_an_emergency_changes_all_services_at_the_same_time_and_says_so() -> None:
    stage = Stage()
    record = stage.roll_back(emergency=True)
    assert (record.outcome, stage.live) == ("succeeded", "b2 b2 b2")
    assert any("order" in warning and "emergency" in warning for warning in record.warnings)
    assert not any('"event":"set"' in line for line in stage["db"].lines)


def test_a_signal_between_two_services_ends_the_group() -> None:
    stage = Stage()
    stage["web"].before = {"switch": lambda: stage.cancellation.ask(signal.SIGTERM, 60)}
    record = stage.roll_back()
    assert (record.outcome, record.exit_code) == ("cancelled", 143)
    assert stage.switched == ["web"]
    assert record.group is not None
    assert record.group.then


class Slow(Listener):
    """The first one to be told of is heard last, where others can be told of meanwhile."""

    def __init__(self, events: Events) -> None:
        super().__init__(events)
        self.another = threading.Event()
        self.first = threading.Lock()

    def changing(self, record: Record) -> None:
        if self.first.acquire(blocking=False):
            self.another.wait(0.2)
        self.another.set()
        super().changing(record)


def test_what_is_told_last_has_all_services_that_began_at_the_same_time() -> None:
    stage = Stage()
    stage.listener = Slow(stage.events)
    stage.roll_back(emergency=True)
    told = [[host.outcome for host in record.hosts] for record in stage.listener.provisional]
    assert [sum(outcome == "unknown" for outcome in hosts) for hosts in told] == [1, 2, 3]


def test_the_provisional_record_has_all_services() -> None:
    stage = Stage()
    stage.roll_back()
    first, *_, last = stage.listener.provisional
    assert [host.outcome for host in first.hosts] == ["not_begun", "not_begun", "unknown"]
    assert [host.outcome for host in last.hosts] == ["unknown", "succeeded", "succeeded"]
    assert all(record.group and record.service == "shop" for record in stage.listener.provisional)


def test_a_signal_before_any_service_was_changed_leaves_no_mixed_state() -> None:
    stage = Stage()
    stage.cancellation.ask(signal.SIGTERM, 5.0)
    record = stage.roll_back()
    assert (record.exit_code, record.outcome, stage.switched) == (143, "cancelled", [])
    assert record.group is not None
    assert (record.group.then, record.group.back) == ("", "")
    assert set(outcomes(record).values()) == {"not_begun"}


# --- guard ---------------------------------------------------------------------------------------------


def test_a_guard_notes_what_is_healthy_together() -> None:
    stage = Stage()
    record, decision = stage.guard()
    assert (record.exit_code, decision) == (0, "healthy")
    for name in SERVICES:
        stage[name].releases += releases("b4")
        stage[name].live = live_at("b4")
    stage["db"].releases += releases("b5")
    stage["db"].live = live_at("b5")
    assert stage.roll_back().outcome == "succeeded"
    assert stage.live == "b3 b3 b3"


def test_a_guard_rolls_the_whole_group_back_when_one_service_is_unhealthy() -> None:
    stage = Stage()
    stage.verified("2026-01-01", db="b2", api="b2", web="b2")
    stage["api"].sick = frozenset({"b3"})
    record, decision = stage.guard()
    assert (record.exit_code, decision, stage.live) == (2, "rolled_back", "b2 b2 b2")
    assert record.trigger != "manual"
    assert {name: stage[name].mark("b3") for name in SERVICES} == {"db": "good", "api": "bad", "web": "good"}


def test_a_guard_takes_back_nothing_that_was_deployed_while_it_watched() -> None:
    stage = Stage()
    stage.verified("2026-01-01", db="b2", api="b2", web="b2")
    stage["api"].sick = frozenset({"b3"})

    def deploy() -> None:
        if stage["web"].live.name != "b4":
            stage["web"].releases += releases("b4")
            stage["web"].live = live_at("b4")

    # The journal is read once the verdict is there.
    stage["api"].before = {"journal": deploy}
    record, decision = stage.guard()
    assert (record.exit_code, decision, stage.live) == (1, "left_alone", "b3 b3 b4"), "api is still unhealthy"
    assert stage.switched == []


def test_a_guard_leaves_a_group_alone_whose_health_is_unknown() -> None:
    stage = Stage()
    stage.policy = IN_VAIN
    stage["api"].before = {"ask": raising(HostUnreachable("api1: no route"))}
    record, decision = stage.guard()
    assert (record.exit_code, decision, stage.switched) == (1, "unknown", [])
    assert not any('"event":"set"' in line for line in stage["db"].lines)


def test_holds_are_on_what_each_service_left() -> None:
    stage = Stage()
    stage.roll_back()
    held = {name: [r.release for hold in stage[name].holds for r in hold.releases] for name in SERVICES}
    assert held == {name: ["b3"] for name in SERVICES}
    notes: dict[str, Note] = dict.fromkeys(SERVICES, "good")
    assert {name: stage[name].mark("b2") for name in SERVICES} == notes


# --- a group that stopped ------------------------------------------------------------------------------------


def stopped_at_api() -> Stage:
    """web runs b2, api runs b2 and was not healthy, db was not begun; api is healthy now."""
    stage = Stage()
    stage["api"].sick = frozenset({"b2"})
    stage.roll_back()
    stage["api"].sick = frozenset()
    assert (stage.live, stage.switched) == ("b3 b2 b2", ["web", "api"])
    return stage


def test_resume_verifies_what_is_done_and_changes_the_services_that_are_left() -> None:
    stage = stopped_at_api()
    record = stage.roll_back(resumes=True)
    assert (record.outcome, stage.live, stage.switched) == ("succeeded", "b2 b2 b2", ["web", "api", "db"])
    assert {host.host for host in record.hosts if host.checks} == {"db1", "api1", "web1"}
    assert stage.roll_back(resumes=True).outcome == "nothing_to_do"
    assert stage.switched == ["web", "api", "db"]


def test_resume_stops_again_at_a_service_that_is_done_and_unhealthy() -> None:
    stage = stopped_at_api()
    stage["web"].sick = frozenset({"b2"})
    record = stage.roll_back(resumes=True)
    assert (record.outcome, stage.live) == ("partial", "b3 b2 b2")
    assert outcomes(record) == {"db": "not_begun", "api": "nothing_to_do", "web": "verification_failed"}


def test_after_resume_services_of_the_first_run_go_back_with_the_others() -> None:
    stage = stopped_at_api()
    stage["db"].sick = frozenset({"b2"})
    record = stage.roll_back(resumes=True, together=True, restores=True)
    assert (record.outcome, stage.live) == ("restored", "b3 b3 b3")
    assert stage.switched == ["web", "api", "db", "db", "api", "web"]
    assert stage.roll_back(resumes=True).outcome == "nothing_to_do"


@pytest.mark.parametrize("moved", ["b1", "b4"])
def test_resume_is_refused_where_another_release_is_live_since(moved: str) -> None:
    stage = stopped_at_api()
    stage["db"].live = live_at(moved)
    record = stage.roll_back(resumes=True)
    assert (record.outcome, stage.switched) == ("refused", ["web", "api"])


def test_resume_is_refused_where_the_target_is_another_revision_now() -> None:
    stage = stopped_at_api()
    stage["db"].releases = tuple(replace(r, revision=f"other-{r.name}") for r in stage["db"].releases)
    assert (stage.roll_back(resumes=True).outcome, stage.switched) == ("refused", ["web", "api"])


def test_resume_knows_a_commit_again_by_its_beginning() -> None:
    stage = Stage()
    stage["api"].sick = frozenset({"b2"})
    stage["db"].releases = tuple(replace(r, revision=r.name[1] * 40) for r in stage["db"].releases)
    stage.roll_back()
    stage["api"].sick = frozenset()
    stage["db"].releases = tuple(replace(r, revision=r.revision[:7]) for r in stage["db"].releases)
    assert (stage.roll_back(resumes=True).outcome, stage.live) == ("succeeded", "b2 b2 b2")


def test_without_a_plan_of_the_group_nothing_is_resumed() -> None:
    stage = Stage()
    assert stage.roll_back(resumes=True).outcome == "nothing_to_do"
    assert stage.switched == []


def test_a_second_resume_still_knows_where_the_first_run_started() -> None:
    stage = stopped_at_api()
    stage["web"].sick = frozenset({"b2"})
    stage.roll_back(resumes=True)
    stage["web"].sick, stage["db"].sick = frozenset(), frozenset({"b2"})
    assert stage.roll_back(resumes=True, together=True, restores=True).outcome == "restored"
    assert stage.live == "b3 b3 b3"
