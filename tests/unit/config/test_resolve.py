"""The service, environment and hosts that a request selects from the settings."""

from __future__ import annotations

import pytest

from rollback_ops.config import CommandCheck, HttpCheck, TcpCheck
from rollback_ops.config.request import Request
from rollback_ops.config.resolve import Job, resolve
from rollback_ops.core.errors import Exit, UsageError
from rollback_ops.core.text import joined
from tests.support.settings_files import holds, read

ROSEY = """
[services.rosey]
root = "/opt/{environment}/rosey"
layout = "backups"
units = ["bot@{environment}"]
links = { "config.json" = "config-{environment}.json" }
[services.rosey.checks.health]
kind = "http"
url = "http://{environment}.local:8080/health?release={release}"
text = "{environment} ${environment}"
json = { release = "{release}", site = { name = ["{environment}"] } }
headers = { Host = "{environment}.example.org" }
from = "runner"
[services.rosey.checks.database]
kind = "tcp"
address = "db-{environment}:5432"
[services.rosey.checks.config]
kind = "command"
run = "check --env {environment} {release}"
phase = "before"
[services.rosey.limits]
stop = "4s"
"""
PROD = """
[environments.prod]
hosts = ["deploy@a", "b:2222", "c"]
url = "https://{environment}.example.org"
"""


def job(toml: str, request: Request) -> Job:
    return resolve(read(toml), request)


def refusal(toml: str, request: Request) -> str:
    with pytest.raises(UsageError) as caught:
        job(toml, request)
    assert caught.value.exit_code == Exit.USAGE
    return str(caught.value)


def test_the_name_of_the_environment_is_filled_in_everywhere_and_the_release_is_left() -> None:
    found = job(ROSEY + PROD, Request("prod"))
    assert (found.service_name, found.environment_name) == ("rosey", "prod")
    service = found.service
    assert service.root == "/opt/prod/rosey"
    assert service.units == ("bot@prod",)
    assert service.links == {"config.json": "config-prod.json"}
    health, database, config = (service.checks[name] for name in ("health", "database", "config"))
    assert isinstance(health, HttpCheck)
    assert health.url == "http://prod.local:8080/health?release={release}"
    assert health.text == "prod ${environment}"
    assert health.fields == {"release": "{release}", "site": {"name": ["prod"]}}
    assert health.headers == {"Host": "prod.example.org"}
    assert health.source == "runner"
    assert isinstance(database, TcpCheck)
    assert database.address == "db-prod:5432"
    assert isinstance(config, CommandCheck)
    assert (config.run, config.phase) == ("check --env prod {release}", "before")
    assert service.limits.stop == 4.0
    assert found.environment.url == "https://prod.example.org"


@pytest.mark.parametrize(
    ("lines", "releases", "pattern"),
    [
        ('layout = "backups"', "backups/prod", "backup_*"),
        ('layout = "releases"', "releases", "*"),
        ("", "releases", "*"),
        ('layout = "backups"\nreleases = "old/{environment}"', "old/prod", "backup_*"),
        ('pattern = "v[0-9]*"', "releases", "v[0-9]*"),
    ],
)
def test_the_layout_has_defaults_for_keys_that_the_service_does_not_set(
    lines: str, releases: str, pattern: str
) -> None:
    toml = f'[services.s]\nroot = "/s"\nunits = ["u"]\n{lines}\n{PROD}'
    service = job(toml, Request("prod")).service
    assert (service.releases, service.pattern, service.current) == (releases, pattern, "current")


def test_all_hosts_are_selected_unless_some_are_named() -> None:
    assert job(ROSEY + PROD, Request("prod")).hosts == ("deploy@a", "b:2222", "c")
    assert job(ROSEY + PROD, Request("prod", hosts=("c", "deploy@a"))).hosts == ("deploy@a", "c")


def test_a_local_command_needs_no_hosts() -> None:
    assert job(ROSEY + "[environments.test]", Request("test", local=True)).hosts == ()
    assert job(ROSEY + PROD, Request("prod", local=True)).hosts == ()


def test_the_service_that_is_named_is_chosen_among_several() -> None:
    two = ROSEY + '[services.other]\nroot = "/other"\nmanager = "compose"\n' + PROD
    assert job(two, Request("prod", service="other")).service.root == "/other"


def test_custom_commands_are_enough_for_a_custom_manager() -> None:
    toml = (
        '[services.s]\nroot="/s"\nmanager="custom"\ncommands={start="a {environment}", stop="b", status="c"}\n' + PROD
    )
    commands = job(toml, Request("prod")).service.commands
    assert commands is not None
    assert (commands.start, commands.logs) == ("a prod", "")


BARE = '[services.s]\nroot = "/s"\n'


@pytest.mark.parametrize(
    ("toml", "request_", "facts"),
    [
        (
            ROSEY + PROD,
            Request("pord"),
            'environment "pord" … "prod" … prod',
        ),
        (ROSEY, Request("prod"), 'environment "prod" … none'),
        (
            ROSEY + PROD,
            Request("prod", service="rosy"),
            'service "rosy" … "rosey" … rosey',
        ),
        (PROD, Request("prod"), "[services.NAME]"),
        (
            ROSEY + '[services.other]\nroot = "/other"\n' + PROD,
            Request("prod"),
            "rosey, other … --service",
        ),
        (ROSEY + "[environments.prod]", Request("prod"), "environments.prod … hosts"),
        (
            ROSEY + PROD,
            Request("prod", hosts=("c", "deploy@b")),
            '"deploy@b" … prod … "deploy@a" … deploy@a, b:2222, c',
        ),
        (ROSEY + PROD, Request("prod", hosts=("c",), local=True), "--local … --host"),
        (BARE + PROD, Request("prod"), 'services.s: … "systemd" … units'),
        (BARE + 'manager = "systemd-user"' + PROD, Request("prod"), 'services.s: … "systemd-user" … units'),
        (BARE + 'manager = "supervisor"' + PROD, Request("prod"), 'services.s: … "supervisor" … units'),
        (BARE + 'manager = "custom"' + PROD, Request("prod"), 'services.s: … "custom" … commands'),
        (
            BARE + 'units = ["u"]\ncommands = {start = "a", stop = "b", status = "c"}' + PROD,
            Request("prod"),
            'services.s: … "custom" … "systemd" … services.s.commands',
        ),
        (
            BARE + 'manager = "compose"\nproject = "bot-{environment}"\n[environments.Prod]\nhosts = ["a"]',
            Request("Prod"),
            'environment Prod: services.s.project = "bot-Prod"',
        ),
    ],
)
def test_a_request_that_the_settings_cannot_serve_is_refused_with_the_names_that_exist(
    toml: str, request_: Request, facts: str
) -> None:
    assert holds(joined(refusal(toml, request_)), facts)
