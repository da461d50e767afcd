"""A command that cannot go on ends with an exit code of the contract, a message, and no traceback."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rollback_ops.core.errors import Exit
from tests.support.command import RollbackOps
from tests.support.project import PROJECT

SETTINGS = """
[services.bot]
root = "/nowhere/bot"
manager = "custom"
commands = { start = "true", stop = "true", status = "true" }
[environments.prod]
"""
SECRET = "correct-horse-battery-staple"


@pytest.fixture
def rollback_ops(tmp_path: Path) -> RollbackOps:
    made = RollbackOps(tmp_path)
    made.settings(SETTINGS)
    return made


def run(rollback_ops: RollbackOps, arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command line of a shell, in which ``rollback-ops`` is the command."""
    script = f'rollback-ops() {{ "{sys.executable}" -m rollback_ops "$@"; }}\n{arguments}'
    return subprocess.run(
        ["bash", "-c", script],
        cwd=rollback_ops.directory,
        env=rollback_ops.environment(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        # What a rollback came to does not depend on whether anybody can be shown it.
        ("rollback-ops check prod --local --json >/dev/full", 1, "No space left on device"),
        ("rollback-ops list prod --local --json >/dev/full", 4, "No space left on device"),
        (
            "rollback-ops list prod --local | true; exit ${PIPESTATUS[0]}",
            0,
            "",
        ),
        ("rollback-ops check prod --local >&-", 1, ""),
        ("rollback-ops check prod --local 2>&-", 1, ""),
        ("rollback-ops check prod --local >/dev/full 2>&1", 1, ""),
        ("rollback-ops list prod --local --host x 2>/dev/full", 64, ""),
        ("{ rollback-ops check prod --local 2>&1; echo $? >code; } | true; exit $(cat code)", 1, ""),
        ("rollback-ops check prod --config /dev/zero", 64, "error: /dev/zero: "),
        ("rollback-ops check prod --config /dev/null", 64, 'error: there is no environment "prod"'),
        (
            "rollback-ops check prod --config /proc/self/mem",
            64,
            "error: /proc/self/mem: cannot be read: Input/output error",
        ),
        ("rollback-ops check prod --config \"$(printf 'a\\nb')\"", 64, "error: a\\nb: there is no such file"),
        (
            "mkdir gone; cd gone; rmdir ../gone; rollback-ops check prod",
            64,
            "error: rollback.toml: there is no such file",
        ),
        ("rollback-ops check $'\\xff' --local", 64, 'error: there is no environment "\\udcff"'),
        (
            "rollback-ops check prod --local --service $'\\xff\\x1b[31m'",
            64,
            'error: there is no service "\\udcff\\x1b[31m"',
        ),
        ("ulimit -n 6; rollback-ops check prod --local", 4, "error: a defect in rollback-ops: OSError: [Errno 24]"),
    ],
)
def test_what_is_in_the_way_is_told_in_words(rollback_ops: RollbackOps, arguments: str, code: int, words: str) -> None:
    ended = run(rollback_ops, arguments)
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert words in ended.stderr
    assert ended.returncode == code


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_an_output_that_knows_few_characters_gets_escapes_for_the_others(
    rollback_ops: RollbackOps, encoding: str
) -> None:
    ended = run(rollback_ops, "rollback-ops check prod --local", PYTHONIOENCODING=encoding)
    assert ended.returncode == Exit.REFUSED
    assert "\\u2717 " in ended.stdout
    ended = run(rollback_ops, "rollback-ops check prod --local --json", PYTHONIOENCODING=encoding, GITHUB_ACTOR="Zoë✓")
    assert '"actor": "Zo\\u00eb\\u2713"' in ended.stdout


def test_the_file_of_the_record_is_its_owners_only_and_takes_the_place_of_nothing_else(
    rollback_ops: RollbackOps, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    ask = ("rollback", "prod", "--local", "--reason", "logins fail")
    for place in ("pipe", "folder", "/dev/null"):
        ended = rollback_ops(*ask, "--record", place)
        assert (ended.code, place in ended.err) == (1, True)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    rollback_ops(*ask, "--record", "record.json")
    assert stat.S_IMODE((tmp_path / "record.json").stat().st_mode) == 0o600


def run_python(script: str) -> subprocess.CompletedProcess[str]:
    """Run what has the secret in its environment, and ends well."""
    environment = {"PATH": os.environ["PATH"], "ROLLBACK_WEBHOOK_URL": SECRET}
    words = [sys.executable, "-c", script]
    return subprocess.run(words, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)


def test_a_defect_in_a_thread_is_told_without_secrets_and_without_a_traceback() -> None:
    script = f"""
import threading
from rollback_ops.cli.exit import guard_outputs
from rollback_ops.cli.session import Session
def leaking():
    raise KeyError("{SECRET} password=hunter22")
guard_outputs(Session({{"ROLLBACK_WEBHOOK_URL": "{SECRET}"}}).crashed)
thread = threading.Thread(target=leaking)
thread.start()
thread.join()
"""
    done = run_python(script)
    assert (done.stderr.startswith("error: "), "KeyError" in done.stderr) == (True, True)
    for leaked in (SECRET, "hunter22", "Traceback"):
        assert leaked not in done.stderr


def test_a_defect_is_told_with_its_place_and_without_secrets() -> None:
    script = f"""
from rollback_ops.cli.session import Session
from rollback_ops.config import reason
def broken():
    reason.reason_for(type("Request", (), {{"trigger": property(lambda _: 1 / 0)}}))
def leaking():
    raise KeyError("{SECRET} password=hunter22\\x1b[31m\\n::error::" + "x" * 5000)
session = Session({{"ROLLBACK_WEBHOOK_URL": "{SECRET}"}})
print(session.run(broken), session.run(leaking))
"""
    done = run_python(script)
    assert done.stdout == "4 4\n"
    lines = done.stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert "rollback-ops list" in lines[1]
    assert "reason.py:" in lines[2]
    assert (lines[3].startswith("error: "), "KeyError" in lines[3]) == (True, True)
    assert len(lines[3]) < 400
    for leaked in (SECRET, "hunter22", "\x1b"):
        assert leaked not in done.stderr
