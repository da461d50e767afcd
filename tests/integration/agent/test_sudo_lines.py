"""The line for sudoers that a survey prints allows what a rollback needs, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.agent_sandbox import Sandbox


def line_for(sandbox: Sandbox, command: str) -> str:
    """Return the command as the blocker has it, on a host whose sudo refuses it."""
    sudo = sandbox.tools / "sudo"
    sudo.write_text("#!/bin/sh\nexit 1\n")
    sudo.chmod(0o755)
    definitions = sandbox.text.removesuffix('main "$@"\n')
    blocker = sandbox.execute("may_sudo", command, text=f'{definitions}"$@"\n').stdout.split("\t")
    assert blocker[:2] == ["blocker", "no-sudo"]
    return blocker[2]


# sudo 1.9 allows with each of these lines the command in front of it, and none with another unit.
@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("supervisorctl stop web:*", r"supervisorctl stop web\:\*"),
        ("supervisorctl stop a?[b]#c,d=e", r"supervisorctl stop a\?\[b\]\#c\,d\=e"),
        (r"systemctl stop -- a\x2db.service c.service", r"systemctl stop -- a\\\\x2db.service c.service"),
    ],
)
def test_no_character_of_a_unit_is_a_pattern_in_sudoers(shell: str, tmp_path: Path, command: str, line: str) -> None:
    assert line_for(Sandbox(tmp_path, shell), command).rpartition("/")[2] == line


def test_a_program_of_the_user_is_not_named_where_the_system_has_one(shell: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, shell)
    own = sandbox.tools / "ls"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert line_for(sandbox, "ls -l") in ("/usr/bin/ls -l", "/bin/ls -l")
