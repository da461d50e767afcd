"""The ROLLBACK_SERVICES__… and ROLLBACK_ENVIRONMENTS__… variables over the file."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rollback_ops.config import HttpCheck
from tests.support.settings_files import complaint, holds, read

FILE = """
[services.rosey-bot]
root = "/opt/rosey"
units = ["bot"]
links = { "config.json" = "config.json" }
[services.rosey-bot.checks.health]
kind = "http"
url = "http://localhost:8080/health"
[environments.Prod]
hosts = ["a"]
"""


def test_a_variable_wins_over_the_file_and_leaves_the_rest_of_it() -> None:
    settings = read(
        FILE,
        {
            "ROLLBACK_SERVICES__ROSEY_BOT__ROOT": "/srv/rosey",
            "ROLLBACK_SERVICES__ROSEY_BOT__VERIFY__HEALTHY_DEADLINE": "10s",
            "ROLLBACK_SERVICES__ROSEY_BOT__CHECKS__HEALTH__STATUS": "204",
            "ROLLBACK_SERVICES__ROSEY_BOT__CHECKS__HEALTH__FROM": "runner",
            "ROLLBACK_SERVICES__ROSEY_BOT__CHECKS__HEALTH__TEXT": "200",
            "ROLLBACK_SERVICES__ROSEY_BOT__LINKS": '{"Other.json": "Other.json"}',
            "ROLLBACK_ENVIRONMENTS__PROD__HOSTS": '["deploy@b", "c:2222"]',
        },
    )
    assert list(settings.services) == ["rosey-bot"]
    rosey = settings.services["rosey-bot"]
    assert (rosey.root, rosey.units, rosey.verify.healthy_deadline) == ("/srv/rosey", ("bot",), 10.0)
    assert rosey.links == {"config.json": "config.json", "Other.json": "Other.json"}
    health = rosey.checks["health"]
    assert isinstance(health, HttpCheck)
    assert (health.url, health.status, health.source, health.text) == (
        "http://localhost:8080/health",
        204,
        "runner",
        "200",
    )
    assert settings.environments["Prod"].hosts == ("deploy@b", "c:2222")


def test_variables_alone_are_enough_without_a_file() -> None:
    settings = read(
        "", {"ROLLBACK_SERVICES": '{"rosey": {"root": "/a"}}', "rollback_environments__test__hosts": '["a"]'}
    )
    assert settings.services["rosey"].root == "/a"
    assert settings.environments["test"].hosts == ("a",)


def test_an_empty_variable_counts_as_unset() -> None:
    assert read(FILE, {"ROLLBACK_SERVICES__ROSEY_BOT__ROOT": "", "ROLLBACK_SERVCES__X": ""}) == read(FILE)


def test_other_variables_change_no_settings() -> None:
    assert read(FILE, {"ROLLBACK_REASON": "x", "ROLLBACK_ENVIRONMENT": "prod", "SERVICES__X__ROOT": "y"}) == read(FILE)


def test_only_the_given_variables_are_read_and_not_those_of_the_process() -> None:
    code = """
import pathlib, tempfile
from rollback_ops.config.load import load
with tempfile.NamedTemporaryFile() as file:
    settings = load(pathlib.Path(file.name), {"ROLLBACK_SERVICES__B__ROOT": "/b"})
print(*settings.services)
"""
    environ = {**os.environ, "ROLLBACK_SERVICES__A__ROOT": "/a"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "b\n"


@pytest.mark.parametrize(
    ("environ", "facts"),
    [
        (
            {"ROLLBACK_SERVICES__ROSEY_BOT__ROOT": "opt"},
            'ROLLBACK_SERVICES__ROSEY_BOT__ROOT: services.rosey-bot.root = "opt"',
        ),
        (
            {"ROLLBACK_ENVIRONMENTS__PROD__HOSTS": "a,b"},
            'ROLLBACK_ENVIRONMENTS__PROD__HOSTS: environments.Prod.hosts = "a,b"',
        ),
        (
            {"ROLLBACK_ENVIRONMENTS__PROD__HOSTS": '["a", "-x"]'},
            'ROLLBACK_ENVIRONMENTS__PROD__HOSTS: environments.Prod.hosts[1] = "-x"',
        ),
        (
            {"ROLLBACK_ENVIRONMENTS__PROD__HOSTS": "[" * 100_000},
            'ROLLBACK_ENVIRONMENTS__PROD__HOSTS: environments.Prod.hosts = "[[[',
        ),
        (
            {"ROLLBACK_SERVICES__ROSEY_BOT": '{"unit": "bot"}'},
            'ROLLBACK_SERVICES__ROSEY_BOT: services.rosey-bot.unit = "bot" … "units"',
        ),
        (
            {"ROLLBACK_SERVICES__ROSEY_BOT__CHECKS__HEALTH__KIND": "htp"},
            "ROLLBACK_SERVICES__ROSEY_BOT__CHECKS__HEALTH__KIND: "
            'services.rosey-bot.checks.health.kind = "htp" … http, tcp',
        ),
        (
            {"ROLLBACK_SERVICES__ROSY__CURRENT": "live"},
            "ROLLBACK_SERVICES__ROSY__CURRENT: services.rosy.root … missing",
        ),
        (
            {"ROLLBACK_SERVICES__ROSEY_BOT__VERIFY__MIN_HEALTHY_TIME": "30s"},
            "ROLLBACK_SERVICES__ROSEY_BOT__VERIFY__MIN_HEALTHY_TIME: "
            "services.rosey-bot.verify … min_healthy_time (30s)",
        ),
        (
            {"ROLLBACK_SERVICES__ROSEY_BOT__LIMITS__TOTAL": "5s"},
            "rollback.toml with ROLLBACK_SERVICES__ROSEY_BOT__LIMITS__TOTAL: "
            "services.rosey-bot … verify.healthy_deadline (20s) … limits.total (5s)",
        ),
        ({"ROLLBACK_SERVICES": "[1]"}, "ROLLBACK_SERVICES: services … table"),
        (
            {"ROLLBACK_SERVICE__ROSEY__ROOT": "/a"},
            'ROLLBACK_SERVICE__ROSEY__ROOT: … "ROLLBACK_SERVICES__" … ROLLBACK_ENVIRONMENTS__',
        ),
    ],
)
def test_a_wrong_value_is_reported_with_the_variable_that_set_it(environ: dict[str, str], facts: str) -> None:
    message = complaint(FILE, environ)
    assert holds(message, facts)
    assert message.startswith(facts.partition(" ")[0])


def test_a_wrong_value_of_the_file_is_reported_with_the_file_when_variables_are_set_too() -> None:
    lines = complaint(
        FILE.replace('"/opt/rosey"', '"opt"'), {"ROLLBACK_SERVICES__ROSEY_BOT": '{"units": 5}'}
    ).splitlines()
    assert lines[1].startswith('  rollback.toml: services.rosey-bot.root = "opt"')
    assert lines[2].startswith("  ROLLBACK_SERVICES__ROSEY_BOT: services.rosey-bot.units = 5")
