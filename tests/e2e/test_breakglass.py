"""Break-glass on real hosts: the installed program, run by people there when everything else is down."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.lab.plan import revision
from tests.support.scene import FOUR, WHY, checks, evident, journal, listing, marks, pid, quick, released
from tests.support.waiting import go_on, history, is_open, kill, lingering, wait_for_end, worker

Deploy = Callable[..., Deployed]


def program(service: Deployed) -> str:
    return f"{service.root}/.rollback/rollback"


def install(rollback_ops: RollbackOps, service: Deployed, **settings: Any) -> None:
    rollback_ops.settings(quick(service, pattern="b*", **settings))
    ended = rollback_ops("install", "prod", "--json")
    assert ended.code == 0, ended.err
    assert ended.document["path"] == program(service)


def break_glass(service: Deployed, *options: str, user: str = "root") -> tuple[int, str]:
    """Run it on the host, past SSH; its exit code and all that it said."""
    done = service.host.run(f"{program(service)} {' '.join(options)} </dev/null 2>&1", user=user, check=False)
    return done.returncode, done.stdout


REASON = "--reason 'SSH is down'"


@pytest.mark.parametrize(
    ("owner", "user"),
    [
        pytest.param("root", "root", marks=pytest.mark.long),
        pytest.param("deploy", "deploy", marks=pytest.mark.long),
        ("deploy", "root"),
    ],
)
def test_a_person_on_the_server_rolls_back_and_the_command_knows_of_it(
    rollback_ops: RollbackOps, deploy: Deploy, owner: str, user: str
) -> None:
    service = deploy(owner=owner, releases=FOUR)
    install(rollback_ops, service)

    code, said = break_glass(service, REASON, user=user)

    assert code == 0, said
    assert (service.live(), released(service)) == ("b3", "b3")
    assert marks(rollback_ops) == {"b1": "", "b2": "", "b3": "good", "b4": ""}
    (record,) = history(rollback_ops)
    assert (record["outcome"], record["from"]["release"], record["to"]["release"]) == ("succeeded", "b4", "b3")
    assert (record["reason"], record["to"]["revision"]) == ("SSH is down", revision(3))
    assert record["actor"] == f"{user}@{service.host.name}"
    told = checks(record)
    assert told["process"] == ("passed", "it runs")
    assert told["health"] == ("passed", "status 200")
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert (ended.code, ended.document["to"]["release"]) == (0, "b2")


def test_who_used_sudo_is_who_did_it(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(owner="root", releases=FOUR)
    install(rollback_ops, service)
    done = service.host.run(f"sudo {program(service)} --emergency --reason 'all is on fire'", user="admin")
    assert "✓ rolled back: b4 → b3" in done.stdout
    (record,) = history(rollback_ops)
    assert (record["actor"], record["reason"]) == (f"admin@{service.host.name}", "all is on fire")
    assert record["mode"] == "emergency"


def test_it_is_installed_once_and_check_says_when_it_is_not_what_it_should_be(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(owner="deploy", releases=FOUR)
    marker = {"requires": ["service.py"]}
    rollback_ops.settings(quick(service, pattern="b*"))
    (warning,) = rollback_ops("check", "prod", "--json").document["warnings"]
    assert ".requires" in warning
    rollback_ops.settings(quick(service, pattern="b*", **marker))
    assert rollback_ops("check", "prod", "--json").document["warnings"] == []
    outcomes = [rollback_ops("install", "prod", "--json").document["hosts"][0]["outcome"] for _ in range(2)]
    assert outcomes == ["installed", "unchanged"]
    assert service.host.run(f"stat -c '%U %a' {program(service)}").stdout == "deploy 700\n"
    assert rollback_ops("check", "prod", "--json").document["warnings"] == []

    rollback_ops.settings(quick(service, pattern="b?", **marker))
    (warning,) = rollback_ops("check", "prod", "--json").document["warnings"]
    assert "has other settings than rollback.toml has now: run `rollback-ops install prod`" in warning
    service.host.run(
        f"sed -i '2s/.*/# rollback-ops 0.0.1, program 000000000000, settings 000000000000/' {program(service)}"
    )
    (warning,) = rollback_ops("check", "prod", "--json").document["warnings"]
    assert "is of version 0.0.1, and this is " in warning
    assert rollback_ops("install", "prod", "--json").document["hosts"][0]["outcome"] == "replaced"
    assert rollback_ops("check", "prod", "--json").document["warnings"] == []


def test_nothing_secret_is_on_the_host(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases=FOUR)
    rollback_ops.settings(quick(service, pattern="b*"))
    secret = "https://hooks.example.org/services/T0/B0/verysecret"
    assert rollback_ops("install", "prod", ROLLBACK_WEBHOOK_URL=secret, GITHUB_TOKEN="ghp_verysecret").code == 0
    text = service.host.read(program(service))
    assert "verysecret" not in text
    assert not re.search(r"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----", text)
    assert "python" not in text


def test_it_needs_no_network_and_nobody_else(fresh_host: LabHost, rollback_ops: RollbackOps) -> None:
    service = fresh_host.deploy(releases=FOUR)
    install(rollback_ops, service)
    fresh_host.cut_network()
    code, said = break_glass(service, REASON)
    assert code == 0, said
    assert released(service) == "b3"
    service.remove()


@pytest.mark.parametrize("option", ["--list", "--check", "--dry-run"])
def test_looking_changes_nothing(rollback_ops: RollbackOps, deploy: Deploy, option: str) -> None:
    service = deploy(owner="deploy", releases=FOUR)
    install(rollback_ops, service)
    before, process = listing(service), pid(service)
    code, said = break_glass(service, option, user="deploy")
    assert code == 0, said
    assert "b3" in said
    assert (listing(service), pid(service)) == (before, process)


@pytest.mark.parametrize(
    ("behaviour", "options", "code"),
    [
        ("unhealthy", [], 2),
        ("crash_at_once", [], 4),
        pytest.param("crash_after_2s", ["Restart=always", "RestartSec=10ms"], 4, marks=pytest.mark.long),
    ],
)
def test_a_target_that_is_not_well_is_told_by_its_exit_code(
    rollback_ops: RollbackOps, deploy: Deploy, behaviour: str, options: list[str], code: int
) -> None:
    service = deploy(releases={**FOUR, "b3": behaviour}, options=options)
    policy = {"min_healthy_time": "30s", "healthy_deadline": "60s"}
    install(rollback_ops, service, **{**evident(service), "verify": policy})
    found, said = break_glass(service, REASON)
    assert (found, service.live()) == (code, "b3"), said
    assert marks(rollback_ops)["b3"] == "bad"
    assert history(rollback_ops)[0]["exit_code"] == code


def test_a_service_that_hangs_ends_an_emergency_within_its_limits(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={**FOUR, "b4": "ignores_sigterm"})
    install(rollback_ops, service, limits={"emergency_total": "12s"})
    code, said = break_glass(service, "--emergency")
    assert code == 0, said
    (stop,) = (step for step in history(rollback_ops)[0]["hosts"][0]["steps"] if step["name"] == "stop")
    assert (stop["outcome"], stop["seconds"] < 30) == ("warning", True)
    assert released(service) == "b3"


@pytest.mark.parametrize("owner", ["root", "deploy"])
def test_a_person_who_is_cut_off_leaves_a_host_that_finishes(
    rollback_ops: RollbackOps, deploy: Deploy, owner: str
) -> None:
    service = deploy(owner=owner, releases=FOUR, options=lingering("stop-post"))
    install(rollback_ops, service)
    begin_and_wait(service, owner)
    kill(service.host, f"^/bin/sh {program(service)} --reason")
    go_on(service)
    wait_for_end(service)
    assert (service.live(), released(service)) == ("b3", "b3")
    assert [line.get("event") for line in journal(service)][:2] == ["intent", "step"]


@pytest.mark.parametrize("owner", ["root", "deploy"])
def test_a_worker_that_is_killed_is_followed_by_one_that_finishes(
    rollback_ops: RollbackOps, deploy: Deploy, owner: str
) -> None:
    service = deploy(owner=owner, releases=FOUR, options=lingering("stop-post"))
    install(rollback_ops, service)
    begin_and_wait(service, owner)
    kill(service.host, worker(service))
    go_on(service)
    wait_for_end(service)
    wait_until(lambda: journal(service)[-1].get("event") == "verdict", 60, "the verdict")
    assert (service.live(), released(service)) == ("b3", "b3")
    assert history(rollback_ops)[0]["exit_code"] == 0


def begin_and_wait(service: Deployed, user: str) -> None:
    """A person begins, and the host is just about to have stopped the service."""
    service.host.run(f"setsid {program(service)} {REASON} >/dev/null 2>&1 </dev/null &", user=user)
    wait_until(lambda: is_open(service), 60, "the transaction")
