"""A rollback on fake hosts: what happens, in which order, and what does not happen."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import pytest

from rollback_ops import checks
from rollback_ops.config import Check, CommandCheck, Verify
from rollback_ops.core.errors import BadAnswer, ConnectionLost, HostUnreachable, Refused, RollbackOpsError
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import Lease, OpenTransaction, Unit
from rollback_ops.core.plan import Selection
from rollback_ops.core.record import Record
from rollback_ops.core.run import RunInfo
from rollback_ops.engine.rollback import roll_back
from rollback_ops.engine.spec import RollbackSpec
from tests.support.fake_fleet import FakeFleet
from tests.support.fakes import FakeHost, hanging, live_at, raising, releases

ANY = Selection()
AT_ONCE = Verify(healthy_deadline=20, min_healthy_time=0)
# For hosts that do not answer: only the deadline ends it.
IN_VAIN = Verify(healthy_deadline=0.1, min_healthy_time=0)
BEFORE: dict[str, Check] = {"config": CommandCheck(kind="command", run="test -s {release}.json", phase="before")}
AFTER: dict[str, Check] = {"health": CommandCheck(kind="command", run="curl -f localhost", fail_fast=True)}


class Stage(FakeFleet[FakeHost]):
    """Fake hosts, and rollbacks on them."""

    def __init__(self, names: tuple[str, ...] = ("h1",)) -> None:
        super().__init__(FakeHost, names)

    def roll_back(
        self,
        selection: Selection = ANY,
        asked: Mapping[str, Check] | None = None,
        *,
        policy: Verify = AT_ONCE,
        total: float = 30.0,
        dry_run: bool = False,
        wait: float | None = 0.0,
        traffic_time: float = 0.0,
        approved: str = "",
        **more: Any,
    ) -> Record:
        info = RunInfo(
            "run-1", "bot", "prod", "standard", "manual", "logins fail", "alice", dry_run=dry_run, approved=approved
        )
        thresholds = checks.thresholds(asked or {}, policy)
        spec = RollbackSpec(
            info,
            selection,
            lambda release: checks.build(asked or {}, release),
            policy,
            thresholds,
            wait=wait,
            traffic_time=traffic_time,
            **more,
        )
        return roll_back(spec, self.fleet(total), self.listener)

    def signal(self, number: int = signal.SIGINT, grace: float = 20.0) -> Callable[[], None]:
        return lambda: self.cancellation.ask(number, grace)

    def happened(self, *operations: str) -> list[tuple[str, str]]:
        return [(host, done) for host, done, _ in self.events if host in self.hosts and done in operations]

    @property
    def changed(self) -> bool:
        """Say whether anything was changed on a host."""
        return bool(self.happened("switch", "record", "seal"))


def records_of(host: FakeHost) -> list[str]:
    """Return the lines of its journal that are records."""
    return [line for line in host.lines if "schema_version" in line]


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def two() -> Stage:
    return Stage(("h1", "h2"))


@pytest.fixture
def for_ever() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


# --- a rollback that works---------------------------------------------------------------------------------


def test_what_takes_time_on_this_machine_may_begin_once_the_hosts_have_their_orders(stage: Stage) -> None:
    waited: list[bool] = []
    for host in stage.hosts.values():
        host.before = {"switch": lambda: waited.append(stage.listener.left_to_itself.wait(60))}
    assert stage.roll_back().outcome == "succeeded"
    assert waited == [True]


def test_a_rollback_surveys_plans_switches_verifies_and_records_in_this_order(stage: Stage) -> None:
    record = stage.roll_back()
    assert (record.outcome, record.exit_code) == ("succeeded", 0)
    assert (record.from_.release, record.to.release, record.to.revision) == ("b3", "b2", "sha-b2")
    assert stage.listener.phases == ["survey", "plan", "switch", "verify"]
    done = [(what, name) for what, name, _ in stage.events if (what, name) != ("phase", "survey")]
    first_look = done.index(("h1", "ask"))
    assert done[:first_look] == [
        ("h1", "survey"),
        ("phase", "plan"),
        ("phase", "switch"),
        ("h1", "switch"),
        ("h1", "reported step"),
        ("h1", "reported step"),
        ("h1", "switched"),
        ("h1", "reported switched"),
        ("reported", "changed"),
        ("phase", "verify"),
    ]
    assert done[-2:] == [("h1", "reported verified"), ("h1", "record")]


def test_the_provisional_record_is_reported_before_anything_is_changed(two: Stage) -> None:
    two["h2"].live = live_at("b2")
    reported: list[Record] = []
    two["h1"].before = {"switch": lambda: reported.extend(two.listener.provisional)}
    ended = two.roll_back()
    (record,) = reported
    assert (record.outcome, record.exit_code, record.id) == ("cancelled", 143, ended.id)
    assert (record.from_, record.to, record.reason) == (ended.from_, ended.to, ended.reason)
    assert [(h.host, h.outcome, h.from_.release, h.to.release) for h in record.hosts] == [
        ("h1", "unknown", "b3", None),
        ("h2", "nothing_to_do", "b2", "b2"),
    ]


def test_without_a_change_no_provisional_record_is_reported(stage: Stage) -> None:
    stage.roll_back(dry_run=True)
    stage.roll_back(Selection(backup="b9"))
    stage.roll_back(Selection(if_current="b1"))
    assert stage.listener.provisional == []


def test_the_hosts_journal_has_the_record_that_is_returned(stage: Stage) -> None:
    record = stage.roll_back()
    assert read_journal(stage["h1"].lines) == ([record], 0)


def test_what_was_left_and_what_was_verified_is_noted(stage: Stage) -> None:
    stage.roll_back()
    assert stage["h1"].did("record") == ["b2=good b3=left"]


def test_a_second_rollback_on_the_same_host_goes_further_back(stage: Stage) -> None:
    first, second, third = (stage.roll_back() for _ in range(3))
    assert [first.to.release, second.to.release, third.outcome] == ["b2", "b1", "refused"]
    assert stage["h1"].live.name == "b1"


def test_the_order_has_source_target_and_owner_and_a_readable_intent(stage: Stage) -> None:
    stage.roll_back()
    (spec,) = stage["h1"].orders
    assert (spec.run, spec.source, spec.target) == ("run-1", "/srv/bot/releases/b3", "b2")
    assert (spec.owner, spec.break_lock) == ("alice", False)
    assert "\n" not in spec.intent
    (intent,), unreadable = read_journal([spec.intent])
    assert (intent.id, intent.from_.release, intent.to.release, intent.reason) == ("run-1", "b3", "b2", "logins fail")
    assert unreadable == 0


def test_all_hosts_are_inspected_before_any_of_them_is_switched(two: Stage) -> None:
    for host in two.hosts.values():
        host.releases = releases("b1", "b2", "b3", sealed=True)
    assert two.roll_back(asked=BEFORE).outcome == "succeeded"
    done = [name for _, name in two.happened("inspect", "switch")]
    assert done == ["inspect", "inspect", "switch", "switch"]


def test_all_hosts_are_switched_before_any_of_them_is_verified(two: Stage) -> None:
    assert two.roll_back().outcome == "succeeded"
    done = two.happened("switched", "ask")
    assert {name for _, name in done[:2]} == {"switched"}
    assert {host for host, name in done if name == "ask"} == {"h1", "h2"}


def test_a_host_that_already_runs_the_target_is_verified_and_not_switched(two: Stage) -> None:
    two["h1"].live = live_at("b2")
    record = two.roll_back()
    assert (record.outcome, two["h2"].live.name) == ("succeeded", "b2")
    assert [h.outcome for h in record.hosts] == ["nothing_to_do", "succeeded"]
    assert two["h1"].did("switch") == []
    assert two["h1"].did("ask")
    assert [c.outcome for c in record.hosts[0].checks] == ["passed"]


# --- preflight -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "tried"), [("b2", ["b2", "b1"]), ("b1", ["b2"]), ("b3", ["b2"])], ids=["target", "older", "live"]
)
def test_a_broken_seal_of_the_target_makes_the_next_release_the_target(
    stage: Stage, release: str, tried: list[str]
) -> None:
    stage["h1"].releases = releases("b1", "b2", "b3", sealed=True)
    stage["h1"].broken = {release: "app.py differs"}
    record = stage.roll_back()
    assert (record.outcome, record.to.release) == ("succeeded", tried[-1])
    assert stage["h1"].did("inspect") == tried
    why = {r.release: r.why for r in record.rejected}
    assert ("b2" in why) == (release == "b2")
    assert "h1: app.py differs" in why.get("b2", "h1: app.py differs")


def test_with_every_seal_broken_nothing_is_changed(stage: Stage) -> None:
    stage["h1"].releases = releases("b1", "b2", "b3", sealed=True)
    stage["h1"].broken = dict.fromkeys(("b1", "b2"), "app.py differs")
    record = stage.roll_back()
    assert (record.outcome, record.exit_code, len(record.rejected)) == ("refused", 1, 3)
    assert not stage.changed


def test_a_seal_that_is_broken_on_one_host_rejects_the_release_on_all(two: Stage) -> None:
    for host in two.hosts.values():
        host.releases = releases("b1", "b2", "b3", sealed=True)
    two["h2"].broken = {"b2": "app.py differs"}
    assert two.roll_back().to.release == "b1"
    assert {host.live.name for host in two.hosts.values()} == {"b1"}


def test_a_named_release_with_a_broken_seal_is_refused(stage: Stage) -> None:
    stage["h1"].releases = releases("b1", "b2", "b3", sealed=True)
    stage["h1"].broken = {"b1": "app.py differs"}
    record = stage.roll_back(Selection(backup="b1"))
    assert record.outcome == "refused"
    assert "b1" in record.hosts[0].detail
    assert not stage.changed


def test_a_release_without_a_seal_or_an_early_check_is_not_inspected(stage: Stage) -> None:
    assert stage.roll_back().outcome == "succeeded"
    assert stage["h1"].did("inspect") == []


def test_only_the_hosts_that_will_be_switched_are_inspected(two: Stage) -> None:
    two["h1"].live = live_at("b2")
    two.roll_back(asked=BEFORE)
    assert (two["h1"].did("inspect"), two["h2"].did("inspect")) == ([], ["b2"])


def test_a_preflight_check_is_about_the_target_and_does_not_run_again_afterwards(stage: Stage) -> None:
    record = stage.roll_back(asked=BEFORE)
    assert [q.command for q in stage["h1"].asked] == ["test -s b2.json"]
    assert [c.name for c in record.hosts[0].checks] == ["process"]


def test_a_failed_preflight_check_refuses_the_rollback_and_nothing_is_changed(two: Stage) -> None:
    two["h2"].says = 3
    record = two.roll_back(asked=BEFORE)
    assert (record.outcome, record.exit_code) == ("refused", 1)
    for host in record.hosts:
        assert all(words in host.detail for words in ("h2: ", "config", "b2", "exit status 3: what it said"))
    assert not two.changed


@pytest.mark.parametrize("error", [ConnectionLost("it ended"), BadAnswer("no heading"), HostUnreachable("gone")])
def test_a_target_that_cannot_be_inspected_on_one_host_is_refused_on_all(two: Stage, error: Exception) -> None:
    two["h1"].before = {"inspect": raising(error)}
    record = two.roll_back(asked=BEFORE)
    assert record.outcome == "refused"
    assert all(part in record.hosts[1].detail for part in ("h1: ", "b2", str(error)))
    assert not two.changed


@pytest.mark.parametrize(
    "facts",
    [
        {"blockers": ("the disk is full",)},
        {"lease": Lease("run-0", "bob")},
        {"units": (Unit("bot", "missing"),)},
        {"releases": releases("b3")},
        {"releases": releases("b1", "b2", "b3", b1="bad", b2="bad")},
    ],
    ids=["blocker", "lock", "no unit", "first deployment", "all bad"],
)
def test_nothing_is_changed_on_any_host_when_one_refuses(two: Stage, facts: dict[str, object]) -> None:
    for name, value in facts.items():
        setattr(two["h2"], name, value)
    record = two.roll_back()
    assert (record.outcome, record.exit_code) == ("refused", 1)
    assert all(h.outcome == "refused" and h.detail for h in record.hosts)
    assert not two.changed


def test_a_rollback_for_a_release_that_is_no_longer_live_changes_nothing(stage: Stage) -> None:
    record = stage.roll_back(Selection(if_current="b2"))
    assert (record.outcome, record.exit_code, record.to.release) == ("nothing_to_do", 0, None)
    assert not stage.changed


def test_a_dry_run_surveys_and_inspects_and_changes_nothing(two: Stage) -> None:
    record = two.roll_back(asked=BEFORE, dry_run=True)
    assert (record.outcome, record.exit_code, record.dry_run) == ("nothing_to_do", 0, True)
    assert (record.from_.release, record.to.release) == ("b3", "b2")
    assert [name for _, name in two.happened("survey", "inspect", "ask")] == ["survey"] * 2 + ["inspect"] * 2
    assert not two.changed


def test_a_dry_run_has_the_exit_code_of_a_rollback_that_would_be_refused(stage: Stage) -> None:
    stage["h1"].says = 1
    assert stage.roll_back(asked=BEFORE, dry_run=True).exit_code == 1


# --- emergencies -----------------------------------------------------------------------------------------


def test_an_emergency_neither_inspects_nor_verifies_the_target(stage: Stage) -> None:
    stage["h1"].releases = releases("b1", "b2", "b3", sealed=True)
    stage["h1"].broken = {"b2": "app.py differs"}
    record = stage.roll_back(Selection(emergency=True), BEFORE)
    assert (record.outcome, record.to.release) == ("succeeded", "b2")
    assert (stage["h1"].did("inspect"), stage["h1"].did("ask")) == ([], [])
    (warning,) = record.warnings
    assert "rollback-ops verify" in warning
    # A release without a verification is not known to be good.
    assert stage["h1"].did("record") == ["b3=left"]


def test_an_emergency_takes_a_lock_over_and_the_warning_names_its_owner(stage: Stage) -> None:
    stage["h1"].lease = Lease("run-0", "bob", since="10:00")
    record = stage.roll_back(Selection(emergency=True))
    assert record.outcome == "succeeded"
    assert stage["h1"].orders[0].break_lock
    assert all(part in record.warnings[0] for part in ("h1: ", "bob", "10:00", "run-0"))


# --- run again -------------------------------------------------------------------------------------------


def down(*hosts: FakeHost) -> None:
    for host in hosts:
        host.before = {"survey": raising(HostUnreachable("down"))}


def test_the_second_run_goes_on_with_the_target_of_the_first_while_a_host_is_still_down(two: Stage) -> None:
    down(two["h2"])
    first, second = two.roll_back(), two.roll_back()
    assert [(r.outcome, r.exit_code, r.to.release) for r in (first, second)] == [("partial", 5, "b2")] * 2
    assert (two["h1"].did("switch"), two["h1"].live.name) == (["b2"], "b2")
    assert any(all(part in warning for part in ("b2", "h2", "--to")) for warning in second.warnings)
    assert second.hosts[0].checks, "what is done is verified all the same"
    assert len(two.listener.provisional) == 1, "nothing is announced that changes nothing"


def test_the_second_run_does_what_the_first_could_not_and_then_all_is_done(two: Stage) -> None:
    down(two["h2"])
    two.roll_back()
    two["h2"].before = {}
    second = two.roll_back()
    assert (second.outcome, [h.to.release for h in second.hosts]) == ("succeeded", ["b2", "b2"])
    down(two["h2"])
    third = two.roll_back()
    assert (third.outcome, third.to.release, two["h1"].live.name) == ("partial", "b1", "b1")


def test_a_release_that_was_named_for_the_first_run_is_the_target_of_the_second(two: Stage) -> None:
    down(two["h2"])
    two.roll_back(Selection(backup="b1"))
    two["h2"].before = {}
    second = two.roll_back()
    assert [(h.outcome, h.to.release) for h in second.hosts] == [("nothing_to_do", "b1"), ("succeeded", "b1")]


@pytest.mark.parametrize("selection", [Selection(backup="b1"), Selection(if_current="b2")])
def test_who_says_what_is_wanted_gets_it_in_the_second_run(two: Stage, selection: Selection) -> None:
    down(two["h2"])
    two.roll_back()
    assert two.roll_back(selection).to.release == "b1"


def test_a_target_that_turned_out_to_be_bad_is_not_gone_on_with(two: Stage) -> None:
    down(two["h2"])
    two.roll_back()
    two["h1"].says = 1
    assert two.roll_back(asked=AFTER).hosts[0].outcome == "verification_failed"
    assert two["h1"].mark("b2") == "bad"
    two["h1"].says = 0
    assert two.roll_back(asked=AFTER).to.release == "b1"


def test_a_host_that_was_rolled_back_and_is_down_now_keeps_nobody_from_going_further(two: Stage) -> None:
    assert two.roll_back().outcome == "succeeded"
    down(two["h2"])
    assert two.roll_back().to.release == "b1"


def test_after_a_deployment_nothing_is_gone_on_with(two: Stage) -> None:
    for host in two.hosts.values():
        host.releases = releases("b1", "b2", "b3", "b4")
    down(two["h2"])
    two.roll_back()
    two["h1"].live = live_at("b4")
    record = two.roll_back()
    assert (record.from_.release, record.to.release, record.warnings) == ("b4", "b2", ())


def test_a_dry_run_says_what_the_second_run_would_do(two: Stage) -> None:
    down(two["h2"])
    two.roll_back()
    record = two.roll_back(dry_run=True)
    assert (record.outcome, record.to.release, record.hosts[0].outcome) == ("partial", "b2", "nothing_to_do")
    assert two["h1"].did("switch") == ["b2"]


# --- when another run holds a host -----------------------------------------------------------------------

HELD = Lease("run-0", "bob", "https://ci/0", "10:00", expires_in=0.2, until="700")


def in_turn(*acts: Callable[[], None]) -> Callable[[], None]:
    """Return an action that is the first of these at first, and then the next; the last one stays."""
    left = list(acts)

    def act() -> None:
        now = left.pop(0) if len(left) > 1 else left[0]
        now()

    return act


def look_by_look(host: FakeHost, *leases: Lease | None) -> Callable[[], None]:
    """Return an action by which each survey finds the next of these leases; the last one stays."""
    return in_turn(*(partial(setattr, host, "lease", each) for each in leases))


def test_the_lease_of_a_dead_owner_is_waited_for_and_what_is_live_is_read_again(two: Stage) -> None:
    def released() -> None:
        two["h2"].lease = None
        # The other run has changed both hosts.
        two["h1"].live = two["h2"].live = live_at("b2")

    two["h2"].before = {"survey": in_turn(lambda: setattr(two["h2"], "lease", HELD), released)}
    record = two.roll_back(wait=None)
    assert (record.outcome, record.from_.release, record.to.release) == ("succeeded", "b2", "b1")
    (told,) = (detail for what, name, detail in two.events if (what, name) == ("phase", "wait"))
    assert all(part in told for part in ("h2", "bob", "10:00", "run-0"))


def test_a_living_owner_is_waited_for_as_long_as_was_asked(stage: Stage) -> None:
    renewed = (replace(HELD, until=str(n)) for n in range(3))
    stage["h1"].before = {"survey": look_by_look(stage["h1"], *renewed, None)}
    assert stage.roll_back(wait=60).outcome == "succeeded"


@pytest.mark.parametrize(
    ("wait", "leases"),
    [
        (0.0, [HELD]),
        (0.5, [HELD]),
        (None, [HELD, replace(HELD, until="900", expires_in=10.0)]),
        (None, [HELD, replace(HELD, run="run-7")]),
        (None, [HELD, HELD, HELD]),
    ],
    ids=["no wait", "too short", "it is renewed", "another run", "it is never given up"],
)
def test_when_the_wait_is_over_the_owner_is_named_and_nothing_was_changed(
    stage: Stage, wait: float | None, leases: list[Lease]
) -> None:
    stage["h1"].before = {"survey": look_by_look(stage["h1"], *leases)}
    record = stage.roll_back(wait=wait)
    assert (record.outcome, record.exit_code) == ("refused", 1)
    assert all(part in record.hosts[0].detail for part in ("bob", "10:00", leases[-1].run, "https://ci/0"))
    assert record.duration_seconds < 10
    assert not stage.changed


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"blockers": ("the disk is full",)}, {}),
        ({}, {"dry_run": True}),
        ({}, {"selection": Selection(emergency=True)}),
        ({}, {"selection": Selection(if_current="b1")}),
    ],
    ids=["a blocker", "a dry run", "an emergency", "nothing to do"],
)
def test_nobody_waits_in_vain(stage: Stage, facts: Mapping[str, object], words: Mapping[str, Any]) -> None:
    stage["h1"].lease = HELD
    for name, value in facts.items():
        setattr(stage["h1"], name, value)
    stage.roll_back(wait=60, **words)
    assert "wait" not in stage.listener.phases
    assert len(stage["h1"].did("survey")) == 1


def test_time_that_is_spent_waiting_is_not_that_of_the_rollback(stage: Stage) -> None:
    stage["h1"].before = {"survey": look_by_look(stage["h1"], HELD, HELD, HELD, HELD, None)}
    record = stage.roll_back(wait=60, total=3.0, asked=AFTER, policy=Verify(healthy_deadline=3, min_healthy_time=0))
    assert record.outcome == "succeeded"


def test_a_signal_ends_the_wait(stage: Stage) -> None:
    stage["h1"].lease = HELD
    stage.listener.hears = {"wait": stage.signal()}
    record = stage.roll_back(wait=600)
    assert (record.outcome, record.exit_code) == ("cancelled", 130)
    assert not stage.changed


def test_a_host_that_is_lost_while_it_is_waited_for_is_left_alone(two: Stage) -> None:
    held = lambda: setattr(two["h2"], "lease", HELD)  # noqa: E731
    two["h2"].before = {"survey": in_turn(held, raising(HostUnreachable("down")))}
    record = two.roll_back(wait=60)
    assert [(h.outcome, h.to.release) for h in record.hosts] == [("succeeded", "b2"), ("unreachable", None)]


def test_an_emergency_leaves_out_a_host_that_cannot_be_changed(two: Stage) -> None:
    two["h2"].blockers = ("the disk is full",)
    record = two.roll_back(Selection(emergency=True))
    assert (record.outcome, record.exit_code) == ("partial", 5)
    assert [(h.outcome, h.detail) for h in record.hosts] == [("succeeded", ""), ("refused", "the disk is full")]
    assert (two["h1"].did("switch"), two["h2"].did("switch")) == (["b2"], [])


# --- unreachable hosts -----------------------------------------------------------------------------------


def test_a_host_that_is_down_does_not_delay_the_others(two: Stage) -> None:
    two["h1"].before = {"survey": raising(HostUnreachable("h1: connection refused"))}
    record = two.roll_back()
    assert (record.outcome, record.exit_code) == ("partial", 5)
    assert [(h.outcome, h.detail) for h in record.hosts] == [("unreachable", "connection refused"), ("succeeded", "")]
    assert two["h2"].live.name == "b2"
    assert ("h1", "reported lost", "h1: connection refused") in two.events
    assert {name for host, name, _ in two.events if host == "h1"} == {"survey", "reported lost"}


def test_a_host_that_does_not_answer_the_survey_is_unreachable(two: Stage, for_ever: threading.Event) -> None:
    two["h1"].before = {"survey": hanging(for_ever)}
    record = two.roll_back(total=0.1)
    assert [(h.outcome, h.to.release) for h in record.hosts] == [("unreachable", None), ("succeeded", "b2")]


@pytest.mark.parametrize("error", [HostUnreachable("down"), ConnectionLost("cut"), BadAnswer("no heading")])
def test_without_any_survey_the_rollback_is_refused(two: Stage, error: RollbackOpsError) -> None:
    for host in two.hosts.values():
        host.before = {"survey": raising(error)}
    record = two.roll_back()
    assert (record.outcome, record.exit_code) == ("refused", 1)
    assert {h.detail for h in record.hosts} == {error.message}
    assert not two.changed


def test_a_dry_run_with_a_host_that_is_down_is_partial(two: Stage) -> None:
    two["h1"].before = {"survey": raising(ConnectionLost("cut"))}
    record = two.roll_back(dry_run=True)
    assert (record.outcome, record.exit_code) == ("partial", 5)


# --- outcomes of hosts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "outcome", "code", "live", "marks"),
    [
        ("switched", "succeeded", 0, "b2", ["b2=good b3=left"]),
        ("not_started", "failed", 4, "b2", ["b2=bad b3=left"]),
        ("still_starting", "health_unknown", 2, "b2", ["b3=left"]),
        ("put_back", "restored", 3, "b3", [""]),
        ("failed", "failed", 4, "b3", [""]),
        ("refused", "refused", 1, "b3", []),
        ("unknown", "failed", 4, None, []),
    ],
)
def test_each_end_of_a_switch_has_its_outcome_its_marks_and_its_record(
    stage: Stage, ends: str, outcome: str, code: int, live: str | None, marks: list[str]
) -> None:
    stage["h1"].ends = ends  # type: ignore[assignment]
    record = stage.roll_back()
    assert (record.outcome, record.exit_code) == (outcome, code)
    assert record.hosts[0].to.release == live
    assert stage["h1"].did("record") == marks
    if ends != "switched":
        assert stage["h1"].did("ask") == []
        assert record.hosts[0].detail == f"it {ends}"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(ConnectionLost("cut"), "failed"), (HostUnreachable("down"), "refused"), (Refused("no"), "refused")],
)
def test_a_switch_that_raises_is_refused_or_failed_and_never_succeeds(
    stage: Stage, error: RollbackOpsError, outcome: str
) -> None:
    stage["h1"].before = {"switch": raising(error)}
    record = stage.roll_back()
    assert record.outcome == outcome
    assert record.hosts[0].detail.startswith(error.message)
    assert not stage.happened("ask", "record")


def test_hosts_with_different_outcomes_are_a_partial_run(two: Stage) -> None:
    two["h2"].ends = "put_back"
    record = two.roll_back()
    assert (record.outcome, record.exit_code) == ("partial", 5)
    assert [(h.outcome, h.to.release) for h in record.hosts] == [("succeeded", "b2"), ("restored", "b3")]
    assert (two["h1"].did("record"), two["h2"].did("record")) == (["b2=good b3=left"], [""])


def test_an_unhealthy_target_stays_live_and_is_marked_bad(stage: Stage) -> None:
    stage["h1"].says = 1
    record = stage.roll_back(asked=AFTER)
    assert (record.outcome, record.exit_code) == ("verification_failed", 2)
    assert record.hosts[0].to.release == "b2"
    assert stage["h1"].did("record") == ["b2=bad b3=left"]


def test_a_target_that_does_not_run_is_a_failed_rollback(stage: Stage) -> None:
    stage["h1"].units = (Unit("bot", "failed"),)
    record = stage.roll_back(policy=Verify(healthy_deadline=20, min_healthy_time=0))
    assert (record.outcome, record.exit_code) == ("failed", 4)
    assert record.duration_seconds < 10, "a crash is final: nothing waits for the deadline"
    assert stage["h1"].did("record") == ["b2=bad b3=bad"]


# --- when the target is unhealthy too ---------------------------------------------------------------------


def on_failure(what: Literal["restore", "older"], **more: int) -> Verify:
    return Verify(healthy_deadline=20, min_healthy_time=0, on_failure=what, **more)


def unhealthy(host: FakeHost, *names: str) -> Callable[[], None]:
    """Return an action that makes these releases fail their check and restart again and again.

    Restarts are a final failure, so that no test waits for the deadline.
    """

    def act() -> None:
        host.says = 1 if host.live.name in names else 0
        if host.says:
            host.units = (Unit("bot", "running", pid=len(host.events)),)

    return act


def test_with_restore_an_unhealthy_target_is_left_for_the_release_before(stage: Stage) -> None:
    stage["h1"].before = {"ask": unhealthy(stage["h1"], "b2")}
    record = stage.roll_back(asked=AFTER, policy=on_failure("restore"))
    assert (record.outcome, record.exit_code) == ("restored", 3)
    assert (record.to.release, record.hosts[0].to.release) == ("b2", "b3")
    assert stage["h1"].did("switch") == ["b2", "b3"]
    assert stage["h1"].did("record") == ["b2=bad"]


def taken_over(host: FakeHost, release: str, run: str = "") -> Callable[[], None]:
    """Return an action by which somebody else makes a release live: a run, or a deployment."""

    def act() -> None:
        host.live = live_at(release)
        host.units = (Unit("bot", "running", pid=99),)
        if run and not any(run in line for line in host.lines):
            ends = f'"from":"b2","to":"{release}","at":"2024-01-01T00:00:00Z"'
            facts = '"service":"bot","environment":"prod","mode":"emergency","trigger":"manual","reason":"now"'
            host.lines += [
                '{"event":"intent","id":"run-1"}',
                f'{{"event":"intent","id":"{run}","actor":"carol",{facts},{ends}}}',
            ]

    return act


@pytest.mark.parametrize("policy", ["report", "restore", "older"])
@pytest.mark.parametrize(("release", "run"), [("b1", "run-2"), ("b4", ""), ("b3", "run-2")])
def test_a_host_that_is_taken_over_during_the_verification_is_left_alone(
    stage: Stage, policy: Literal["report", "restore", "older"], release: str, run: str
) -> None:
    stage["h1"].releases = releases("b1", "b2", "b3", "b4")
    stage["h1"].says = 1
    stage["h1"].before = {"ask": taken_over(stage["h1"], release, run)}
    patient = Verify(healthy_deadline=20, min_healthy_time=0, on_failure=policy)
    record = stage.roll_back(asked=AFTER, policy=patient)
    assert (record.outcome, record.exit_code) == ("superseded", 6)
    assert (stage["h1"].live.name, stage["h1"].did("switch")) == (release, ["b2"])
    (host,) = record.hosts
    assert (host.outcome, host.to.release, host.superseded_by) == ("superseded", release, record.superseded_by)
    by = host.superseded_by
    assert by
    assert (by.release, by.run, by.actor) == (release, run or None, "carol" if run else None)
    assert stage["h1"].did("record") == [""], "nothing is marked"
    assert record.duration_seconds < 10, "what is known does not wait for the deadline"


def test_a_healthy_release_of_somebody_else_is_no_success_of_ours(stage: Stage) -> None:
    stage["h1"].before = {"ask": taken_over(stage["h1"], "b1")}
    record = stage.roll_back(asked=AFTER)
    assert (record.outcome, stage["h1"].did("record")) == ("superseded", [""])


def test_a_host_whose_lease_another_run_has_is_left_alone_while_its_release_is_still_ours(stage: Stage) -> None:
    stage["h1"].says, stage["h1"].held = 1, False
    stage["h1"].before = {"ask": lambda: setattr(stage["h1"], "lease", Lease("run-2", "carol", "https://ci/2"))}
    record = stage.roll_back(asked=AFTER, policy=on_failure("restore"))
    assert (record.outcome, stage["h1"].did("switch")) == ("superseded", ["b2"])
    by = record.superseded_by
    assert by
    assert (by.release, by.run, by.actor, by.run_url) == ("b2", "run-2", "carol", "https://ci/2")


@pytest.mark.parametrize("policy", ["restore", "older"])
def test_the_host_itself_says_under_its_lock_that_it_was_taken_over(
    stage: Stage, policy: Literal["restore", "older"]
) -> None:
    def second() -> None:
        if stage["h1"].orders:
            stage["h1"].ends = "superseded"

    stage["h1"].before = {"ask": unhealthy(stage["h1"], "b2"), "switch": second}
    record = stage.roll_back(asked=AFTER, policy=on_failure(policy))
    assert (record.outcome, record.exit_code, stage["h1"].live.name) == ("superseded", 6, "b2")
    assert [order.run for order in stage["h1"].orders] == ["run-1", "run-1.2"]


def test_of_two_hosts_only_the_one_that_is_still_ours_goes_back(two: Stage) -> None:
    two["h1"].before = {"ask": unhealthy(two["h1"], "b2")}
    two["h2"].before = {"ask": taken_over(two["h2"], "b1")}
    record = two.roll_back(asked=AFTER, policy=on_failure("restore"))
    assert (record.outcome, record.exit_code) == ("partial", 5)
    assert [(h.outcome, h.to.release) for h in record.hosts] == [("restored", "b3"), ("superseded", "b1")]


@pytest.mark.parametrize("ends", ["refused", "put_back", "failed"])
@pytest.mark.parametrize("policy", ["restore", "older"])
def test_a_host_that_was_not_switched_is_neither_put_back_nor_taken_further(
    two: Stage, policy: Literal["restore", "older"], ends: str
) -> None:
    two["h1"].before = {"ask": unhealthy(two["h1"], "b2")}
    two["h2"].ends = ends  # type: ignore[assignment]
    record = two.roll_back(asked=AFTER, policy=on_failure(policy))
    assert (two["h2"].did("switch"), two["h2"].live.name) == (["b2"], "b3")
    expected = {"refused": "refused", "put_back": "restored", "failed": "failed"}[ends]
    assert record.hosts[1].outcome == expected
    assert two["h1"].live.name == ("b3" if policy == "restore" else "b1")


def test_older_never_goes_to_the_release_that_the_rollback_left(stage: Stage) -> None:
    stage["h1"].live = live_at("b2")
    stage["h1"].before = {"ask": unhealthy(stage["h1"], "b3")}
    record = stage.roll_back(Selection(backup="b3"), asked=AFTER, policy=on_failure("older"))
    assert (record.outcome, record.to.release, stage["h1"].did("switch")) == ("succeeded", "b1", ["b3", "b1"])


def test_with_older_an_unhealthy_target_is_left_for_an_older_release(stage: Stage) -> None:
    stage["h1"].before = {"ask": unhealthy(stage["h1"], "b2")}
    record = stage.roll_back(asked=AFTER, policy=on_failure("older"))
    assert (record.outcome, record.exit_code) == ("succeeded", 0)
    assert (record.from_.release, record.to.release, record.hosts[0].to.release) == ("b3", "b1", "b1")
    assert stage["h1"].did("switch") == ["b2", "b1"]
    assert stage["h1"].did("record") == ["b1=good b2=bad b3=left"]


def test_the_oldest_release_stays_live_when_none_is_healthy(stage: Stage) -> None:
    stage["h1"].before = {"ask": unhealthy(stage["h1"], "b2", "b1")}
    record = stage.roll_back(asked=AFTER, policy=on_failure("older"))
    assert (record.outcome, record.to.release) == ("verification_failed", "b1")
    (warning,) = record.warnings
    assert warning.startswith("b1 ")


def test_no_more_than_max_older_releases_are_tried(stage: Stage) -> None:
    stage["h1"].releases = releases("b1", "b2", "b3", "b4", "b5", "b6")
    stage["h1"].live = live_at("b6")
    stage["h1"].before = {"ask": unhealthy(stage["h1"], "b1", "b2", "b3", "b4", "b5")}
    record = stage.roll_back(asked=AFTER, policy=on_failure("older", max_older=2))
    assert stage["h1"].did("switch") == ["b5", "b4", "b3"]
    assert (record.outcome, record.exit_code) == ("verification_failed", 2)


def test_an_older_release_with_a_broken_seal_is_skipped(stage: Stage) -> None:
    stage["h1"].releases = releases("b1", "b2", "b3", "b4", sealed=True)
    stage["h1"].live = live_at("b4")
    stage["h1"].broken = {"b2": "app.py differs"}
    stage["h1"].before = {"ask": unhealthy(stage["h1"], "b3")}
    record = stage.roll_back(asked=AFTER, policy=on_failure("older"))
    assert (record.outcome, stage["h1"].did("switch")) == ("succeeded", ["b3", "b1"])


def test_an_older_release_with_a_failed_preflight_check_is_not_tried(stage: Stage) -> None:
    stage["h1"].before = {"ask": unhealthy(stage["h1"], "b2")}
    early = {"test -s b1.json": 1}
    stage["h1"].answers = early
    record = stage.roll_back(asked=BEFORE | AFTER, policy=on_failure("older"))
    assert (record.outcome, stage["h1"].did("switch")) == ("verification_failed", ["b2"])


def test_all_hosts_that_were_switched_go_on_to_the_same_older_release(two: Stage) -> None:
    two["h2"].before = {"ask": unhealthy(two["h2"], "b2")}
    record = two.roll_back(asked=AFTER, policy=on_failure("older"))
    assert (record.outcome, record.to.release) == ("succeeded", "b1")
    assert {host.live.name for host in two.hosts.values()} == {"b1"}


def test_a_host_that_ran_the_target_before_is_not_taken_further(two: Stage) -> None:
    two["h1"].live = live_at("b2")
    for host in two.hosts.values():
        host.before = {"ask": unhealthy(host, "b2")}
    record = two.roll_back(asked=AFTER, policy=on_failure("older"))
    assert [(h.outcome, h.to.release) for h in record.hosts] == [("verification_failed", "b2"), ("succeeded", "b1")]
    assert (record.outcome, two["h1"].did("switch")) == ("partial", [])


def test_an_emergency_tries_no_older_release(stage: Stage) -> None:
    stage["h1"].ends = "not_started"
    record = stage.roll_back(Selection(emergency=True), policy=on_failure("older"))
    assert (record.outcome, stage["h1"].did("switch")) == ("failed", ["b2"])


@pytest.mark.parametrize("error", [ConnectionLost("cut"), HostUnreachable("down"), RuntimeError("a defect")])
def test_a_verification_without_answers_is_no_success(stage: Stage, error: Exception) -> None:
    stage["h1"].before = {"ask": raising(error)}
    record = stage.roll_back(policy=IN_VAIN)
    assert (record.outcome, record.exit_code) == ("health_unknown", 2)
    assert stage["h1"].mark("b2") == "", "an unknown health marks nothing"
    assert [c.outcome for c in record.hosts[0].checks] == ["unknown"]


def test_an_interrupted_rollback_is_finished_and_its_releases_are_marked(stage: Stage) -> None:
    stage["h1"].live = live_at("b2")
    stage["h1"].unfinished = OpenTransaction("run-0", "/srv/bot/releases/b3", "b2")
    record = stage.roll_back()
    assert (record.outcome, record.from_.release, record.to.release) == ("succeeded", "b3", "b2")
    assert stage["h1"].did("record") == ["b2=good b3=left"]


def test_resume_goes_on_to_the_target_of_the_interrupted_rollback(stage: Stage) -> None:
    stage["h1"].unfinished = OpenTransaction("run-0", "/srv/bot/releases/b3", "b1")
    record = stage.roll_back(Selection(resume=True))
    assert (record.outcome, record.from_.release, record.to.release) == ("succeeded", "b3", "b1")


def test_without_an_interrupted_rollback_there_is_nothing_to_resume(stage: Stage) -> None:
    record = stage.roll_back(Selection(resume=True))
    assert (record.outcome, record.exit_code) == ("nothing_to_do", 0)
    assert record.hosts[0].detail
    assert not stage.changed


def test_only_interrupted_hosts_are_resumed(two: Stage) -> None:
    two["h2"].unfinished = OpenTransaction("run-0", "/srv/bot/releases/b3", "b1")
    record = two.roll_back(Selection(resume=True))
    assert (record.outcome, record.exit_code, record.to.release) == ("succeeded", 0, "b1")
    assert [(h.outcome, h.to.release) for h in record.hosts] == [("nothing_to_do", "b3"), ("succeeded", "b1")]
    assert two.happened("switch") == [("h2", "switch")]


def test_interrupted_hosts_with_different_targets_are_refused(two: Stage) -> None:
    for name, target in (("h1", "b1"), ("h2", "b2")):
        two[name].unfinished = OpenTransaction("run-0", "/srv/bot/releases/b3", target)
    record = two.roll_back(Selection(resume=True))
    assert (record.outcome, record.exit_code) == ("refused", 1)
    assert all(target in host.detail for target, host in zip(("b1", "b2"), record.hosts, strict=True))
    assert not two.changed


def test_resume_is_refused_when_the_target_no_longer_exists(stage: Stage) -> None:
    stage["h1"].unfinished = OpenTransaction("run-0", "/srv/bot/releases/b3", "b0")
    record = stage.roll_back(Selection(resume=True))
    assert (record.outcome, record.exit_code) == ("refused", 1)
    assert "b0" in record.hosts[0].detail
    assert not stage.changed


# --- the journal -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Refused("h1: .rollback could not be written to"), ConnectionLost("cut")])
def test_a_journal_that_cannot_be_written_is_only_a_warning(two: Stage, error: RollbackOpsError) -> None:
    two["h1"].before = {"record": raising(error)}
    record = two.roll_back()
    assert (record.outcome, record.exit_code) == ("succeeded", 0)
    (warning,) = record.warnings
    assert warning.startswith("h1: ")
    assert error.message.removeprefix("h1: ") in warning
    assert [len(records_of(host)) for host in two.hosts.values()] == [0, 1]


def test_a_journal_that_hangs_delays_nothing_after_a_signal(stage: Stage, for_ever: threading.Event) -> None:
    stage["h1"].before = {"switch": stage.signal(grace=0.2), "record": hanging(for_ever)}
    record = stage.roll_back()
    (warning,) = record.warnings
    assert warning.startswith("h1: ")
    assert record.duration_seconds < 10


# --- signals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("phase", ["survey", "plan", "inspect", "switch"])
def test_a_signal_before_the_switch_changes_nothing(
    two: Stage, phase: str, number: int, code: int, for_ever: threading.Event
) -> None:
    two.listener.hears = {phase: two.signal(number)}
    two["h1"].before = {"survey": hanging(for_ever)} if phase == "survey" else {}
    record = two.roll_back(asked=BEFORE)
    assert (record.outcome, record.exit_code) == ("cancelled", code)
    assert [h.outcome for h in record.hosts] == ["cancelled", "cancelled"]
    assert not two.changed


def test_the_time_that_draining_may_take_is_not_that_of_the_rollback(stage: Stage) -> None:
    # The runner waits at least a second.
    stage["h1"].before = {"switch": lambda: time.sleep(1.5)}
    assert stage.roll_back(total=0.1, traffic_time=60.0).hosts[0].outcome == "succeeded"


def test_a_signal_during_the_switch_lets_every_host_finish_and_record_it(two: Stage) -> None:
    two["h1"].before = {"switch": two.signal(signal.SIGTERM)}
    record = two.roll_back()
    assert (record.outcome, record.exit_code) == ("cancelled", 143)
    assert {host.live.name for host in two.hosts.values()} == {"b2"}
    assert two.happened("ask") == []
    assert [h.to.release for h in record.hosts] == ["b2", "b2"]
    # Nothing was seen of the release that was left. The new one has no verification, so it is not known to be good.
    assert [host.did("record") for host in two.hosts.values()] == [["b3=left"], ["b3=left"]]


def test_a_host_that_outlasts_the_grace_is_unknown(two: Stage, for_ever: threading.Event) -> None:
    two["h1"].before = {"switch": hanging(for_ever)}
    two["h2"].before = {"switch": two.signal(grace=0.3)}
    record = two.roll_back()
    assert (record.outcome, record.exit_code) == ("cancelled", 130)
    assert [(h.outcome, h.to.release) for h in record.hosts] == [("unknown", None), ("succeeded", "b2")]
    assert record.duration_seconds < 10
    assert two["h1"].did("record") == []


def test_a_signal_ends_the_verification_and_marks_nothing_good(stage: Stage, for_ever: threading.Event) -> None:
    def ask() -> None:
        stage.signal()()
        for_ever.wait(30)

    stage["h1"].before = {"ask": ask}
    record = stage.roll_back(policy=Verify(healthy_deadline=20, min_healthy_time=0))
    assert (record.outcome, record.exit_code) == ("cancelled", 130)
    assert record.duration_seconds < 10
    assert record.hosts[0].to.release == "b2"
    assert stage["h1"].did("record") == ["b3=left"]


def test_the_journal_has_the_record_of_a_cancelled_rollback_too(stage: Stage) -> None:
    stage["h1"].before = {"switch": stage.signal()}
    stage.roll_back()
    (line,) = records_of(stage["h1"])
    assert (json.loads(line)["outcome"], json.loads(line)["exit_code"]) == ("cancelled", 130)


@pytest.mark.parametrize("policy", ["restore", "older"])
def test_an_unknown_health_neither_restores_nor_goes_on(stage: Stage, policy: Literal["restore", "older"]) -> None:
    stage["h1"].before = {"ask": raising(ConnectionLost("the host is frozen"))}
    record = stage.roll_back(policy=IN_VAIN.model_copy(update={"on_failure": policy}))
    assert (record.outcome, stage["h1"].did("switch")) == ("health_unknown", ["b2"])
    assert (stage["h1"].live.name, stage["h1"].mark("b2")) == ("b2", "")


def outrun(host: FakeHost, live: str, *, times: int = 1) -> None:
    """Another run takes the lock of the host between the survey and so many switches, and makes ``live`` live."""

    def taken() -> None:
        host.ends, host.locked = "refused", True
        host.live = live_at(live)

    def free() -> None:
        host.ends, host.locked = "switched", False

    host.before = {"switch": in_turn(*[taken] * times, free)}


def test_a_run_that_lost_the_lock_begins_anew(stage: Stage) -> None:
    outrun(stage["h1"], "b3")
    stage["h1"].before = {**stage["h1"].before, "survey": look_by_look(stage["h1"], None, HELD, None)}
    record = stage.roll_back(wait=None)
    assert (record.outcome, record.from_.release, record.to.release) == ("succeeded", "b3", "b2")
    assert "wait" in stage.listener.phases
    first, second = stage["h1"].orders
    assert first.run == "run-1" != second.run
    assert second.run.partition(".")[0] == "run-1"
    assert len(record.warnings) == len(set(record.warnings))


@pytest.mark.parametrize(
    ("selection", "end"),
    [(ANY, ("nothing_to_do", 0, None)), (Selection(backup="b1"), ("succeeded", 0, "b1"))],
    ids=["the next older one", "a named one"],
)
def test_what_the_run_that_had_the_lock_has_left_is_not_left_again(
    stage: Stage, selection: Selection, end: tuple[str, int, str | None]
) -> None:
    outrun(stage["h1"], "b2")
    record = stage.roll_back(selection, wait=60)
    assert (record.outcome, record.exit_code, record.to.release) == end


@pytest.mark.parametrize(("wait", "tries"), [(0.0, 1), (None, 2)])
def test_the_lock_is_not_tried_for_ever(stage: Stage, wait: float | None, tries: int) -> None:
    outrun(stage["h1"], "b3", times=5)
    record = stage.roll_back(wait=wait)
    assert (record.outcome, record.exit_code, len(stage["h1"].orders)) == ("refused", 1, tries)
    assert not stage.happened("record")


def test_nobody_waits_for_a_lock_while_another_host_was_changed(two: Stage) -> None:
    outrun(two["h2"], "b3")
    record = two.roll_back(wait=60)
    assert [(h.outcome, len(two[h.host].orders)) for h in record.hosts] == [("succeeded", 1), ("refused", 1)]


# --- an approved plan ---------------------------------------------------------------------------------------


def test_the_approved_plan_is_carried_out_and_no_other_one(two: Stage) -> None:
    dry = two.roll_back(dry_run=True)
    assert dry.plan
    approved = dry.plan.hash[:12]
    other = two.roll_back(Selection(backup="b1"), approved=approved)
    assert (other.outcome, other.approved, two.changed) == ("refused", approved, False)
    record = two.roll_back(approved=approved)
    assert (record.outcome, record.approved, record.to.release) == ("succeeded", approved, "b2")
    assert json.loads(two["h1"].orders[0].intent)["approved"] == approved
    assert two.roll_back(approved=approved).outcome == "refused"


@pytest.mark.parametrize("same", [True, False], ids=["the same approval", "no approval"])
def test_an_approval_holds_for_the_hosts_that_a_run_with_it_has_left_out(two: Stage, same: bool) -> None:
    dry = two.roll_back(dry_run=True)
    assert dry.plan
    approved = dry.plan.hash
    two["h2"].ends = "refused"
    assert two.roll_back(approved=approved[:12] if same else "").outcome == "partial"
    two["h2"].ends = "switched"
    again = two.roll_back(approved=approved)
    assert (again.outcome, two["h2"].live.name) == (("succeeded", "b2") if same else ("refused", "b3"))
    assert len(two["h1"].did("switch")) == 1


def test_an_approval_holds_for_no_other_release_on_the_hosts_that_are_left(two: Stage) -> None:
    dry = two.roll_back(dry_run=True)
    assert dry.plan
    two["h2"].ends = "refused"
    two.roll_back(approved=dry.plan.hash)
    two["h2"].ends, two["h2"].live = "switched", live_at("b1")
    assert two.roll_back(Selection(backup="b2"), approved=dry.plan.hash).outcome == "refused"


def test_a_host_that_is_back_makes_another_plan(two: Stage) -> None:
    two["h2"].before = {"survey": raising(HostUnreachable("h2: no route"))}
    dry = two.roll_back(dry_run=True)
    two["h2"].before = {}
    assert dry.plan
    assert two.roll_back(approved=dry.plan.hash).outcome == "refused"


def test_no_older_release_is_tried_in_place_of_the_approved_one(stage: Stage) -> None:
    dry = stage.roll_back(dry_run=True)
    stage["h1"].says = 1
    assert dry.plan
    record = stage.roll_back(asked=AFTER, policy=on_failure("older"), approved=dry.plan.hash)
    assert (record.outcome, stage["h1"].did("switch")) == ("verification_failed", ["b2"])
