"""Each exit code as it comes about on a real host (5 takes two hosts: test_several_hosts.py), and what is live then."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.plan import revision
from tests.support.scene import PATIENT, SECOND, THIRD, WHY, at_once, listing, marks, pid, quick, released, transaction

Deploy = Callable[..., Deployed]


def test_1_a_first_deployment_has_nothing_to_go_back_to(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "unhealthy"})
    rollback_ops.settings(quick(service, pattern="b*"))
    files, process = listing(service), pid(service)

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, ended.document["outcome"], ended.document["exit_code"]) == (1, "refused", 1)
    assert [rejected["release"] for rejected in ended.document["rejected"]] == ["b1"]
    assert (listing(service), pid(service)) == (files, process)


def test_2_a_target_that_starts_slower_than_its_limit_is_live_and_not_marked(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    # systemd waits for what the unit runs before, as it does for a slow service of Type=notify.
    service = deploy(
        releases={"b1": "healthy", "b2": "healthy"}, options=["ExecStartPre=/bin/sh -c '! test -e wait || sleep 60'"]
    )
    service.host.run(f"touch {service.releases_directory}/b1/wait")
    rollback_ops.settings(quick(service, pattern="b*", limits={"start": "2s"}))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, ended.document["outcome"]) == (2, "health_unknown"), ended.err
    assert "still starting after 2 s" in ended.document["hosts"][0]["detail"]
    assert (service.live(), marks(rollback_ops)["b1"]) == ("b1", "")


def test_2_a_target_that_is_unhealthy_too_is_live_and_marked_bad(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "unhealthy", "b3": "healthy"})
    rollback_ops.settings(at_once(service, pattern="b*"))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, ended.document["outcome"]) == (2, "verification_failed")
    checks = {check["name"]: check for check in ended.document["hosts"][0]["checks"]}
    assert checks["health"]["outcome"] == "failed"
    assert "503" in checks["health"]["detail"]
    assert service.health() == {"status": "unhealthy", "release": "b2", "config": {"environment": "prod"}}
    # The next rollback does not stay with it.
    again = rollback_ops("rollback", "prod", *WHY, "--json")
    assert (again.code, again.document["to"]["release"]) == (0, "b1")
    assert again.document["from"]["release"] == "b2"


def test_2_a_release_that_answers_with_another_name_is_not_the_one_that_was_restored(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases={"b1": "wrong_release_name", "b2": "healthy"})
    # It listens before the third answer.
    health = {**service.health_check, "interval": "4s", "fail_fast": True}
    rollback_ops.settings(service.toml(pattern="b*", verify=PATIENT, checks={"health": health}))
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert ended.code == 2
    health = next(check for check in ended.document["hosts"][0]["checks"] if check["name"] == "health")
    assert [word in health["detail"] for word in ('"somebody-else"', '"b1"')] == [True, True]


def test_3_a_service_that_cannot_be_stopped_goes_on_with_what_it_ran(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(options=["Restart=always", "RestartSec=10ms"])
    # It can be neither stopped by hand nor killed for good: systemd starts it again.
    service.host.write(f"/etc/systemd/system/{service.name}.service.d/no.conf", "[Unit]\nRefuseManualStop=yes\n")
    service.host.run("systemctl daemon-reload")
    rollback_ops.settings(quick(service))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, ended.document["outcome"]) == (3, "restored"), ended.err
    (host,) = ended.document["hosts"]
    assert transaction(ended.document) == [("stop", "failed")]
    assert host["from"] == host["to"]
    assert (host["to"]["release"], host["to"]["revision"]) == (THIRD, revision(3))
    assert service.live() == THIRD
    wait_until(lambda: released(service) == THIRD, 60, "the old release answering")
    leftovers = service.host.run(f"find {service.root} -name '*.rollback-*'").stdout
    assert leftovers == ""
    marks = {r["name"]: r["mark"] for r in rollback_ops("list", "prod", "--json").document["hosts"][0]["releases"]}
    assert set(marks.values()) == {""}


def test_4_a_target_that_does_not_start_is_shown_with_its_last_log_lines(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "crash_at_once", "b3": "healthy"}, options=["Type=notify"])
    rollback_ops.settings(quick(service, pattern="b*"))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert (ended.code, ended.document["outcome"]) == (4, "failed")
    (host,) = ended.document["hosts"]
    assert transaction(ended.document)[-1] == ("start", "failed")
    assert "b2" in host["detail"]
    assert "ERROR crashing, as this release does" in ended.err
    assert host["to"]["release"] == service.live() == "b2"
    assert not service.is_running()
    again = rollback_ops("rollback", "prod", *WHY, "--json")
    assert (again.code, released(service)) == (0, "b1")


@pytest.mark.parametrize("behaviour", ["crash_at_once", "crash_after_2s"])
def test_4_a_target_that_systemd_took_for_started_and_that_crashed_needs_a_person(
    rollback_ops: RollbackOps, deploy: Deploy, behaviour: str
) -> None:
    service = deploy(releases={"b1": behaviour, "b2": "healthy"})
    verify = {"min_healthy_time": "50s", "healthy_deadline": "60s"}
    rollback_ops.settings(quick(service, pattern="b*", verify=verify))
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert (ended.code, ended.document["outcome"]) == (4, "failed")
    assert ended.document["duration_seconds"] < 40, "a crash is certain: nobody waits for the deadline"
    assert service.live() == "b1"
    assert not service.is_running()


@pytest.mark.parametrize("pause", ["100ms", "60s"])
def test_4_a_target_that_crashes_and_is_started_again_does_not_count_as_one_that_runs(
    rollback_ops: RollbackOps, deploy: Deploy, pause: str
) -> None:
    service = deploy(
        releases={"b1": "crash_after_2s", "b2": "healthy"}, options=["Restart=always", f"RestartSec={pause}"]
    )
    verify = {"min_healthy_time": "8s", "healthy_deadline": "10s"}
    rollback_ops.settings(quick(service, pattern="b*", verify=verify))
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert (ended.code, ended.document["outcome"]) == (4, "failed")
    assert (service.live(), marks(rollback_ops)["b1"]) == ("b1", "bad")


def test_4_a_target_without_its_program_does_not_start_and_people_are_told(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(options=["ExecStartPre=/usr/bin/test -e entry"], files={f"backups/prod/{THIRD}/entry": ""})
    rollback_ops.settings(quick(service))
    ended = rollback_ops("rollback", "prod", *WHY)
    assert ended.code == 4
    assert ended.out.startswith("✗ failed")
    assert SECOND in ended.out
    assert "control process exited" in ended.err.lower()
    assert not service.is_running()
