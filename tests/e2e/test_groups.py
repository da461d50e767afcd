"""A group on real hosts: the services share one host, and one of them has another host, too."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Ended, RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab
from tests.support.lab.toml import dump
from tests.support.scene import WHY, journal, logins, quick, released
from tests.support.waiting import begin, go_on, is_open, lingering, reach

HEALTHY = {"b1": "healthy", "b2": "healthy", "b3": "healthy"}
Shop = Callable[..., tuple[Deployed, Deployed, Deployed]]


def settings(services: Sequence[Sequence[Deployed]], **group: Any) -> str:
    """The settings of a group: each of its services with the hosts that it runs on."""
    found: dict[str, Any] = {}
    hosts: dict[str, list[str]] = {}
    for name, places in ((places[0].name, places) for places in services):
        found |= tomllib.loads(quick(places[0], pattern="b*"))["services"]
        hosts[name] = logins(*places)
    every = list(dict.fromkeys(host for each in hosts.values() for host in each))
    environment: Mapping[str, Any] = {"hosts": every, "services": hosts}
    shop = {"services": list(hosts), **group}
    return dump({"services": found, "groups": {"shop": shop}, "environments": {"prod": environment}})


@pytest.fixture
def shop(hosts: Callable[[int], list[LabHost]], rollback_ops: RollbackOps, lab: Lab) -> Iterator[Shop]:
    """The service api on one host, and web, which starts after it, on that host and on another one."""
    with ExitStack() as stack:

        def deploy(api: dict[str, str], **web: Any) -> tuple[Deployed, Deployed, Deployed]:
            one, two = hosts(2)
            rollback_ops.secrets = {**rollback_ops.secrets, "ROLLBACK_KNOWN_HOSTS": lab.known_hosts}
            first = one.deploy(releases=HEALTHY | api)
            stack.callback(first.remove)
            shared = one.deploy(releases=HEALTHY, **web)
            stack.callback(shared.remove)
            other = two.deploy(shared.name, releases=HEALTHY)
            stack.callback(other.remove)
            rollback_ops.settings(settings([[first], [shared, other]]))
            return first, shared, other

        yield deploy


def type_in(rollback_ops: RollbackOps, command: str) -> Ended:
    """Type a command as the record shows it."""
    return rollback_ops(*shlex.split(command)[1:], *WHY, "--json")


@pytest.mark.long
def test_a_mixed_state_on_shared_and_other_hosts_is_left_by_the_commands_that_it_names(
    rollback_ops: RollbackOps, shop: Shop
) -> None:
    api, *webs = shop({"b2": "unhealthy"})
    mixed = rollback_ops("rollback", "prod", "--group", "shop", *WHY, "--json")

    assert (mixed.code, mixed.document["outcome"]) == (5, "partial"), mixed.err
    where = {each["service"]: each["outcome"] for each in mixed.document["group"]["services"]}
    assert where == {api.name: "verification_failed", webs[0].name: "succeeded"}
    assert [(host["service"], host["host"]) for host in mixed.document["hosts"]] == [
        (api.name, logins(api)[0]),
        (webs[0].name, logins(api)[0]),
        (webs[0].name, logins(webs[1])[0]),
    ]
    assert [api.live(), *map(released, webs)] == ["b2", "b2", "b2"]

    back = type_in(rollback_ops, mixed.document["group"]["back"])
    assert back.code == 0, back.err
    assert list(map(released, (api, *webs))) == ["b3", "b3", "b3"]

    api.host.write(f"{api.releases_directory}/b2/behaviour", "healthy\n")
    on = type_in(rollback_ops, mixed.document["group"]["then"])
    assert on.code == 0, on.err
    assert list(map(released, (api, *webs))) == ["b2", "b2", "b2"]
    told = rollback_ops("history", "list", "prod", "--json").document["records"]
    assert {record["group"]["name"] for record in told} == {"shop"}


def test_a_killed_runner_leaves_whole_services_and_a_record_that_goes_on(rollback_ops: RollbackOps, shop: Shop) -> None:
    api, shared, other = shop({}, options=lingering("stop"))
    file = rollback_ops.directory / "record.json"
    running = begin(rollback_ops, "--group", "shop", "--record", str(file))
    reach(running, shared, "stop")
    running.kill()
    go_on(shared)

    record = json.loads(file.read_text())
    assert {host["service"]: host["outcome"] for host in record["hosts"]} == {
        api.name: "not_begun",
        shared.name: "unknown",
    }
    ended = type_in(rollback_ops, record["group"]["then"])
    assert ended.code == 0, ended.err
    assert list(map(released, (api, shared, other))) == ["b2", "b2", "b2"]


def test_another_runner_goes_on_where_one_was_killed_between_two_services(
    rollback_ops: RollbackOps, shop: Shop, tmp_path: Path
) -> None:
    api, *webs = shop({})
    quickly = (rollback_ops.directory / "rollback.toml").read_text()
    slowly = tomllib.loads(quickly)
    # The first runner verifies one service for longer than it lives, and never begins with the other one.
    slowly["services"][webs[0].name] |= {
        "verify": {"min_healthy_time": "100s", "healthy_deadline": "200s"},
        "limits": {"verification": "200s", "total": "300s"},
    }
    rollback_ops.settings(dump(slowly))
    before = api.live(), released(api)
    running = begin(rollback_ops, "--group", "shop")

    def is_done(web: Deployed) -> bool:
        assert running.process.poll() is None, running.end(within=60)
        return released(web) == "b2" and not is_open(web)

    wait_until(lambda: all(map(is_done, webs)), 60, "the first service done")
    running.kill()
    assert (api.live(), released(api)) == before

    (tmp_path / "another").mkdir()
    another = RollbackOps(tmp_path / "another", rollback_ops.secrets)
    another.settings(quickly)
    ended = another("resume", "prod", "--group", "shop", *WHY, "--json")

    assert ended.code == 0, ended.err
    assert list(map(released, (api, *webs))) == ["b2", "b2", "b2"]
    services = {each["service"]: each["outcome"] for each in ended.document["group"]["services"]}
    assert services == {api.name: "succeeded", webs[0].name: "nothing_to_do"}
    assert ended.document["outcome"] == "succeeded"
    verdicts = {check["outcome"] for host in ended.document["hosts"] for check in host["checks"]}
    assert verdicts == {"passed"}, "what was done is verified again"
    assert all(host["checks"] for host in ended.document["hosts"])
    hosts = {(host["service"], host["host"]): host["outcome"] for host in ended.document["hosts"]}
    assert hosts == {
        (api.name, logins(api)[0]): "succeeded",
        **{(web.name, logins(web)[0]): "nothing_to_do" for web in webs},
    }
    ends = {service: [each for each in journal(service) if each.get("event") == "end"] for service in webs}
    assert {len(found) for found in ends.values()} == {1}, "what was done is not done again"
    assert another("resume", "prod", "--group", "shop", *WHY, "--json").document["outcome"] == "nothing_to_do"
