"""A real PostgreSQL that is stopped and started: ``database-unreachable``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost
from tests.support.on_this_machine import OwnService
from tests.support.postgres import Postgres, programs
from tests.support.scene import PATIENT, checks, released
from tests.support.waiting import Running, hear

Deploy = Callable[..., Deployed]

# Failures in a row end the verification, and not the time that it has.
EVIDENT = {"trigger": "database-unreachable", "fail_fast": True}
# Long enough to be stopped in.
WATCH = {"min_healthy_time": "30s", "healthy_deadline": "60s"}
TWO = {"b1": "healthy", "b2": "healthy"}


@pytest.fixture(scope="module")
def postgres(host: LabHost) -> Iterator[Postgres]:
    """On the machine that the hosts' network leads to."""
    cluster = Postgres(programs(), f"{host.address.rpartition('.')[0]}.1")
    yield cluster
    cluster.remove()


@pytest.fixture
def running(postgres: Postgres) -> Iterator[Postgres]:
    postgres.start()
    yield postgres
    postgres.stop()


def settings(service: Deployed, database: Postgres, verify: Mapping[str, str] = PATIENT, **check: str) -> str:
    tcp = {"kind": "tcp", "address": f"{database.host}:{database.port}", **EVIDENT, **check}
    health = {"kind": "http", "url": f"http://localhost:{service.port}/health"}
    return service.toml(pattern="b*", verify=verify, checks={"health": health, "database": tcp})


def test_a_database_that_stops_during_the_watch_is_the_trigger_and_once_it_runs_again_all_is_well(
    rollback_ops: RollbackOps, deploy: Deploy, running: Postgres
) -> None:
    service = deploy(releases=TWO)
    # The other checks pass before the database has failed three times.
    rollback_ops.settings(settings(service, running, WATCH, interval="4s"))
    guard = Running(rollback_ops.start("guard", "prod", "--json"))
    hear(guard, "watch")
    running.stop()
    ended = guard.end(within=60)

    assert (ended.code, ended.document["outcome"]) == (2, "verification_failed"), ended.err
    assert ended.document["trigger"] == "database-unreachable"
    assert f"database: {running.host}:{running.port}" in ended.document["reason"]
    assert "health" not in ended.document["reason"]
    outcomes = {name: outcome for name, (outcome, _) in checks(ended.document).items()}
    assert outcomes == {"process": "passed", "health": "passed", "database": "failed"}
    assert service.live() == released(service) == "b1"

    running.start()
    rollback_ops.settings(settings(service, running))
    verified = rollback_ops("verify", "prod", "--json")
    assert verified.code == 0, verified.err
    assert checks(verified.document)["database"] == ("passed", f"{running.host}:{running.port} accepts")
    assert rollback_ops("guard", "prod").code == 0


def test_where_the_release_before_cannot_reach_it_either_the_new_one_may_stay(
    rollback_ops: RollbackOps, deploy: Deploy, postgres: Postgres
) -> None:
    service = deploy(releases=TWO)
    rollback_ops.settings(settings(service, postgres, {**PATIENT, "on_failure": "restore"}))
    ended = rollback_ops("guard", "prod", "--json")
    assert (ended.code, ended.document["trigger"]) == (3, "database-unreachable"), ended.err
    assert service.live() == released(service) == "b2"


def test_a_database_on_a_socket_is_seen_on_the_machine_itself(tmp_path: Path, running: Postgres) -> None:
    with OwnService(tmp_path / "bot", TWO) as service:
        rollback_ops = RollbackOps(tmp_path)
        tcp = {"kind": "tcp", "address": running.socket, **EVIDENT}
        rollback_ops.settings(service.toml(verify=PATIENT, checks={"database": tcp}))

        assert rollback_ops("guard", "prod", "--local").code == 0
        running.stop()
        ended = rollback_ops("guard", "prod", "--local", "--json")

        assert (ended.code, ended.document["trigger"]) == (2, "database-unreachable"), ended.err
        assert running.socket in ended.document["reason"]
        assert service.health() == ("ok", "b1")
