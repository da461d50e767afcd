"""``schedule``: what was planned is carried out once, as it was planned, or not at all, and somebody is told."""

from __future__ import annotations

import fcntl
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from rollback_ops.commands.context import load_settings, open_context
from rollback_ops.commands.schedule import add, cancel, entries
from rollback_ops.commands.schedule_run import Carried, Ran, run_due
from rollback_ops.commands.schedule_stores import Stores
from rollback_ops.config.request import CommandOptions
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.errors import Refused
from rollback_ops.core.run import rfc3339
from rollback_ops.core.schedule import ScheduleEntry, claim
from rollback_ops.core.tasks import Cancellation
from tests.support.command import RollbackOps
from tests.support.fakes import Listener
from tests.support.github_api.server import GitHubApi, github_api
from tests.support.lab.toml import dump
from tests.support.on_this_machine import OwnService
from tests.support.receiver import Receiver, receiver
from tests.support.scene import QUICK
from tests.support.workflow import REVISIONS, variables

Where = Literal["github", "journal"]
THREE = {"b1": "healthy", "b2": "healthy", "b3": "healthy"}
LATER, DAY = timedelta(hours=2), timedelta(days=1)


@dataclass
class Office:
    """A service on this machine whose rollbacks are planned, and who plans them. Time passes as a test says."""

    service: OwnService
    folder: Path
    api: GitHubApi
    receiver: Receiver
    where: Where = "journal"
    actor: str = "alice"
    environment: Mapping[str, Any] | None = None
    more: Mapping[str, Any] | None = None

    @property
    def environ(self) -> Mapping[str, str]:
        github = variables(self.api, 7, GITHUB_ACTOR=self.actor) if self.where == "github" else {}
        return {"HOME": str(self.folder), "USER": self.actor, "ROLLBACK_WEBHOOK_URL": self.receiver.url, **github}

    def stores(self) -> Stores:
        toml = self.service.toml(
            verify=QUICK, notify={"format": "json", "on": ["failure", "success"]}, **self.more or {}
        )
        bare, whole = (dump({"environments": {"prod": dict(section)}}) for section in ({}, self.environment or {}))
        (self.folder / "rollback.toml").write_text(toml.replace(bare, whole))
        settings = load_settings(str(self.folder / "rollback.toml"), self.environ)
        secrets = Secrets.read(self.environ)
        return Stores(settings, self.environ, CommandOptions(local=True), secrets, in_journals=self.where == "journal")

    def plan(self, **typed: Any) -> ScheduleEntry:
        """Plan a rollback for in twenty minutes. It is due before a run that claimed it now would be given up."""
        at = (datetime.now(UTC) + timedelta(minutes=20)).isoformat()
        stores = self.stores()
        options = CommandOptions(environment="prod", local=True, reason="the promotion ends", **{"at": at, **typed})
        settings = load_settings(str(self.folder / "rollback.toml"), self.environ)
        context = open_context(settings, self.environ, options, Secrets.read(self.environ))
        return add(context, stores, Cancellation())

    def roll_back(self, **typed: Any) -> None:
        ended = RollbackOps(self.folder)("rollback", "prod", "--local", "--reason", "it is slow", *typed.get("to", ()))
        assert ended.code == 0, ended.err

    def run(
        self,
        late: timedelta = timedelta(minutes=25),
        stores: Stores | None = None,
        cancellation: Cancellation | None = None,
    ) -> Ran:
        """``schedule run``, so much later."""
        stopped = cancellation or Cancellation()
        return run_due(stores or self.stores(), Listener(), stopped, lambda: datetime.now(UTC) + late)

    def only(self, late: timedelta = timedelta(minutes=25)) -> Carried:
        (carried,) = self.run(late).carried
        return carried

    @property
    def state(self) -> str:
        (entry,) = entries(self.stores()).entries
        return entry.state

    @contextmanager
    def held(self) -> Iterator[None]:
        """As while a run changes the host: it has the lock."""
        with next((self.service.root / ".rollback").glob("*@prod/lock")).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def live(self) -> str:
        return (self.service.root / "current").resolve().name

    @property
    def told(self) -> list[tuple[str, str]]:
        """The outcome and the trigger in each message."""
        return [(each["outcome"], each["trigger"]) for each in self.receiver.documents if "outcome" in each]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with github_api() as api, receiver() as hook, OwnService(tmp_path / "bot", THREE) as service:
        for release, revision in REVISIONS.items():
            (service.root / "releases" / release / "REVISION").write_text(f"{revision}\n")
        api.repository.knows(*REVISIONS.values())
        yield Office(service, tmp_path, api, hook)


@pytest.fixture(params=["journal", "github"])
def anywhere(office: Office, request: pytest.FixtureRequest) -> Office:
    office.where = request.param
    return office


def test_what_was_planned_is_carried_out_at_its_time_and_once(anywhere: Office) -> None:
    planned = anywhere.plan()
    assert (planned.asked.live, planned.asked.to, planned.asked.to_revision) == ("b3", "b2", REVISIONS["b2"])
    early = anywhere.run(timedelta())
    assert (early.carried, early.left, early.exit_code, anywhere.live) == ([], 1, 0, "b3")
    done = anywhere.only()
    assert done.result
    record = done.result.record
    assert (done.what, done.exit_code, anywhere.live, anywhere.state) == ("done", 0, "b2", "done")
    assert (record.trigger, record.actor, record.reason) == ("scheduled", planned.asked.by, "the promotion ends")
    assert record.scheduled
    assert record.scheduled.model_dump() == planned.asked.model_dump(include={"at", "not_after", "by"})
    assert datetime.fromisoformat(record.started_at) - datetime.now(UTC) < timedelta(minutes=1)
    assert anywhere.told[-1] == ("succeeded", "scheduled")
    again = anywhere.run()
    assert (again.carried, again.left, anywhere.live) == ([], 0, "b2")


def test_two_runners_that_fire_at_once_carry_it_out_once(anywhere: Office) -> None:
    anywhere.plan()
    start = threading.Barrier(2)
    # Each writes the settings: a runner must not read them while the other one's are being written.
    every = [anywhere.stores() for _ in range(2)]

    def fire(stores: Stores) -> Ran:
        start.wait(60)
        return anywhere.run(stores=stores)

    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(fire, every))
    carried = [each for one in ran for each in one.carried]
    assert [each.what for each in carried if not each.skipped] == ["done"]
    assert {one.exit_code for one in ran} == {0}
    assert (anywhere.live, anywhere.state) == ("b2", "done")


def test_a_signal_before_anything_began_leaves_it_to_the_next_run(office: Office) -> None:
    office.plan()
    cancellation = Cancellation()
    cancellation.ask(signal.SIGTERM, 1.5)
    assert (office.run(cancellation=cancellation).exit_code, office.live, office.state) == (143, "b3", "waiting")
    assert (office.only().what, office.live) == ("done", "b2")


def test_a_claim_of_which_github_does_not_answer_is_given_up(office: Office) -> None:
    office.where = "github"
    office.plan()
    office.api.is_in_trouble("lost answer", "(?i)post .*/statuses$", times=1)
    ran = office.run()
    assert (ran.exit_code, office.live, office.state) == (1, "b3", "waiting")
    assert (office.only().what, office.live) == ("done", "b2")


def test_a_cancelled_one_is_never_carried_out(anywhere: Office) -> None:
    number = anywhere.plan().asked.id
    assert cancel(anywhere.stores(), number, "bob").last.by == "bob"
    assert (anywhere.run().carried, anywhere.live) == ([], "b3")
    for other in (number.replace("Z", "Z")[:-1] + "x", "20260101T000000Z-00000000"):
        with pytest.raises(Refused):
            cancel(anywhere.stores(), other, "bob")


# --- why one is not carried out --------------------------------------------------------------------------


def is_untouched_and_told(office: Office, carried: Carried, what: str) -> None:
    assert (carried.what, carried.exit_code, office.state) == (what, 1, what), carried.why
    assert office.told == [("refused", "scheduled")]
    assert office.run().carried == [], "it ends once"


def test_too_late(anywhere: Office) -> None:
    anywhere.plan()
    is_untouched_and_told(anywhere, anywhere.only(timedelta(hours=2, minutes=1)), "expired")
    assert anywhere.live == "b3"


def test_no_longer_live(office: Office) -> None:
    office.plan()
    office.roll_back(to=("--to", "b1"))
    office.receiver.bodies.clear()
    is_untouched_and_told(office, office.only(), "stale")
    assert office.live == "b1"


def test_target_gone(office: Office) -> None:
    office.plan()
    (office.service.root / "releases/b2").rename(office.folder / "b2")
    is_untouched_and_told(office, office.only(), "stale")
    assert office.live == "b3"


def test_schema_ahead(office: Office) -> None:
    office.more = {"schema": {"migrations": ["db/*.sql"]}}
    for release in ("b2", "b3"):
        (office.service.root / "releases" / release / "db").mkdir()
        (office.service.root / "releases" / release / "db" / "1.sql").touch()
    office.plan()
    (office.service.root / "releases/b3/db/2.sql").touch()
    is_untouched_and_told(office, office.only(), "stale")
    assert office.live == "b3"


def test_hold(office: Office) -> None:
    office.plan()
    held = RollbackOps(office.folder)("hold", "prod", "--local", "--reason", "a freeze", "--for", "1d")
    assert held.code == 0
    is_untouched_and_told(office, office.only(), "stale")
    assert office.live == "b3"


def test_permission_withdrawn(office: Office) -> None:
    office.where, office.environment = "github", {"require_permission": "admin"}
    office.plan()
    office.api.repository.people["alice"] = "write"
    is_untouched_and_told(office, office.only(), "stale")
    assert office.live == "b3"


def test_settings_changed(office: Office) -> None:
    office.where = "github"
    office.plan(service="bot")
    office.api.repository.deployments[0]["payload"]["service"] = "web"
    gone = office.only()
    assert (gone.what, office.live, office.state) == ("stale", "b3", "stale")


def test_what_waits_is_carried_out_later_or_expires_with_the_reason(office: Office) -> None:
    command = RollbackOps(office.folder)
    office.plan()
    assert command("arm", "prod", "--local", "--for", "1h").code == 0
    waiting = office.only()
    assert (waiting.what, waiting.exit_code, office.state, office.live) == ("waiting", 1, "waiting", "b3")
    assert office.told == [], "the next run asks again"
    assert command("confirm", "prod", "--local").code == 0
    assert (office.only().what, office.live) == ("done", "b2")


def test_what_waited_too_long_expires_with_what_it_waited_for(office: Office) -> None:
    office.plan()
    assert RollbackOps(office.folder)("arm", "prod", "--local", "--for", "1h").code == 0
    why = office.only().why
    expired = office.only(LATER + timedelta(minutes=1))
    assert (expired.what, why in expired.why) == ("expired", True)
    assert RollbackOps(office.folder)("confirm", "prod", "--local").code == 0


def test_a_permission_that_cannot_be_asked_for_is_waited_for(office: Office) -> None:
    office.where, office.environment = "github", {"require_permission": "admin"}
    office.plan()
    office.api.is_in_trouble("error", "collaborators")
    waiting = office.only()
    assert (waiting.what, office.live, office.told) == ("waiting", "b3", [])


def test_a_run_that_was_killed_is_told_of_and_never_repeated(office: Office) -> None:
    entry = office.plan()
    (found,) = office.stores().find()
    assert claim(found.store, entry, "a-run-that-is-killed-now")
    assert office.run(timedelta(minutes=30)).carried == [], "it may still be at work"
    with office.held():
        working = office.only(LATER)
    assert (working.skipped, working.exit_code, office.state) == (True, 0, "claimed")
    given_up = office.only(LATER)
    assert (given_up.what, given_up.exit_code, office.state, office.live) == ("failed", 1, "failed", "b3")
    assert office.told == [("refused", "scheduled")]
    assert office.run(LATER).carried == []


# --- who asked, and what cannot be planned ---------------------------------------------------------------


def test_who_has_no_permission_plans_nothing(office: Office) -> None:
    office.where, office.actor, office.environment = "github", "bob", {"require_permission": "admin"}
    with pytest.raises(Refused):
        office.plan()
    assert office.api.repository.deployments == []


def test_a_person_who_writes_an_entry_of_their_own_is_who_asked(office: Office) -> None:
    office.where, office.environment = "github", {"require_permission": "admin"}
    office.plan()
    (deployment,) = office.api.repository.deployments
    deployment["creator"] = office.api.repository.person("bob")
    refused = office.only()
    assert (refused.what, "bob" in refused.why, office.live) == ("stale", True, "b3")


@pytest.mark.parametrize("payload", [{}, {"id": "x"}, {"at": "never"}], ids=str)
def test_deployments_that_are_no_entries_are_left_alone(office: Office, payload: Any) -> None:
    office.where = "github"
    office.plan()
    (deployment,) = office.api.repository.deployments
    deployment["payload"] = {**deployment["payload"], **payload} if payload else {}
    ran = office.run()
    assert (ran.carried, ran.lost, office.live) == ([], {}, "b3")


def test_an_answer_of_github_that_is_lost_makes_no_second_entry(office: Office) -> None:
    office.where = "github"
    office.api.is_in_trouble("lost answer", "(?i)post .*/deployments$", times=1)
    office.plan()
    assert len(office.api.repository.deployments) == 1
    assert office.state == "added"


def test_what_is_long_over_costs_no_request(office: Office) -> None:
    office.where = "github"
    office.plan()
    (deployment,) = office.api.repository.deployments
    over = {"at": rfc3339(datetime.now(UTC) - 9 * DAY), "not_after": rfc3339(datetime.now(UTC) - 8 * DAY)}
    deployment["payload"] = {**deployment["payload"], **over}
    asked = len(office.api.asked("statuses"))
    assert (office.run().carried, entries(office.stores()).entries) == ([], [])
    assert len(office.api.asked("statuses")) == asked


def test_what_could_not_be_rolled_back_now_is_not_planned(office: Office) -> None:
    with pytest.raises(Refused):
        office.plan(backup="b9")
    with pytest.raises(Refused):
        office.plan(backup="b3")


def test_without_github_and_without_a_local_store_nothing_is_kept(office: Office) -> None:
    office.stores()
    ended = RollbackOps(office.folder)("schedule", "run", "--local")
    assert (ended.code, "--local-store" in ended.err) == (64, True)


def test_what_a_host_keeps_for_later_is_not_purged(office: Office) -> None:
    office.stores()
    entry = office.plan()
    command = RollbackOps(office.folder)
    purged = command("uninstall", "prod", "--local", "--purge")
    assert (purged.code, entry.asked.id in purged.out + purged.err, office.state) == (1, True, "added")
    assert command("schedule", "cancel", entry.asked.id, "--local", "--local-store").code == 0
    assert command("uninstall", "prod", "--local", "--purge").code == 0
    assert not (office.service.root / ".rollback").exists()


# --- as commands -----------------------------------------------------------------------------------------


def test_the_commands_plan_show_cancel_and_run(office: Office) -> None:
    office.stores()
    command = RollbackOps(office.folder)
    store = ("--local", "--local-store", "--json")
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    planned = command("schedule", "add", "prod", "--at", at, "--reason", "the promotion ends", *store)
    assert (planned.code, planned.document["state"], planned.document["to"]) == (0, "added", "b2"), planned.err
    (listed,) = command("schedule", "list", *store).document["entries"]
    assert listed == planned.document
    assert command("schedule", "run", *store).document == {"carried_out": [], "left": 1, "exit_code": 0}
    cancelled = command("schedule", "cancel", listed["id"], *store)
    assert (cancelled.code, cancelled.document["state"]) == (0, "cancelled")
    assert command("schedule", "cancel", *store, ROLLBACK_ID="20260101T000000Z-00000000").code == 1
    assert command("schedule", "cancel", *store).code == 64
    late = command("schedule", "add", "prod", "--at", "2001-01-01T00:00Z", "--reason", "the promotion ends", *store)
    assert (late.code, command("schedule", "add", "prod", "--reason", "because", *store).code) == (64, 64)
