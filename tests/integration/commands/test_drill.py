"""``drill``, and what asks for its age: a service on this machine goes back and forward."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from rollback_ops.commands.context import load_settings, open_context
from rollback_ops.commands.drill import drill
from rollback_ops.config.request import CommandOptions
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.record import Record
from rollback_ops.core.tasks import Cancellation
from tests.support.command import RollbackOps
from tests.support.fakes import Listener
from tests.support.github_api.server import github_api
from tests.support.on_this_machine import OwnService
from tests.support.receiver import receiver
from tests.support.scene import QUICK, at_once
from tests.support.workflow import Workflow

LOCAL = ("prod", "--local")
THREE = {"b1": "healthy", "b2": "healthy", "b3": "healthy"}


@pytest.fixture
def rollback_ops(tmp_path: Path) -> RollbackOps:
    return RollbackOps(tmp_path)


def test_drills_are_measured_counted_apart_and_asked_for_by_age(rollback_ops: RollbackOps, tmp_path: Path) -> None:
    with OwnService(tmp_path / "bot", THREE) as service, receiver() as hook:
        rollback_ops.settings(service.toml(verify=QUICK, notify={"format": "json"}))
        aged = ("check", *LOCAL, "--max-drill-age", "30d", "--json")
        assert rollback_ops(*aged).code == 1
        done = rollback_ops("drill", *LOCAL, "--times", "2", "--json", ROLLBACK_WEBHOOK_URL=hook.url)
        assert (done.code, service.health()) == (0, ("ok", "b3")), done.err
        report = done.document
        counted = report["statistics"]
        assert (report["wanted"], counted["succeeded"], counted["total"]) == (2, 2, 2)
        assert counted["at_least"] == pytest.approx(0.05**0.5, abs=1e-6)
        assert 0 < counted["healthy"]["median"] <= counted["healthy"]["worst"]
        assert 0 < counted["downtime"]["median"] <= counted["downtime"]["worst"] < counted["healthy"]["worst"]
        first, second = map(Record.model_validate, report["records"])
        assert (first.trigger, first.outcome, first.id != second.id) == ("drill", "succeeded", True)
        assert rollback_ops(*aged).code == 0
        assert rollback_ops("check", *LOCAL, "--max-drill-age", "1ms").code == 1
        stats = rollback_ops("history", "stats", *LOCAL, "--json").document
        assert (stats["total"], stats["drills"]["total"]) == (0, 2)
        releases = rollback_ops("list", *LOCAL, "--json").document["hosts"][0]["releases"]
        assert {each["mark"] for each in releases} == {""}
        assert rollback_ops("hold", *LOCAL, "--json").document["holds"] == []


def test_a_failed_check_ends_the_drills_and_the_live_release_is_back(rollback_ops: RollbackOps, tmp_path: Path) -> None:
    with OwnService(tmp_path / "bot", {**THREE, "b2": "unhealthy"}) as service:
        rollback_ops.settings(at_once(service))
        failed = rollback_ops("drill", *LOCAL, "--times", "5", "--json")
        assert (failed.code, service.health()) == (3, ("ok", "b3")), failed.err
        (record,) = failed.document["records"]
        assert (record["outcome"], record["to"]["release"]) == ("restored", "b2")
        assert rollback_ops("check", *LOCAL, "--max-drill-age", "30d").code == 1
        assert [each["mark"] for each in rollback_ops("list", *LOCAL, "--json").document["hosts"][0]["releases"]] == [
            ""
        ] * 3


def test_a_signal_on_the_way_forward_ends_the_drills_with_its_code(rollback_ops: RollbackOps, tmp_path: Path) -> None:
    with OwnService(tmp_path / "bot", THREE) as service:
        rollback_ops.settings(service.toml(verify=QUICK))
        settings = load_settings(str(tmp_path / "rollback.toml"), {})
        options = CommandOptions(environment="prod", local=True)
        context = open_context(settings, {"USER": "alice", "HOME": str(tmp_path)}, options, Secrets())
        cancellation, listener = Cancellation(), Listener([])
        ways: list[str] = []

        def stop_on_the_second() -> None:
            ways.append(service.root.joinpath("current").resolve().name)
            if len(ways) == 2:
                cancellation.ask(signal.SIGTERM, 60.0)

        listener.hears = {"switch": stop_on_the_second}
        done = drill(context, 3, listener, cancellation)
        assert ([record.outcome for record in done.records], done.exit_code) == (["succeeded"], 143)
        assert service.health() == ("ok", "b3")


def test_who_lacks_the_permission_drills_nothing(tmp_path: Path) -> None:
    with github_api() as api, OwnService(tmp_path / "bot", THREE) as service:
        workflow = Workflow(service, RollbackOps(tmp_path), api, {"require_permission": "admin"})
        before = service.pid()
        assert workflow("drill", *LOCAL, GITHUB_ACTOR="bob").code == 1
        assert service.pid() == before
        assert workflow("drill", *LOCAL, GITHUB_ACTOR="alice").code == 0
        assert (service.pid() != before, api.repository.deployments) == (True, [])


@pytest.mark.parametrize("typed", [("--times", "0"), ("--times", "1001"), ("--times", "x")])
def test_a_number_that_cannot_be_meant_is_refused(rollback_ops: RollbackOps, typed: tuple[str, str]) -> None:
    assert rollback_ops("drill", *LOCAL, *typed).code == 64
