"""What can be typed: every command and option of the contract, and what a mistake gets. As a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rollback_ops import __version__
from tests.support.command import RollbackOps

ON_HOSTS = {"--service", "--host", "--local", "--json", "--config"}
# The contract: what each command takes, beside --help.
COMMANDS: dict[str, set[str]] = {
    "rollback": ON_HOSTS
    | {"--backup", "--to", "--reason", "--emergency", "--dry-run", "--if-current", "--trigger", "--record"},
    "resume": ON_HOSTS | {"--reason", "--record"},
    "list": ON_HOSTS,
    "check": ON_HOSTS | {"--backup", "--to"},
    "verify": ON_HOSTS,
    "guard": ON_HOSTS | {"--record"},
    "seal": ON_HOSTS,
    "install": ON_HOSTS,
    "demo": set(),
    "history list": ON_HOSTS | {"--env", "--limit", "--source"},
    "history stats": ON_HOSTS | {"--env", "--limit", "--source"},
    "history log": ON_HOSTS | {"--env", "--backup", "--to", "--reason", "--trigger", "--failed"},
}
OF_AN_ENVIRONMENT = ["rollback", "resume", "list", "check", "verify", "guard", "seal", "install"]
SLOW = {"fabric", "paramiko", "invoke", "github", "requests", "rich", "pydantic", "pydantic_settings"}
# Typer reads options through it, where there are any.
OF_TYPER = {"pydantic"}


@pytest.fixture
def rollback_ops(tmp_path: Path) -> RollbackOps:
    return RollbackOps(tmp_path)


def shown(help_text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z-]+", help_text)) - {"--help"}


def test_help_lists_every_command(rollback_ops: RollbackOps) -> None:
    ended = rollback_ops("--help")
    assert (ended.code, ended.err) == (0, "")
    listed = re.findall(r"^  ([a-z]+)  ", ended.out.partition("Commands:")[2], re.MULTILINE)
    assert sorted(listed) == sorted({command.split()[0] for command in COMMANDS})
    assert rollback_ops("-h").out == ended.out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_lists_every_option_with_its_meaning(rollback_ops: RollbackOps, command: str) -> None:
    ended = rollback_ops(*command.split(), "--help")
    assert (ended.code, ended.err) == (0, "")
    options = ended.out.partition("Options:")[2]
    assert shown(options) == COMMANDS[command]
    assert not re.search(r"^  --[a-z-]+( [A-Z]+)?$", options, re.MULTILINE), "each option is explained"
    if command in OF_AN_ENVIRONMENT:
        assert re.search(r"^Usage: .* \[ENV\]", ended.out)


def test_the_version_is_told(rollback_ops: RollbackOps) -> None:
    ended = rollback_ops("--version")
    assert (ended.code, ended.out, ended.err) == (0, f"rollback-ops {__version__}\n", "")


# --- mistakes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_that_does_not_exist_is_wrong_usage(rollback_ops: RollbackOps, command: str) -> None:
    ended = rollback_ops(*command.split(), "--jsno")
    assert (ended.code, ended.out) == (64, "")
    assert "--jsno" in ended.err


@pytest.mark.parametrize("command", COMMANDS)
def test_more_arguments_than_are_taken_are_wrong_usage(rollback_ops: RollbackOps, command: str) -> None:
    ended = rollback_ops(*command.split(), "one", "two", "three")
    assert (ended.code, ended.out) == (64, "")
    assert "argument" in ended.err


@pytest.mark.parametrize("command", [command for command, options in COMMANDS.items() if options])
def test_settings_that_do_not_exist_are_wrong_usage(rollback_ops: RollbackOps, command: str) -> None:
    ended = rollback_ops(*command.split())
    assert (ended.code, ended.out) == (64, "")
    assert "rollback.toml" in ended.err


@pytest.mark.parametrize("command", OF_AN_ENVIRONMENT)
def test_an_environment_that_does_not_exist_is_wrong_usage(rollback_ops: RollbackOps, command: str) -> None:
    rollback_ops.settings('[services.bot]\nroot = "/srv/bot"\nunits = ["bot"]\n[environments.prod]\nhosts = ["bot1"]\n')
    ended = rollback_ops(command, "prdo", *(["--reason", "logins fail"] if command == "rollback" else []))
    assert (ended.code, ended.out) == (64, "")
    assert 'there is no environment "prdo" (did you mean "prod"?)' in ended.err


@pytest.mark.parametrize("typed", [[], ["history"]])
def test_nothing_to_do_is_wrong_usage_and_shows_the_help(rollback_ops: RollbackOps, typed: list[str]) -> None:
    ended = rollback_ops(*typed)
    assert (ended.code, ended.out) == (64, "")
    assert ended.err.startswith("Usage: rollback-ops")
    assert "Commands:" in ended.err


# --- signals while it starts -----------------------------------------------------------------------------

INTERRUPTED = """
import os, signal, sys
class Interrupted:
    def find_spec(name, *_):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupted)
from rollback_ops.__main__ import main
main()
"""


def test_a_signal_ends_it_without_a_word_while_it_is_being_imported() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


# --- starting fast ---------------------------------------------------------------------------------------


def imported(code: str) -> set[str]:
    """Which of the slow libraries are there after some Python was run in a process of its own."""
    code += f"\nimport sys; print(*({SLOW!r} & sys.modules.keys()), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stderr.split())


def test_the_command_line_is_there_before_anything_slow_is() -> None:
    assert imported("import rollback_ops.cli.app") == set()


@pytest.mark.parametrize("typed", [["--help"], ["rollback", "--help"], ["history", "list", "--help"], ["--version"]])
def test_help_needs_nothing_slow(typed: list[str]) -> None:
    there = imported(f"from rollback_ops.cli.app import main\ntry: main({typed})\nexcept SystemExit: pass")
    assert there <= (set() if typed == ["--help"] else OF_TYPER)


def test_a_slow_library_would_be_noticed() -> None:
    assert imported("import pydantic") == {"pydantic"}
