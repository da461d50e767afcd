"""Completion in a shell: what the program offers, and that a real bash takes it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from rollback_ops.cli.app import app
from rollback_ops.cli.completion import SHELLS, Shell, script
from rollback_ops.cli.session import Session

SETTINGS = """
[services.bot]
[services.web]
[environments.prod]
hosts = ["deploy@bot1", "deploy@bot2"]
[environments.test]
hosts = ["deploy@bot-test:2222"]
"""


def offered(*words: str, environ: Mapping[str, str] | None = None) -> list[str]:
    *before, typed = words
    completing = ShellComplete(app, {"obj": Session(environ or {})}, "rollback-ops", "")
    return [item.value for item in completing.get_completions(before, typed)]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rollback.toml").write_text(SETTINGS)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("che",), ["check"]),
        (("history", "st"), ["stats"]),
        (("list", "--js"), ["--json"]),
        (("mark", "prod", "r1", "b"), ["bad"]),
        (("rollback", ""), ["prod", "test"]),
        (("history", "list", "--env", "t"), ["test"]),
        (("list", "prod", "--service", "w"), ["web"]),
        (("list", "prod", "--host", ""), ["deploy@bot1", "deploy@bot2"]),
        (("list", "--host", "deploy@bot-"), ["deploy@bot-test:2222"]),
        (("list", "nowhere", "--host", "deploy@bot-"), ["deploy@bot-test:2222"]),
    ],
)
def test_names_come_from_the_commands_and_from_the_settings(
    directory: Path, words: list[str], names: list[str]
) -> None:
    assert offered(*words) == names


def test_the_settings_may_be_in_another_file(directory: Path) -> None:
    (directory / "other.toml").write_text("[environments.stage]\n")
    assert offered("list", "--config", "other.toml", "") == ["stage"]
    assert offered("list", "", environ={"ROLLBACK_CONFIG": "other.toml"}) == ["stage"]


@pytest.mark.parametrize("content", [None, "not toml", "environments = 3", "[environments]\nprod = 3", b"\xff"])
def test_settings_that_cannot_be_read_offer_nothing(directory: Path, content: str | bytes | None) -> None:
    file = directory / "rollback.toml"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert offered("rollback", "") == []
    assert offered("list", "--host", "") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script_that_asks_the_program(shell: Shell) -> None:
    assert f"_ROLLBACK_OPS_COMPLETE={shell}_complete" in script(shell, app)


def test_fish_shows_whole_descriptions_and_offers_values_behind_an_equals_sign() -> None:
    lines = script("fish", app)
    assert 'string split -m 1 ","' in lines
    assert "commandline -t); or echo)$metadata[2]" in lines


@pytest.mark.parametrize(
    ("words", "asked", "offers"),
    [
        (["list", "p"], "p", "prod"),
        (["list", "--host", "dep"], "dep", "deploy@bot1 deploy@bot2 deploy@bot-test:2222"),
        (["list", "--host", "deploy", "@", "bot2"], "@bot2", "@bot2"),
        (["list", "--host", "deploy", "@", "bot-test", ":"], "", "2222"),
        (["list", "--host", "=", "deploy", "@", "bot2"], "@bot2", "@bot2"),
    ],
)
def test_bash_completes_with_it(directory: Path, words: list[str], asked: str, offers: str) -> None:
    """The words are those that bash makes: it breaks them at @, : and =."""
    program = Path(sys.executable).with_name("rollback-ops")
    typed = " ".join(words).replace(" @ ", "@").replace(" :", ":").replace(" = ", "=")
    lines = [
        f'eval "$({program} completion bash)"',
        f"COMP_WORDS=({program} {' '.join(words)}) COMP_CWORD={len(words)} COMP_LINE='{program} {typed}'",
        f"_rollback_ops_whole_words {program} '{asked}' x",
        'echo "${COMPREPLY[@]}"',
    ]
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{offers}\n", "")
