"""Somebody else takes a host over while a run verifies its target there: nothing of theirs is undone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.scene import FIRST, QUICK, SECOND, THIRD, WHY, Twins, journal, logins, marks, pid, quick, released
from tests.support.waiting import Deploy, Running, begin, is_open, lease

# The target of the first rollback is unhealthy, and all others are healthy.
FOUR = {"b1": "healthy", "b2": "healthy", "b3": "unhealthy", "b4": "healthy"}
AMPLE = {"verification": "5m", "total": "5m", "emergency_total": "1m"}
ILL = {FIRST: "healthy", SECOND: "unhealthy", THIRD: "healthy"}


def window(on_failure: str) -> dict[str, Any]:
    """A verification that would go on for longer than any of these tests takes."""
    return {"min_healthy_time": "0s", "healthy_deadline": "4m", "on_failure": on_failure}


def begin_and_verify(rollback_ops: RollbackOps, *services: Deployed, target: str) -> Running:
    """A rollback that has nothing left to do but to verify."""
    running = begin(rollback_ops)
    for service in services:
        wait_until(lambda it=service: released(it) == target and not is_open(it), 60, "the switch")  # type: ignore[misc]
    return running


def deploy_by_hand(service: Deployed, release: str) -> None:
    """As a deployment script does it: without a lease."""
    service.host.run(f"ln -sfn {service.releases_directory}/{release} {service.root}/current")
    service.host.run(f"systemctl restart {service.name}")


# b4 is where the first rollback began, b2 where "older" would go.
AGAINST = [
    ("restore", "b1"),
    pytest.param("restore", "b4", marks=pytest.mark.long),
    pytest.param("older", "b2", marks=pytest.mark.long),
    pytest.param("report", "b1", marks=pytest.mark.long),
]


@pytest.mark.parametrize(("on_failure", "to"), AGAINST)
def test_6_an_emergency_during_the_verification_stays(
    rollback_ops: RollbackOps, deploy: Deploy, on_failure: str, to: str
) -> None:
    service = deploy(releases=FOUR)
    rollback_ops.settings(quick(service, pattern="b*", verify=window(on_failure), limits=AMPLE))

    first = begin_and_verify(rollback_ops, service, target="b3")
    emergency = rollback_ops("rollback", "prod", "--to", to, "--emergency", *WHY, "--json")
    process = pid(service)
    ended = first.end(within=60)

    assert emergency.code == 0, emergency.err
    assert (ended.code, ended.document["outcome"]) == (6, "superseded"), ended.err
    (host,) = ended.document["hosts"]
    by = host["superseded_by"]
    assert by == ended.document["superseded_by"]
    # The first run may look while the emergency still works there: then b3 is live, and the lease says whose run it is.
    assert (host["outcome"], by["run"]) == ("superseded", emergency.document["id"])
    assert host["to"]["release"] == by["release"] in {"b3", to}
    assert by["actor"] == emergency.document["actor"]
    assert service.live() == released(service) == to
    assert pid(service) == process, "it was not restarted either"
    left = rollback_ops("list", "prod", "--json").document["hosts"][0]["releases"]
    (by_run,) = [release["left_by"] for release in left if release["name"] == "b3"]
    assert by_run == (emergency.document["id"] if to < "b3" else ""), "the run that was superseded noted nothing"
    assert marks(rollback_ops)["b3"] == ""
    records = {line["id"]: line for line in journal(service) if "schema_version" in line}
    assert records[ended.document["id"]] == ended.document


@pytest.mark.parametrize(
    ("on_failure", "to"),
    [("restore", "b1"), *(pytest.param(*each, marks=pytest.mark.long) for each in (("older", "b4"), ("report", "b2")))],
)
def test_6_a_deployment_during_the_verification_stays(
    rollback_ops: RollbackOps, deploy: Deploy, on_failure: str, to: str
) -> None:
    service = deploy(releases=FOUR)
    rollback_ops.settings(quick(service, pattern="b*", verify=window(on_failure), limits=AMPLE))

    first = begin_and_verify(rollback_ops, service, target="b3")
    deploy_by_hand(service, to)
    process = pid(service)
    ended = first.end(within=60)

    assert (ended.code, ended.document["outcome"]) == (6, "superseded"), ended.err
    by = ended.document["superseded_by"]
    assert (by["release"], by["run"]) == (to, None)
    assert service.live() == released(service) == to
    assert pid(service) == process
    assert marks(rollback_ops) == dict.fromkeys(FOUR, ""), "what was verified was something else"
    assert lease(service) == ""


def test_5_of_two_hosts_only_the_one_that_nobody_took_goes_back(rollback_ops: RollbackOps, twins: Twins) -> None:
    one, two = twins({"releases": FOUR}, {"releases": FOUR})
    over = {"kind": "command", "run": "! test -e over", "fail_fast": True}
    settings = {"verify": window("restore"), "limits": AMPLE, "checks": {"health": one.health_check, "over": over}}
    rollback_ops.settings(quick(one, hosts=logins(one, two), pattern="b*", **settings))

    first = begin_and_verify(rollback_ops, one, two, target="b3")
    taken = rollback_ops("rollback", "prod", "--to", "b1", "--emergency", "--host", logins(two)[0], *WHY)
    one.host.write(f"{one.releases_directory}/b3/over", "")
    ended = first.end(within=60)

    assert taken.code == 0, taken.err
    assert (ended.code, [h["outcome"] for h in ended.document["hosts"]]) == (5, ["restored", "superseded"]), ended.err
    assert (released(one), released(two)) == ("b4", "b1")


def test_6_guard_leaves_alone_what_was_deployed_while_it_watched(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "unhealthy", "b3": "healthy"}, live="b2")
    rollback_ops.settings(quick(service, pattern="b*", verify=window("report"), limits=AMPLE))
    guard = Running(rollback_ops.start("guard", "prod", "--json"))
    assert guard.process.stderr is not None
    assert any(line.startswith("▸ watch") for line in guard.process.stderr)
    deploy_by_hand(service, "b3")
    ended = guard.end(within=60)
    assert (ended.code, ended.document["outcome"]) == (6, "superseded"), ended.err
    assert service.live() == released(service) == "b3"
    assert marks(rollback_ops) == {"b1": "", "b2": "", "b3": ""}


@pytest.mark.parametrize(
    "slow",
    [
        {"verify": {"min_healthy_time": "0s", "healthy_deadline": "50s", "interval": "45s"}},
        {"checks": {"slow": {"kind": "command", "run": "sleep 45", "timeout": "48s"}}, "verify": QUICK},
    ],
)
def test_a_lease_lasts_however_seldom_or_slowly_checks_are_asked(
    rollback_ops: RollbackOps, deploy: Deploy, slow: dict[str, Any]
) -> None:
    service = deploy(releases=ILL)
    verify = {**slow["verify"], "healthy_deadline": "50s"}
    limits = {"total": "60s", "verification": "60s"}
    rollback_ops.settings(service.toml(**{**slow, "verify": verify, "limits": limits}))
    running = begin_and_verify(rollback_ops, service, target=SECOND)

    renewed: set[str] = set()

    def is_renewed_twice() -> bool:
        renewed.add(lease(service).split("\t")[2])
        # The first value is of the switch.
        return len(renewed) > 2

    wait_until(is_renewed_twice, 60, "the lease being renewed")
    running.kill()
