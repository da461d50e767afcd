"""Exit code 64: what is wrong with a command or its settings is said before anything is contacted."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.toml import dump

WHY = ("--reason", "logins fail")


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """What stands where the host's sshd should be: it accepts, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def rollback_ops(tmp_path: Path, server: socket.socket) -> RollbackOps:
    command = RollbackOps(tmp_path)
    host = f"deploy@127.0.0.1:{server.getsockname()[1]}"
    service = {"root": "/srv/bot", "current": "current-{environment}", "units": ["bot"], "limits": {"connect": "500ms"}}
    regional = {"regions": {"eu": {"hosts": [host]}, "us": {"hosts": [host.replace("127.0.0.1", "127.0.0.2")]}}}
    environments: dict[str, Any] = {"prod": {"hosts": [host]}, "staging": {}, "regional": regional}
    command.settings(dump({"services": {"bot": service}, "environments": environments}))
    return command


def was_contacted(server: socket.socket) -> bool:
    return bool(select.select([server], [], [], 0)[0])


def test_a_command_without_a_mistake_does_contact_the_host(rollback_ops: RollbackOps, server: socket.socket) -> None:
    ended = rollback_ops("rollback", "prod", *WHY)
    assert ended.code == 1
    assert was_contacted(server)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Usage: rollback-ops"),
        (["rolback", "prod"], "rolback"),
        (["rollback", "prod", *WHY, "--emergancy"], "--emergancy"),
        (["rollback", "prod", "twice", *WHY], "twice"),
        (["rollback", "prod", "--reason"], "--reason"),
        (["rollback", *WHY], "environment"),
        (["rollback", "", *WHY], "environment"),
        (["rollback", "prd", *WHY], '"prod"'),
        (["rollback", "staging", *WHY], "environments.staging"),
        (["rollback", "prod", *WHY, "--service", "bit"], '"bot"'),
        (["rollback", "prod", *WHY, "--host", "elsewhere"], '"elsewhere"'),
        (["rollback", "prod", *WHY, "--local", "--host", "elsewhere"], "--local"),
        (["rollback", "regional", *WHY, "--region", "ue"], '"ue"'),
        (["rollback", "regional", *WHY, "--region", ""], "--region"),
        (["rollback", "regional", *WHY, "--region", "eu", "--region", "a b"], '"a b"'),
        (["rollback", "regional", *WHY, "--exclude-region", "su"], '"su"'),
        (["rollback", "regional", *WHY, "--region", "eu", "--exclude-region", "eu"], "eu"),
        (["rollback", "regional", *WHY, "--exclude-region", "eu", "--exclude-region", "us"], "region"),
        (["rollback", "regional", *WHY, "--region", "us", "--host", "deploy@127.0.0.1:1"], "deploy@127.0.0.1"),
        (["rollback", "regional", *WHY, "--region"], "--region"),
        (["rollback", "prod", *WHY, "--region", "eu"], "no regions"),
        (["resume", "regional", *WHY, "--region", "ue"], '"ue"'),
        (["check", "regional", "--region", "ue"], '"ue"'),
        (["list", "regional", "--exclude-region", "ue"], '"ue"'),
        (["rollback", "prod", "--trigger", "deploy-faled"], '"deploy-failed"'),
        (["rollback", "prod"], "--reason"),
        (["rollback", "prod", "--reason", "  \t "], "--reason"),
        (["rollback", "prod", "--reason", "no"], "2 characters"),
        (["rollback", "prod", "--reason", "one\ntwo"], "2 lines"),
        (["rollback", "prod", "--reason", "bell\a"], "U+0007"),
        (["rollback", "prod", "--reason", "x" * 1001], "1,001 characters"),
        (["rollback", "prod", *WHY, "--config", "none.toml"], "none.toml"),
        (["history"], "Usage: rollback-ops history"),
        (["history", "list", "--limit", "0"], "--limit"),
        (["history", "list", "--limit", "few"], "--limit"),
        (["history", "log", "--env", "prod", *WHY], "--backup"),
        (["history", "list", "--env", "prd"], '"prd"'),
        (["history", "list", "prd"], '"prd"'),
        (["history", "stats", "prd"], '"prd"'),
        (["history", "log", "prd", "--to", "one", *WHY], '"prd"'),
        (["history", "stats", "prod", "--env", "test"], "--env"),
        (["seal"], "environment"),
        (["verify"], "environment"),
        (["check", "prd"], '"prd"'),
        (["list", "prd"], '"prd"'),
    ],
)
def test_what_was_typed_wrong_is_named_and_nothing_is_contacted(
    rollback_ops: RollbackOps, server: socket.socket, arguments: list[str], words: str
) -> None:
    ended = rollback_ops(*arguments)
    assert (ended.code, ended.out) == (64, ""), ended.err
    assert words in ended.err
    assert not was_contacted(server)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ROLLBACK_EMERGENCY", "maybe", "ROLLBACK_EMERGENCY"),
        ("ROLLBACK_TRIGGER", "magic", '"magic"'),
        ("ROLLBACK_SSH_KEY", "not a key", "ROLLBACK_SSH_KEY"),
        ("ROLLBACK_CONFIG", "none.toml", "none.toml"),
        ("ROLLBACK_REGION", "eu", '"eu"'),
        ("ROLLBACK_EXCLUDE_REGION", "eu", '"eu"'),
        ("ROLLBACK_SERVICES__BOT__LIMITS__STOP", "soon", "ROLLBACK_SERVICES__BOT__LIMITS__STOP"),
    ],
)
def test_a_variable_with_a_bad_value_is_named_and_nothing_is_contacted(
    rollback_ops: RollbackOps, server: socket.socket, variable: str, value: str, words: str
) -> None:
    command = RollbackOps(rollback_ops.directory, {variable: value})
    ended = command("rollback", "prod", *WHY)
    assert (ended.code, ended.out) == (64, ""), ended.err
    assert words in ended.err
    assert not was_contacted(server)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"root"', '"rot"', "services.bot.rot"),
        ('"/srv/bot"', '"srv/bot"', 'services.bot.root = "srv/bot"'),
        ('"500ms"', '"soon"', "limits.connect"),
        ('[environments."staging"]', "[environments.prod.strategy]\nmax_parallel = 0", "environments.prod.strategy"),
        ('"regions" =', 'hosts = ["a"]\nregions =', "environments.regional"),
        ("]", "", "line 1"),
    ],
)
def test_settings_that_are_wrong_are_named_by_their_place_and_nothing_is_contacted(
    rollback_ops: RollbackOps, server: socket.socket, old: str, new: str, words: str
) -> None:
    file = rollback_ops.directory / "rollback.toml"
    file.write_text(file.read_text().replace(old, new, 1))
    ended = rollback_ops("rollback", "prod", *WHY)
    assert (ended.code, ended.out) == (64, ""), ended.err
    assert words in ended.err
    assert not was_contacted(server)


STRATEGY = "[environments.prod.strategy]\n"
GROUP = "[groups.shop]\nservices = "


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (STRATEGY + "max_parallel = '25'", "strategy.max_parallel"),
        (STRATEGY + "canary = '0%'", "strategy.canary"),
        (STRATEGY + "max_failures = '101%'", "strategy.max_failures"),
        (STRATEGY + "canary = -1", "strategy.canary"),
        (STRATEGY + "canary = 1", "strategy.canary"),
        (STRATEGY + "max_parallel = 0", "strategy.max_parallel"),
        (STRATEGY + "deadline = '10s'\npause = '11s'", "pause"),
        ("[environments.two.regions.asia]\nhosts = []", "regions.asia has no hosts"),
        ("[environments.two.regions.asia]\nhosts = ['h']\n[environments.two.regions.eu]\nhosts = ['h']", "one region"),
        ("[environments.two]\nhosts = ['g']\nregions.asia.hosts = ['h']", "hosts and regions"),
        (GROUP + "['bot', 'bit']", "groups.shop"),
        (GROUP + "['bot', 'bot']", "groups.shop"),
        ("[services.api]\nroot = '/srv/api'\nunits = ['api']\n" + GROUP + "['bot', 'api']\n"
         "after = {bot = ['api'], api = ['bot']}", "wait for each other"),
    ],
)  # fmt: skip
def test_a_strategy_region_or_group_that_cannot_be_is_refused_and_nothing_is_contacted(
    rollback_ops: RollbackOps, server: socket.socket, more: str, words: str
) -> None:
    with (rollback_ops.directory / "rollback.toml").open("a") as file:
        file.write(f"\n{more}\n")
    ended = rollback_ops("rollback", "prod", *WHY)
    assert (ended.code, ended.out, words in ended.err) == (64, "", True), ended.err
    assert not was_contacted(server)
