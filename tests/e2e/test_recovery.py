"""``verify.on_failure`` on real hosts: the target of a rollback is unhealthy, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command import Ended, RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.scene import WHY, Twins, at_once, journal, logins, marks, pid, quick, released

Deploy = Callable[..., Deployed]

# The newest is live; the one before it is unhealthy.
SICK = {"b1": "healthy", "b2": "unhealthy", "b3": "healthy"}
# Type=notify: what does not come up is known at once.
NOTIFY = {"options": ["Type=notify"]}


def policy(on_failure: str, **words: Any) -> dict[str, Any]:
    """Its answer, or that it ended, shows that a release is unhealthy; the deadline is for machines that are busy."""
    return {"min_healthy_time": "0s", "healthy_deadline": "60s", "on_failure": on_failure, **words}


def roll_back(rollback_ops: RollbackOps) -> Ended:
    return rollback_ops("rollback", "prod", *WHY, "--json")


def config(service: Deployed, release: str) -> str:
    """The configuration of the release: the target of the link, and its contents."""
    path = f"{service.releases_directory}/{release}/config.json"
    return service.host.run(f"readlink {path}; cat {path}", check=False).stdout


@pytest.mark.parametrize(
    ("on_failure", "code", "outcome", "live", "remembered"),
    [
        ("report", 2, "verification_failed", "b2", {"b1": "", "b2": "bad", "b3": ""}),
        ("restore", 3, "restored", "b3", {"b1": "", "b2": "bad", "b3": ""}),
        ("older", 0, "succeeded", "b1", {"b1": "good", "b2": "bad", "b3": ""}),
    ],
)
def test_the_policy_decides_what_is_live_when_the_target_is_not_well(
    rollback_ops: RollbackOps,
    deploy: Deploy,
    on_failure: str,
    code: int,
    outcome: str,
    live: str,
    remembered: dict[str, str],
) -> None:
    service = deploy(releases=SICK)
    rollback_ops.settings(at_once(service, pattern="b*", verify=policy(on_failure)))

    ended = roll_back(rollback_ops)

    assert (ended.code, ended.document["outcome"]) == (code, outcome), ended.err
    assert service.live() == released(service) == ended.document["hosts"][0]["to"]["release"] == live
    assert journal(service)[-1] == ended.document
    assert marks(rollback_ops) == remembered
    # Nobody holds it any more.
    assert rollback_ops("check", "prod", "--backup", "b1" if live != "b1" else "b3").code == 0


def test_restore_puts_every_unit_and_the_configuration_back(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(units=3, releases={"b1": "unhealthy", "b2": "healthy"})
    # The older release came without its link, and has another configuration.
    stale = f"{service.releases_directory}/b1/config.json"
    service.host.run(f"""rm {stale}; echo '{{"environment": "stale"}}' >{stale}""")
    rollback_ops.settings(at_once(service, pattern="b*", verify=policy("restore")))
    before, processes = config(service, "b2"), pid(service)

    ended = roll_back(rollback_ops)

    assert (ended.code, ended.document["outcome"]) == (3, "restored"), ended.err
    assert (service.live(), config(service, "b2")) == ("b2", before)
    well = {"status": "ok", "release": "b2", "config": {"environment": "prod"}}
    assert [service.health(unit) for unit in range(3)] == [well] * 3
    assert service.is_running()
    assert pid(service) != processes
    assert [step["name"] for step in ended.document["hosts"][0]["steps"]].count("start") == 2
    assert "b2" in ended.document["hosts"][0]["detail"]


def test_restore_leaves_a_configuration_of_the_release_s_own_as_it_was(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    """A rollback puts a link in its place. The way back is no rollback: as it ran before, it runs again."""
    service = deploy(releases={"b1": "crash_at_once", "b2": "healthy"}, start=False, **NOTIFY)
    own = f"{service.releases_directory}/b2/config.json"
    service.host.run(f"""rm {own}; echo '{{"environment": "its own"}}' >{own}""")
    service.start()
    rollback_ops.settings(at_once(service, pattern="b*", verify=policy("restore")))
    before = config(service, "b2")
    assert roll_back(rollback_ops).code == 3
    assert (service.live(), config(service, "b2")) == ("b2", before)
    assert service.health() == {"status": "ok", "release": "b2", "config": {"environment": "its own"}}


def test_restore_puts_back_also_what_does_not_come_up_at_all(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "crash_at_once", "b2": "healthy"}, **NOTIFY)
    rollback_ops.settings(at_once(service, pattern="b*", verify=policy("restore")))
    ended = roll_back(rollback_ops)
    assert (ended.code, ended.document["outcome"]) == (3, "restored"), ended.err
    assert service.live() == released(service) == "b2"
    assert marks(rollback_ops) == {"b1": "bad", "b2": ""}


def test_a_restore_that_fails_needs_a_person_who_is_told_where_to_begin(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    options = ["ExecStartPre=/usr/bin/test -e entry", *NOTIFY["options"]]
    service = deploy(releases={"b1": "unhealthy", "b2": "healthy"}, options=options, start=False)
    entries = " ".join(f"{service.releases_directory}/{name}/entry" for name in ("b1", "b2"))
    service.host.run(f"touch {entries}")
    service.start()
    service.host.run(f"rm {service.releases_directory}/b2/entry")
    rollback_ops.settings(at_once(service, pattern="b*", verify=policy("restore")))

    ended = rollback_ops("rollback", "prod", *WHY)

    assert ended.code == 4, ended.out
    assert ended.out.startswith("✗ failed")
    assert "b2" in ended.out
    assert f"systemctl restart -- {service.name}.service" in ended.out + ended.err
    assert (service.live(), service.is_running()) == ("b2", False)


def test_older_walks_back_past_what_is_not_well_and_not_eligible(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    releases = {"b1": "healthy", "b2": "crash_at_once", "b3": "healthy", "b4": "unhealthy", "b5": "healthy"}
    service = deploy(releases=releases, **NOTIFY)
    service.host.write(f"{service.state}/marks/b3.bad", "a run\n")
    rollback_ops.settings(at_once(service, pattern="b*", verify=policy("older")))

    ended = roll_back(rollback_ops)

    assert (ended.code, ended.document["outcome"]) == (0, "succeeded"), ended.err
    assert service.live() == released(service) == ended.document["to"]["release"] == "b1"
    assert ended.document["from"]["release"] == "b5"
    assert marks(rollback_ops) == {"b1": "good", "b2": "bad", "b3": "bad", "b4": "bad", "b5": ""}
    starts = [step["outcome"] for step in ended.document["hosts"][0]["steps"] if step["name"] == "start"]
    assert starts == ["ok", "failed", "ok"]


@pytest.mark.long
def test_older_goes_no_further_back_than_it_may(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    releases = {"b1": "healthy", "b2": "unhealthy", "b3": "unhealthy", "b4": "healthy"}
    service = deploy(releases=releases)
    rollback_ops.settings(at_once(service, pattern="b*", verify=policy("older", max_older=1)))
    ended = roll_back(rollback_ops)
    assert (ended.code, ended.document["outcome"]) == (2, "verification_failed"), ended.err
    assert service.live() == released(service) == "b2"
    assert any("b2 " in why and "max_older" in why for why in ended.document["warnings"])


def test_older_ends_where_there_is_no_older_one_and_says_so(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "unhealthy", "b2": "healthy"})
    rollback_ops.settings(at_once(service, pattern="b*", verify=policy("older")))
    ended = roll_back(rollback_ops)
    assert ended.code == 2, ended.err
    assert any(why.startswith("b1 ") for why in ended.document["warnings"])
    assert service.live() == "b1"


@pytest.mark.long
def test_older_keeps_within_the_time_of_the_whole_rollback(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    releases = {f"b{number}": "unhealthy" for number in range(10, 30)}
    service = deploy(releases=releases)
    verify = policy("older", healthy_deadline="2s", max_older=20)
    rollback_ops.settings(quick(service, pattern="b*", verify=verify, limits={"total": "8s"}))

    ended = roll_back(rollback_ops)

    assert ended.code == 2, ended.err
    # Without the limit, it would try all twenty, two seconds each.
    assert ended.document["duration_seconds"] < 30
    assert "limits.total" in ended.document["warnings"][-1]
    tried = [step for step in ended.document["hosts"][0]["steps"] if step["name"] == "verify"]
    assert 1 <= len(tried) < 15
    assert service.live() == released(service) == ended.document["to"]["release"]


@pytest.mark.parametrize("on_failure", ["report", "older"])
def test_when_nothing_runs_a_person_is_told_how_it_stands_and_what_to_try(
    rollback_ops: RollbackOps, deploy: Deploy, on_failure: str
) -> None:
    service = deploy(releases=dict.fromkeys(("b1", "b2", "b3"), "crash_at_once"), **NOTIFY)
    rollback_ops.settings(at_once(service, pattern="b*", verify=policy(on_failure)))

    ended = rollback_ops("rollback", "prod", *WHY)

    live = "b2" if on_failure == "report" else "b1"
    assert ended.code == 4, ended.out
    assert ended.out.startswith("✗ failed")
    assert live in ended.out
    said = ended.out + ended.err
    assert "ERROR crashing, as this release does" in said
    assert f"systemctl status -- {service.name}.service" in said
    assert (service.live(), service.is_running()) == (live, False)


# --- several hosts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on_failure", "code", "outcomes", "live"),
    [
        ("restore", 3, ["restored", "restored"], "b3"),
        pytest.param("older", 0, ["succeeded", "succeeded"], "b1", marks=pytest.mark.long),
        ("report", 5, ["succeeded", "verification_failed"], "b2"),
    ],
)
def test_where_one_host_is_not_well_all_of_them_take_the_next_way_together(
    rollback_ops: RollbackOps, twins: Twins, on_failure: str, code: int, outcomes: list[str], live: str
) -> None:
    one, two = twins({"releases": dict.fromkeys(SICK, "healthy")}, {"releases": SICK})
    rollback_ops.settings(at_once(one, hosts=logins(one, two), pattern="b*", verify=policy(on_failure)))

    ended = roll_back(rollback_ops)

    assert ended.code == code, ended.err
    assert [host["outcome"] for host in ended.document["hosts"]] == outcomes
    assert [one.live(), two.live(), released(one), released(two)] == [live] * 4


def test_restore_puts_hosts_back_that_ran_different_releases(rollback_ops: RollbackOps, twins: Twins) -> None:
    four = {"b1": "healthy", "b2": "unhealthy", "b3": "healthy", "b4": "healthy"}
    one, two = twins({"releases": four}, {"releases": four, "live": "b3"})
    two.host.write(f"{two.state}/marks/b3.bad", "a run\n")
    rollback_ops.settings(at_once(one, hosts=logins(one, two), pattern="b*", verify=policy("restore")))
    ended = roll_back(rollback_ops)
    assert (ended.code, ended.document["outcome"]) == (3, "restored"), ended.err
    assert [released(one), released(two)] == ["b4", "b3"]
