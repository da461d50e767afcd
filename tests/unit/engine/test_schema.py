"""The schema gate: what is refused before anything is stopped, what goes on with a warning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollback_ops import checks
from rollback_ops.config import Schema, Verify
from rollback_ops.core import tasks
from rollback_ops.core.model import OpenTransaction
from rollback_ops.core.plan import Selection
from rollback_ops.core.record import Record
from rollback_ops.core.run import RunInfo
from rollback_ops.core.schema import KnownSchema
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.rollback import roll_back
from rollback_ops.engine.spec import RollbackSpec
from tests.support.fakes import FakeHost, Listener, live_at, releases

MIGRATIONS = Schema(current="psql", migrations=("migrations/*.sql",))
BY_FILE = Schema(current="psql", understands="SCHEMA")


def knows(*numbers: int) -> KnownSchema:
    return KnownSchema(tuple(f"migrations/{n}_x.sql" for n in numbers))


def host(**changes: Any) -> FakeHost:
    known = {"b1": knows(1), "b2": knows(1, 2), "b3": knows(1, 2, 3), "b4": knows(1, 2, 3)}
    marks: dict[str, Any] = {"b3": "bad"}
    there = {"releases": releases("b1", "b2", "b3", "b4", **marks), "live": live_at("b4"), "knows": known}
    return FakeHost(**{**there, "versions": ("1", "2", "3"), **changes})


def run(*hosts: FakeHost, schema: Schema | None = MIGRATIONS, ignored: bool = False, **selection: Any) -> Record:
    policy, listener = Verify(healthy_deadline=20, min_healthy_time=0), Listener()
    spec = RollbackSpec(
        RunInfo("run-1", "bot", "prod", "standard", "manual", "logins fail", "alice"),
        Selection(**selection),
        lambda release: checks.build({}, release),
        policy,
        checks.thresholds({}, policy),
        schema=schema,
        ignore_schema=ignored,
    )
    found = {each.name: each for each in hosts}
    survey = tasks.begin(found, lambda name: found[name].survey())
    return roll_back(spec, Fleet(list(hosts), survey, listener, Cancellation(), 30.0), listener)


def test_a_target_that_does_not_know_the_database_is_refused_before_anything_is_stopped() -> None:
    one, two = host(), host(name="h2")
    record = run(one, two)
    assert (record.outcome, one.did("switch"), two.did("switch")) == ("refused", [], [])
    assert "does not know 3" in record.hosts[0].detail
    assert [about for about in (*one.did("schema"), *two.did("schema")) if about.startswith("database")] == [
        "database b2 b4"
    ]


def test_an_interrupted_rollback_is_not_finished_against_the_database_without_a_word() -> None:
    begun = OpenTransaction("run-0", "/srv/bot/releases/b4", "b2")
    there = host(unfinished=begun)
    assert (run(there, resume=True).outcome, there.did("switch")) == ("refused", [])
    there = host(unfinished=begun)
    record = run(there, resume=True, ignored=True)
    assert (record.outcome, there.did("switch"), bool(record.warnings)) == ("succeeded", ["b2"], True)


def test_the_nearest_release_that_knows_the_database_is_named_and_never_a_bad_one() -> None:
    known = {"b1": knows(1), "b2": knows(1, 2), "b3": knows(1, 2, 3), "b4": knows(1, 2, 3)}
    refused = run(host(knows=known, versions=("1", "2")), backup="b1")
    assert (refused.outcome, "is b2:" in refused.hosts[0].detail) == ("refused", True)
    assert "b3" not in run(host(knows=known), backup="b1").hosts[0].detail


def test_the_nearest_release_is_the_nearest_in_the_order_of_the_settings() -> None:
    names = ("b9", "b2", "b1", "b4")
    there = tuple(replace(r, live_since=float(1 + names.index(r.name))) for r in releases(*names))
    known = {"b9": knows(1), "b2": knows(1, 2), "b1": knows(1, 2), "b4": knows(1, 2)}
    refused = run(host(releases=there, knows=known, versions=("2",)), backup="b9", order="deployed")
    assert (refused.outcome, "is b2:" in refused.hosts[0].detail) == ("refused", True)


def test_a_target_that_knows_it_is_gone_to_without_a_word() -> None:
    there = host(versions=("1", "2"))
    record = run(there)
    assert (record.outcome, record.to.release, record.warnings) == ("succeeded", "b2", ())


def test_where_no_command_says_it_the_migrations_of_the_live_release_count() -> None:
    assert run(host(), schema=Schema(migrations=("migrations/*.sql",))).outcome == "refused"
    same = {f"b{n}": knows(1) for n in (1, 2, 3, 4)}
    assert run(host(knows=same), schema=Schema(migrations=("migrations/*.sql",))).outcome == "succeeded"


def test_a_live_release_without_migrations_does_not_say_what_the_database_has() -> None:
    there, schema = host(knows=dict.fromkeys(("b1", "b2", "b3", "b4"), KnownSchema())), Schema(migrations=("wrong/*",))
    record = run(there, schema=schema)
    assert (record.outcome, there.did("switch"), "wrong/*" in record.hosts[0].detail) == ("refused", [], True)
    gone = run(there, schema=schema, ignored=True)
    assert (gone.outcome, any("wrong/*" in warning for warning in gone.warnings)) == ("succeeded", True)


def test_a_file_of_versions_is_compared_with_what_the_database_says() -> None:
    ranges = {f"b{n}": KnownSchema((f"1..{n}",)) for n in (1, 2, 3, 4)}
    assert run(host(knows=ranges, versions=("3",)), schema=BY_FILE).outcome == "refused"
    assert run(host(knows=ranges, versions=("2",)), schema=BY_FILE).outcome == "succeeded"


@pytest.mark.parametrize("changes", [{"versions": None}, {"knows": {}}])
def test_what_nobody_knows_is_no_yes(changes: dict[str, Any]) -> None:
    there = host(**changes)
    assert (run(there, schema=BY_FILE).outcome, there.did("switch")) == ("refused", [])


@pytest.mark.parametrize("how", ["ignored", "emergency", "warn"])
def test_it_goes_on_with_a_warning_that_names_the_migrations(how: str) -> None:
    schema = MIGRATIONS.model_copy(update={"on_ahead": "warn"}) if how == "warn" else MIGRATIONS
    record = run(host(), schema=schema, ignored=how == "ignored", emergency=how == "emergency")
    assert (record.outcome, record.to.release) == ("succeeded", "b2")
    assert any("does not know 3" in warning for warning in record.warnings)


def test_a_service_without_a_schema_is_not_asked() -> None:
    there = host()
    run(there, schema=None)
    assert there.did("schema") == []
