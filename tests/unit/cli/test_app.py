"""The command line: every command and option of the contract, and the exit code of each mistake.

Most tests run the command inside this process, which takes milliseconds. A few start the program itself.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from rollback_ops import __version__
from rollback_ops.cli import start
from rollback_ops.cli.app import app
from rollback_ops.cli.help import GROUPS, example
from rollback_ops.cli.session import Session
from tests.support.command import Ended, RollbackOps

WHERE = {"--host", "--region", "--exclude-region", "--local"}
ON_HOSTS = {"--service", *WHERE, "--json", "--config"}
# The contract: the options of each command, besides --help.
COMMANDS: dict[str, set[str]] = {
    "rollback": ON_HOSTS
    | {"--group", "--backup", "--to", "--reason", "--bad", "--approved", "--emergency", "--dry-run", "--if-current"}
    | {"--wait", "--ignore-deploy-lock", "--ignore-schema", "--trigger", "--record", "--plan", "--shard", "--records"},
    "shards": ON_HOSTS
    | {"--backup", "--to", "--reason", "--bad", "--ignore-schema", "--wait", "--ignore-deploy-lock", "--trigger"}
    | {"--size", "--plan", "--records"},
    "merge": {"--plan", "--json", "--record", "--config"},
    "resume": ON_HOSTS | {"--group", "--reason", "--ignore-schema", "--wait", "--ignore-deploy-lock", "--record"},
    "list": ON_HOSTS | {"--group"},
    "check": ON_HOSTS | {"--group", "--backup", "--to", "--ignore-deploy-lock", "--max-drill-age"},
    "verify": ON_HOSTS | {"--group", "--since"},
    "advise": ON_HOSTS | {"--since", "--window"},
    "outlook": ON_HOSTS | {"--revision"},
    "guard": ON_HOSTS | {"--group", "--since", "--rehearse", "--window", "--wait", "--ignore-deploy-lock", "--record"},
    "seal": ON_HOSTS,
    "mark": ON_HOSTS | {"--reason"},
    "hold": ON_HOSTS | {"--reason", "--for", "--lift"},
    "preview": ON_HOSTS | {"--group", "--backup", "--to"},
    "arm": ON_HOSTS | {"--for"},
    "confirm": ON_HOSTS,
    "gate": ON_HOSTS | {"--revision", "--release", "--allow-bad"},
    "install": ON_HOSTS,
    "uninstall": ON_HOSTS | {"--purge"},
    "dashboard": {
        "--env",
        "--port",
        "--no-browser",
        "--out",
        "--source",
        "--workflow",
        "--limit",
        "--service",
        "--local",
        "--config",
    },
    "demo": set(),
    "init": {"--root", "--service", "--env", "--workflow", "--config"},
    "completion": set(),
    "schema": set(),
    "history list": ON_HOSTS | {"--env", "--since", "--limit", "--source"},
    "history stats": ON_HOSTS | {"--env", "--since", "--limit", "--source"},
    "drill": ON_HOSTS | {"--times", "--reason", "--record"},
    "schedule add": ON_HOSTS | {"--at", "--not-after", "--backup", "--to", "--reason", "--local-store"},
    "schedule list": {"--env", "--service", "--local", "--local-store", "--json", "--config"},
    "schedule cancel": {"--env", "--service", "--local", "--local-store", "--json", "--config"},
    "schedule run": {"--env", "--service", "--local", "--local-store", "--json", "--config"},
    "history log": ON_HOSTS | {"--env", "--backup", "--to", "--reason", "--trigger", "--failed"},
}
OF_AN_ENVIRONMENT = ["rollback", "resume", "list", "check", "verify", "guard", "seal", "install", "uninstall"]
SLOW = {"fabric", "paramiko", "invoke", "github", "requests", "pydantic", "pydantic_settings"}


SETTINGS = '[services.bot]\nroot = "/srv/bot"\nunits = ["bot"]\n[environments.prod]\nhosts = ["bot1"]\n'
Run = Callable[..., Ended]


@pytest.fixture
def rollback_ops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in an empty directory, with an empty environment, inside this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> Ended:
        session = Session({})
        code = session.run(lambda: app(arguments, prog_name="rollback-ops", obj=session))
        return Ended(int(code), *capsys.readouterr())

    return run


def options_in(help_text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z-]+", help_text)) - {"--help"}


def test_help_lists_every_command(rollback_ops: Run) -> None:
    ended = rollback_ops("--help")
    assert (ended.code, ended.err) == (0, "")
    listed = re.findall(r"^  ([a-z]+)  ", ended.out.partition("Options:")[2], re.MULTILINE)
    assert sorted(listed) == sorted({command.split()[0] for command in COMMANDS})
    assert rollback_ops("-h").out == ended.out


def test_help_groups_the_commands_by_what_a_person_wants(rollback_ops: Run) -> None:
    titles = re.findall(r"^([A-Z][a-z ]+):$", rollback_ops("--help").out, re.MULTILINE)
    assert titles == ["Options", *GROUPS]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_of_a_command_is_in_its_help_and_can_be_typed(rollback_ops: Run, command: str) -> None:
    shown = example(command)
    assert shown in rollback_ops(*command.split(), "--help").out
    typed = shlex.split(shown.partition(" > ")[0].removeprefix('eval "$(').removesuffix(')"'))
    assert " ".join(typed).startswith(f"rollback-ops {command}")
    parsing: click.Command = app
    context = click.Context(app, info_name="rollback-ops")
    for name in typed[1 : 1 + len(command.split())]:
        assert isinstance(parsing, click.Group)
        parsing = parsing.commands[name]
    parsing.make_context(command, typed[1 + len(command.split()) :], parent=context)


def test_the_version_as_json_says_what_it_runs_on(rollback_ops: Run) -> None:
    for typed in (["--version", "--json"], ["--json", "--version"]):
        ended = rollback_ops(*typed)
        assert (ended.code, ended.document["version"]) == (0, __version__)
        assert ended.document["libraries"]["paramiko"]
    assert rollback_ops("--json", "list", "prod").code == 64


def test_the_manual_page_describes_every_command_and_option(rollback_ops: Run) -> None:
    page = rollback_ops("man").out.replace("\\-", "-").replace("\\fB", "")
    for command, options in COMMANDS.items():
        assert f".SS rollback-ops {command} " in page
        assert options <= options_in(page)
    assert not re.search(r"^\.(?!TH|SH|SS|B|I|TP|PP|RS|RE)", page, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_lists_every_option_with_its_meaning(rollback_ops: Run, command: str) -> None:
    ended = rollback_ops(*command.split(), "--help")
    assert (ended.code, ended.err) == (0, "")
    options = ended.out.partition("Options:")[2]
    assert options_in(options) == COMMANDS[command]
    assert not re.search(r"^  --[a-z-]+( [A-Z]+)?$", options, re.MULTILINE), "each option is explained"
    if command in OF_AN_ENVIRONMENT:
        assert re.search(r"^Usage: .* \[ENV\]", ended.out)


def test_the_version_is_shown(rollback_ops: Run) -> None:
    assert rollback_ops("--version") == Ended(0, f"rollback-ops {__version__}\n", "")


@pytest.mark.parametrize(
    ("typed", "code"), [("--version", 0), ("--jsno", 64)], ids=["a command that works", "a mistake"]
)
def test_a_process_ends_like_the_command_inside_it(tmp_path: Path, rollback_ops: Run, typed: str, code: int) -> None:
    ended = RollbackOps(tmp_path, warm=False)(typed)
    assert ended == rollback_ops(typed)
    assert ended.code == code


# --- mistakes --------------------------------------------------------------------------------------------


OTHERS = {
    "--host",
    "--region",
    "--exclude-region",
    "--records",
    "--json",
    "--local",
    "--emergency",
    "--dry-run",
    "--failed",
    "--help",
    "-h",
}
WITH_ONE_VALUE = [(command, option) for command, options in COMMANDS.items() for option in sorted(options - OTHERS)]


@pytest.mark.parametrize(("command", "option"), WITH_ONE_VALUE)
def test_an_option_with_one_value_that_is_given_twice_is_wrong_usage(
    rollback_ops: Run, command: str, option: str
) -> None:
    value = {"--limit": "1", "--source": "github"}.get(option, "a")
    ended = rollback_ops(*command.split(), option, value, f"{option}={value}")
    assert (ended.code, ended.out) == (64, "")
    assert option in ended.err


def test_two_spellings_of_one_option_are_one_option(rollback_ops: Run) -> None:
    ended = rollback_ops("rollback", "prod", "--to", "b1", "--backup", "b2")
    assert (ended.code, ended.out) == (64, "")
    assert "--to" in ended.err


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_that_does_not_exist_is_wrong_usage(rollback_ops: Run, command: str) -> None:
    ended = rollback_ops(*command.split(), "--jsno")
    assert (ended.code, ended.out) == (64, "")
    assert "--jsno" in ended.err


@pytest.mark.parametrize("command", sorted({*COMMANDS} - {"merge"}))
def test_too_many_arguments_are_wrong_usage(rollback_ops: Run, command: str) -> None:
    ended = rollback_ops(*command.split(), "one", "two", "good", "four")
    assert (ended.code, ended.out) == (64, "")
    assert "argument" in ended.err or "'one'" in ended.err


@pytest.mark.parametrize("command", [command for command, options in COMMANDS.items() if "--host" in options])
def test_missing_settings_are_wrong_usage(rollback_ops: Run, command: str) -> None:
    ended = rollback_ops(*command.split(), *(["prod", "b1", "bad"] if command == "mark" else []))
    assert (ended.code, ended.out) == (64, "")
    assert "rollback.toml" in ended.err


@pytest.mark.parametrize("command", OF_AN_ENVIRONMENT)
def test_an_unknown_environment_is_wrong_usage_and_the_message_suggests_a_known_one(
    rollback_ops: Run, tmp_path: Path, command: str
) -> None:
    (tmp_path / "rollback.toml").write_text(SETTINGS)
    ended = rollback_ops(command, "prdo", *(["--reason", "logins fail"] if command == "rollback" else []))
    assert (ended.code, ended.out) == (64, "")
    assert {"prdo", "prod"} <= set(re.findall(r"\w+", ended.err))


@pytest.mark.parametrize("typed", [[], ["history"]])
def test_without_a_command_it_is_wrong_usage_and_shows_the_help(rollback_ops: Run, typed: list[str]) -> None:
    ended = rollback_ops(*typed)
    assert (ended.code, ended.out) == (64, "")
    assert ended.err.startswith("Usage: rollback-ops")
    assert "\n  list " in ended.err or "\n  check " in ended.err


# --- signals during the start -----------------------------------------------------------------------------

INTERRUPTED = """
import os, signal, sys
class Interrupted:
    def find_spec(name, *_):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupted)
from rollback_ops.__main__ import main
main()
"""


def test_a_signal_during_the_imports_ends_the_process_silently() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


# --- starting fast ---------------------------------------------------------------------------------------


HELP = [["--help"], ["--version"], ["rollback", "--help"], ["history", "list", "--help"]]
# Prints, as JSON, which slow libraries are imported after the import of the command line, and after each command.
IMPORTS = f"""
import json, sys
imported = lambda: sorted({SLOW!r} & sys.modules.keys())
from rollback_ops.cli.start import main
found = [imported()]
for typed in {HELP!r}:
    try: main(typed)
    except SystemExit: found.append(imported())
import pydantic
found.append(imported())
print(json.dumps(found), file=sys.stderr)
"""


@pytest.mark.parametrize(("title", "module"), start.MODULES.items())
def test_the_commands_of_a_group_of_the_help_are_in_the_module_that_is_imported_for_them(
    title: str, module: str
) -> None:
    for name in GROUPS[title]:
        callback = app.commands[name].callback
        assert callback is not None
        assert callback.__module__ == f"rollback_ops.cli.verbs.{module}", name


def test_help_imports_no_slow_library() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True, timeout=60)
    command_line, *commands, proof = json.loads(done.stderr)
    assert command_line == []
    for typed, imported in zip(HELP, commands, strict=True):
        assert imported == [], typed
    assert "pydantic" in proof, "a slow library would be noticed"
