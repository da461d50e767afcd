"""The settings that ``init`` proposes for the trees that deployment tools leave, without a host."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from rollback_ops.config import Service
from rollback_ops.config.load import load
from rollback_ops.config.proposal import HealthCheck, HostAddress, Proposal, choose, propose
from rollback_ops.config.request import Request
from rollback_ops.config.resolve import resolve
from rollback_ops.core.discovery import Discovery, Listener, Program, RunningProcess, Tree
from rollback_ops.core.errors import Refused
from rollback_ops.hosts.discovery import parse

HOST = "deploy@bot1"


def tree(live: str = "releases/3", **more: Any) -> Tree:
    return Tree("/srv/web", more.pop("current", "current"), live, **more)


def unit(name: str = "web", *command: str, directory: str = "/srv/web/current", manager: str = "systemd") -> Program:
    return Program(manager, name, directory, command or ("/usr/bin/python3", "app.py"))


def proposed(found: Discovery, *checks: HealthCheck, **given: str) -> Proposal:
    return propose(choose(found, HOST), HostAddress(HOST), checks, **given)


def service_of(proposal: Proposal, directory: Path) -> Service:
    """The service as the commands would use it."""
    (directory / "rollback.toml").write_text(proposal.toml)
    settings = load(directory / "rollback.toml", {})
    job = resolve(settings, Request(environment=proposal.environment))
    assert job.hosts == (HOST,)
    assert job.service_name == proposal.service
    return job.service


@pytest.mark.parametrize(
    ("live", "marks", "releases", "environment"),
    [
        ("releases/20260101120000", {"revisions.log", "repo"}, "releases", "prod"),
        ("releases/12", {".dep", ".dep/releases_log"}, "releases", "prod"),
        ("releases/12/public", set(), "releases", "prod"),
        ("releases/20260101T120000Z", {"repo"}, "releases", "prod"),
        ("versions/v1.2.0", set(), "versions", "prod"),
        ("var/app/v1.2.0", set(), "var/app", "prod"),
        ("backups/test/backup_1", set(), "backups/test", "test"),
        ("backups/test/2026-01-01", set(), "backups/test", "test"),
    ],
)
def test_the_releases_are_where_the_live_one_is(
    live: str, marks: set[str], releases: str, environment: str, tmp_path: Path
) -> None:
    found = Discovery((tree(live, marks=frozenset(marks)),), (unit(),))
    proposal = proposed(found)
    service = service_of(proposal, tmp_path)
    assert (service.root, service.releases, proposal.environment) == ("/srv/web", releases, environment)
    assert service.pattern == ("backup_*" if "backup_1" in live else "*")


def test_the_link_and_the_names_may_be_any(tmp_path: Path) -> None:
    found = Discovery((tree(current="live"),), (unit(directory="/srv/web/live"),))
    proposal = proposed(found, service="shop.front", environment="eu-1")
    assert service_of(proposal, tmp_path).current == "live"
    assert (proposal.service, proposal.environment) == ("shop.front", "eu-1")


@pytest.mark.parametrize(
    ("program", "required"),
    [
        (unit("web", "/srv/web/current/bin/web", "--port", "80", directory=""), ("bin/web",)),
        (unit("web", "/usr/bin/java", "-jar", "app.jar"), ("app.jar",)),
        (unit("web", "/usr/bin/node", "/srv/web/current/server.js", directory=""), ("server.js",)),
        (unit("web", "/usr/sbin/nginx"), ()),
    ],
)
def test_a_whole_release_has_what_the_service_is_started_with(
    program: Program, required: tuple[str, ...], tmp_path: Path
) -> None:
    found = Discovery((tree(entries=frozenset({"app.jar", "README"})),), (program,))
    assert service_of(proposed(found), tmp_path).requires == required


def test_all_units_of_a_root_are_one_service_named_after_the_root(tmp_path: Path) -> None:
    found = Discovery((tree(),), (unit("web-worker@1"), unit("web"), unit("sshd", "/usr/sbin/sshd", directory="")))
    proposal = proposed(found)
    assert service_of(proposal, tmp_path).units == ("web", "web-worker@1")
    assert proposal.service == "web"


@pytest.mark.parametrize("manager", ["systemd-user", "supervisor"])
def test_another_manager_is_said(manager: str, tmp_path: Path) -> None:
    assert service_of(proposed(Discovery((tree(),), (unit(manager=manager),))), tmp_path).manager == manager


def test_a_compose_file_means_compose_where_nothing_else_runs_from_there(tmp_path: Path) -> None:
    found = Discovery((tree(entries=frozenset({"compose.yaml"})),))
    service = service_of(proposed(found), tmp_path)
    assert (service.manager, service.requires) == ("compose", ("compose.yaml",))


def test_what_answers_becomes_a_check(tmp_path: Path) -> None:
    found = Discovery((tree(),), (unit(),))
    checks = HealthCheck(8080, "/up", "version"), HealthCheck(8081, "/"), HealthCheck(9000)
    service = service_of(proposed(found, *checks), tmp_path)
    shown = {name: check.model_dump(exclude_defaults=True, by_alias=True) for name, check in service.checks.items()}
    assert shown == {
        "health": {"kind": "http", "url": "http://localhost:8080/up", "json": {"version": "{release}"}},
        "port-8081": {"kind": "http", "url": "http://localhost:8081/"},
        "port-9000": {"kind": "tcp", "address": "localhost:9000"},
    }


@pytest.mark.parametrize("trees", [(), (tree(),), (tree(), Tree("/srv/shop", "current", "releases/1"))])
def test_where_nothing_runs_or_more_than_one_it_is_refused(trees: tuple[Tree, ...]) -> None:
    shop = Program("systemd", "shop", "/srv/shop/current", ("/usr/bin/shop",))
    programs = (unit(), shop) if len(trees) == 2 else ()
    with pytest.raises(Refused) as caught:
        choose(Discovery(trees, programs), HOST)
    assert HOST in caught.value.message
    assert caught.value.hint


def test_the_environment_of_a_layout_is_not_overruled() -> None:
    found = Discovery((tree("backups/test/backup_1"),), (unit(),))
    with pytest.raises(Refused, match="test"):
        proposed(found, environment="prod")


def test_a_port_is_found_by_the_sockets_of_the_unit_else_by_its_user() -> None:
    listeners = (Listener(8080, 33, 501), Listener(22, 0, 502), Listener(5432, 33, 503))
    group = "/system.slice/web.service"
    seen = Discovery((tree(),), (unit(),), (RunningProcess(33, "", group, frozenset({501})),), listeners)
    unseen = Discovery((tree(),), (unit(),), (RunningProcess(33, "", group),), listeners)
    as_root = Discovery((tree(),), (unit(),), (RunningProcess(0, "", group),), listeners)
    assert [choose(found, HOST).ports for found in (seen, unseen, as_root)] == [(8080,), (5432, 8080), ()]


def test_facts_that_make_no_sense_are_left_out() -> None:
    lines = ["tree\t/srv/web\tcurrent\treleases/3", "mark", "linked", "port\tZZ\t0\t1", "port\t1F90", "process\t1"]
    lines += ["systemd\tId=web.service", "systemd\t", "systemd", "supervisor", "nonsense\t\t\t", ""]
    found = parse(lines)
    assert found.trees == (tree(),)
    assert (found.programs, found.processes, found.listeners) == ((), (), ())


def test_processes_of_pm2_are_units_of_pm2(tmp_path: Path) -> None:
    lines = [
        "tree\t/srv/web\tcurrent\treleases/3",
        "pm2\tweb\t/srv/web/current\t/srv/web/current/server.js",
        "pm2\tweb\t/srv/web/current\t/srv/web/current/server.js",
        "pm2\tother\t/srv/other\t/srv/other/server.js",
        "port\t0BB8\t1000\t77",
        "process\t9\t1000\t/srv/web/releases/3\t/user.slice\t77",
    ]
    found = parse(lines)
    service = service_of(proposed(found), tmp_path)
    assert (service.manager, service.units, service.requires) == ("pm2", ("web",), ("server.js",))
    assert choose(found, HOST).ports == (3000,)


def test_the_address_of_an_alias_that_has_to_stay_is_said(tmp_path: Path) -> None:
    found = Discovery((tree(),), (unit(),))
    proposal = propose(choose(found, "bot"), HostAddress("bot", alias_of="deploy@192.0.2.1:2222"), ())
    assert tomllib.loads(proposal.toml)["environments"]["prod"]["hosts"] == ["bot"]
    assert "deploy@192.0.2.1:2222" in proposal.toml
    assert any("deploy@192.0.2.1:2222" in why for why in proposal.reasons)
