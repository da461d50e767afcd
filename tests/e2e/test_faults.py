"""Failures in the middle of a rollback: the connection, the runner, the program on the host, the power."""

from __future__ import annotations

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.scene import FIRST, QUICK, SECOND, THIRD, WHY, quick, released
from tests.support.waiting import (
    MOMENTS,
    STEPS,
    Deploy,
    begin_and_reach,
    go_on,
    history,
    is_open,
    kill,
    kill_for_good,
    lease,
    lingering,
    seen,
    wait_for_end,
    wait_for_lease,
    worker,
)

# root's transactions run as a unit of systemd, deploy's under a shell in a session of its own.
OWNERS = ("root", "deploy")


def test_a_host_that_is_cut_off_in_the_middle_goes_on_to_the_target_and_the_command_says_that_it_does_not_know(
    fresh_host: LabHost, rollback_ops: RollbackOps
) -> None:
    service = fresh_host.deploy(owner="deploy", options=lingering("stop"))
    rollback_ops.settings(
        service.toml(verify={**QUICK, "healthy_deadline": "10s"}, limits={"total": "20s", "connect": "10s"})
    )

    running = begin_and_reach(rollback_ops, service, "stop")
    fresh_host.cut_network()
    go_on(service)
    wait_for_end(service)
    assert service.live() == released(service) == SECOND

    ended = running.end(within=60)
    assert ended.code == 4, ended.err
    assert ended.document["outcome"] == "failed"
    (told,) = ended.document["hosts"]
    assert told["outcome"] == "unknown"
    fresh_host.restore_network()
    wait_until(lambda: rollback_ops("history", "list").code == 0, 60, "the host being reached again", interval=0.1)
    (record,) = history(rollback_ops)
    assert (record["id"], record["outcome"]) == (ended.document["id"], "cancelled")
    assert "switched" in record["warnings"][0]


def test_a_line_that_comes_back_in_time_is_no_more_than_a_delay(fresh_host: LabHost, rollback_ops: RollbackOps) -> None:
    service = fresh_host.deploy(options=lingering("stop"))
    rollback_ops.settings(quick(service))

    running = begin_and_reach(rollback_ops, service, "stop")
    fresh_host.cut_network()
    go_on(service)
    wait_for_end(service)
    fresh_host.restore_network()

    ended = running.end(within=60)
    assert ended.code == 0, ended.err
    assert [step["name"] for step in ended.document["hosts"][0]["steps"]] == ["find", *STEPS]
    assert service.live() == released(service) == SECOND


@pytest.mark.parametrize("owner", OWNERS)
def test_a_session_that_is_ended_in_the_middle_is_followed_in_a_new_one(
    rollback_ops: RollbackOps, deploy: Deploy, owner: str
) -> None:
    service = deploy(owner=owner, options=lingering("stop"))
    rollback_ops.settings(quick(service))

    running = begin_and_reach(rollback_ops, service, "stop")
    kill(service.host, f"^sshd: {owner}")
    go_on(service)

    ended = running.end(within=60)
    assert ended.code == 0, ended.err
    assert [step["name"] for step in ended.document["hosts"][0]["steps"]] == ["find", *STEPS]
    assert service.live() == released(service) == SECOND


def test_an_sshd_that_is_down_for_a_while_is_asked_until_it_is_back(
    fresh_host: LabHost, rollback_ops: RollbackOps
) -> None:
    service = fresh_host.deploy(options=lingering("stop"))
    rollback_ops.settings(quick(service))

    running = begin_and_reach(rollback_ops, service, "stop")
    fresh_host.run("systemctl stop ssh")
    kill(fresh_host, "^sshd: root")
    go_on(service)
    wait_for_end(service)
    fresh_host.run("systemctl start ssh")

    ended = running.end(within=60)
    assert ended.code == 0, ended.err
    assert service.live() == released(service) == SECOND


def test_what_a_lost_runner_began_is_finished_told_truly_and_not_in_the_way(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(owner="deploy", options=lingering("stop-post"))
    rollback_ops.settings(quick(service))

    begin_and_reach(rollback_ops, service, "stop-post").kill()
    go_on(service)
    wait_for_end(service)
    assert service.live() == released(service) == SECOND

    (interrupted,) = history(rollback_ops)
    assert (interrupted["outcome"], interrupted["reason"]) == ("cancelled", WHY[1])
    assert (interrupted["from"]["release"], interrupted["to"]["release"]) == (THIRD, SECOND)
    assert "switched" in interrupted["warnings"][0]
    wait_for_lease(rollback_ops)
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert ended.code == 0, ended.err
    assert service.live() == released(service) == FIRST


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("owner", OWNERS)
def test_a_program_that_is_killed_on_the_host_is_finished_there(
    rollback_ops: RollbackOps, deploy: Deploy, owner: str, moment: str
) -> None:
    service = deploy(owner=owner, options=lingering(moment))
    rollback_ops.settings(quick(service))

    running = begin_and_reach(rollback_ops, service, moment)
    kill(service.host, worker(service))
    go_on(service)

    ended = running.end(within=60)
    assert ended.code == 0, ended.err
    assert service.live() == released(service) == SECOND
    assert service.is_running()
    assert not is_open(service)
    assert lease(service) == ""


@pytest.mark.parametrize(
    ("owner", "moment"), [("deploy", "stop-post"), pytest.param("root", "start-pre", marks=pytest.mark.long)]
)
def test_what_nobody_finishes_on_the_host_is_unknown_and_the_next_rollback_goes_to_the_same_release(
    rollback_ops: RollbackOps, deploy: Deploy, owner: str, moment: str
) -> None:
    service = deploy(owner=owner, options=lingering(moment))
    rollback_ops.settings(quick(service))

    running = begin_and_reach(rollback_ops, service, moment)
    kill_for_good(service)
    go_on(service)
    lost = running.end(within=60)
    assert lost.code == 4, lost.err
    assert lost.document["hosts"][0]["outcome"] == "unknown"

    source = f"{service.releases_directory}/{THIRD}"
    unfinished = {"run": lost.document["id"], "source": source, "target": SECOND, "left": THIRD}
    assert seen(rollback_ops)["unfinished"] == unfinished
    wait_for_lease(rollback_ops)
    assert SECOND in rollback_ops("check", "prod", "--json").document["warnings"][0]
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert ended.code == 0, ended.err
    assert SECOND in ended.document["warnings"][0]
    assert service.live() == released(service) == SECOND
    assert (ended.document["from"]["release"], ended.document["to"]["release"]) == (THIRD, SECOND)
    after = seen(rollback_ops)
    assert after["unfinished"] is None
    assert {r["name"]: r["mark"] for r in after["releases"]} == {FIRST: "", SECOND: "good", THIRD: ""}


def test_what_a_power_failure_interrupted_is_reported_and_taken_up(
    fresh_host: LabHost, rollback_ops: RollbackOps
) -> None:
    service = fresh_host.deploy(options=lingering("start-pre"))
    rollback_ops.settings(
        service.toml(verify={**QUICK, "healthy_deadline": "10s"}, limits={"total": "20s", "connect": "10s"})
    )

    running = begin_and_reach(rollback_ops, service, "start-pre")
    fresh_host.power_off()
    fresh_host.power_on()

    ended = running.end(within=60)
    assert ended.code == 4, ended.err
    assert ended.document["hosts"][0]["outcome"] == "unknown"
    found = seen(rollback_ops)
    assert found["lease"] is None
    assert (found["unfinished"]["run"], found["unfinished"]["target"]) == (ended.document["id"], SECOND)
    assert SECOND in rollback_ops("check", "prod", "--json").document["warnings"][0]
    again = rollback_ops("rollback", "prod", *WHY, "--json")
    assert again.code == 0, again.err
    assert service.live() == released(service) == SECOND
    assert [record["outcome"] for record in history(rollback_ops)] == ["succeeded", "cancelled"]
