"""Managers on real hosts, and services that do not do as they are told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.scene import SECOND, THIRD, WHY, pid, quick, released, stop_of, transaction

Deploy = Callable[..., Deployed]


@pytest.mark.parametrize(
    ("manager", "owner", "login"),
    [
        ("systemd", "deploy", "deploy"),
        ("systemd-user", "deploy", "deploy"),
        pytest.param("systemd-user", "plain", "plain", marks=pytest.mark.long),
        pytest.param("supervisor", "root", "root", marks=pytest.mark.long),
        ("supervisor", "deploy", "deploy"),
    ],
)
def test_every_manager_rolls_back_all_units_of_a_service(
    rollback_ops: RollbackOps, deploy: Deploy, manager: str, owner: str, login: str
) -> None:
    service = deploy(manager=manager, owner=owner, units=2)
    rollback_ops.settings(quick(service, hosts=[f"{login}@{service.host.address}"]))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert ended.code == 0, ended.err
    assert transaction(ended.document) == [("stop", "ok"), ("switch", "ok"), ("links", "ok"), ("start", "ok")]
    assert service.is_running()
    assert [(service.health(unit) or {}).get("release") for unit in (0, 1)] == [SECOND, SECOND]
    units = rollback_ops("list", "prod", "--json").document["hosts"][0]["units"]
    assert [(unit["state"], unit["pid"] > 1) for unit in units] == [("running", True)] * 2


@pytest.mark.parametrize("manager", ["systemd", "systemd-user", pytest.param("supervisor", marks=pytest.mark.long)])
def test_with_every_manager_a_target_that_does_not_start_needs_a_person(
    rollback_ops: RollbackOps, deploy: Deploy, manager: str
) -> None:
    options = ["startretries=0"] if manager == "supervisor" else ["Type=notify"]
    releases = {"b1": "crash_at_once", "b2": "healthy"}
    service = deploy(manager=manager, owner="deploy", releases=releases, options=options)
    rollback_ops.settings(quick(service, pattern="b*"))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, ended.document["outcome"]) == (4, "failed"), ended.err
    assert transaction(ended.document)[-1] == ("start", "failed")
    # What a process says in its last moment may reach a user's journal without the name of its unit.
    last_words = ("Main process exited",) if manager == "systemd-user" else ()
    assert any(words in ended.err for words in ("ERROR crashing, as this release does", *last_words)), ended.err
    assert not service.is_running()


@pytest.mark.parametrize("manager", ["systemd", "systemd-user", pytest.param("supervisor", marks=pytest.mark.long)])
def test_with_every_manager_a_service_that_ignores_the_stop_is_killed_within_the_limit(
    rollback_ops: RollbackOps, deploy: Deploy, manager: str
) -> None:
    options = ["stopwaitsecs=25"] if manager == "supervisor" else []
    releases = {"b1": "healthy", "b2": "ignores_sigterm"}
    service = deploy(manager=manager, owner="deploy", releases=releases, options=options)
    rollback_ops.settings(quick(service, pattern="b*", limits={"stop": "1s"}))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, ended.document["outcome"]) == (0, "succeeded"), ended.err
    stop = stop_of(ended.document)
    assert stop["outcome"] == "warning"
    assert 1 <= stop["seconds"] < 15
    assert service.is_running()
    assert released(service) == "b1"
    # supervisor forgets a kill that comes while it starts a program, as it would when this service is removed.
    service.stop()


def test_a_service_that_crashed_until_systemd_gave_up_is_started_again_with_the_good_release(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    options = ["Restart=always", "RestartSec=1ms", "StartLimitInterval=10min"]
    service = deploy(releases={"b1": "healthy", "b2": "crash_at_once"}, options=options)
    wait_until(lambda: service.host.run(f"systemctl is-failed {service.name}", check=False).returncode == 0, 60, "it")
    service.host.run(f"systemctl start {service.name}", check=False)
    refused = service.host.run(f"journalctl -u {service.name} -n 3 -o cat").stdout
    assert "Start request repeated too quickly" in refused
    rollback_ops.settings(quick(service, pattern="b*"))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert ended.code == 0, ended.err
    assert service.is_running()
    assert released(service) == "b1"


def test_a_service_that_is_just_crashing_is_caught_between_two_starts(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(
        releases={"b1": "healthy", "b2": "crash_at_once"},
        options=["Restart=always", "RestartSec=300ms", "StartLimitBurst=1000"],
    )
    rollback_ops.settings(quick(service, pattern="b*"))
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    assert released(service) == "b1"


@pytest.mark.parametrize("manager", ["systemd", "systemd-user", pytest.param("supervisor", marks=pytest.mark.long)])
def test_a_service_that_was_stopped_is_started(rollback_ops: RollbackOps, deploy: Deploy, manager: str) -> None:
    service = deploy(manager=manager, owner="deploy")
    service.stop()
    assert not service.is_running()
    rollback_ops.settings(quick(service))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert ended.code == 0, ended.err
    assert service.is_running()
    assert released(service) == SECOND


def test_one_unit_that_died_is_started_with_the_others(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(units=3)
    service.host.run(f"systemctl stop {service.units[1]}")
    rollback_ops.settings(quick(service))
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    assert [(service.health(unit) or {}).get("release") for unit in range(3)] == [SECOND] * 3


def test_one_unit_that_does_not_start_fails_the_start_of_all(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(units=2)
    # The second unit wants a file that only the newest release has.
    service.host.run(f"touch {service.releases_directory}/{THIRD}/worker")
    drop_in = f"/etc/systemd/system/{service.units[1]}.service.d/needs.conf"
    service.host.write(drop_in, "[Service]\nExecStartPre=/usr/bin/test -e worker\n")
    service.host.run("systemctl daemon-reload")
    rollback_ops.settings(quick(service))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, transaction(ended.document)[-1]) == (4, ("start", "failed"))
    assert not service.is_running()


def test_the_process_is_another_one_and_only_one(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))
    before = pid(service)
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    found = service.host.run(f"pgrep -f '[s]ervice.py {service.port}'").stdout.split()
    assert found == [str(pid(service))]
    assert found != [str(before)]
