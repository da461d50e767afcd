"""The line for sudoers that a survey prints allows what a rollback needs, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.agent_sandbox import Sandbox


def blocker_for(sandbox: Sandbox, command: str) -> list[str]:
    """Return the fields of the blocker, on a host whose sudo refuses a command."""
    sudo = sandbox.tools / "sudo"
    sudo.write_text("#!/bin/sh\nexit 1\n")
    sudo.chmod(0o755)
    definitions = sandbox.text.removesuffix('main "$@"\n')
    blocker = sandbox.execute("may_sudo", command, text=f'{definitions}"$@"\n').stdout.split("\t")
    assert blocker[:2] == ["blocker", "no-sudo"]
    return blocker[2:]


def line_for(sandbox: Sandbox, command: str) -> str:
    return blocker_for(sandbox, command)[0]


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


def test_a_user_of_a_domain_is_named_as_sudoers_names_it(shell: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, shell)
    (sandbox.tools / "id").write_text("#!/bin/sh\nprintf '%s\\n' 'SHOP\\me'\n")
    (sandbox.tools / "id").chmod(0o755)
    assert blocker_for(sandbox, "ls -l")[1].rstrip("\n") == r"SHOP\\me"
