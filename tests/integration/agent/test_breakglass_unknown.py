"""What a program of the host lost or left half done is unknown to break-glass: it changes nothing then."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rollback_ops.config import HttpCheck
from rollback_ops.hosts.agent import questions
from tests.support.agent_sandbox import MACHINE
from tests.support.breakglass_sandbox import Standalone

WHY = ("--reason", "logins fail since the deploy")


@pytest.fixture
def sandbox(shell: str, tmp_path: Path) -> Standalone:
    return Standalone(tmp_path, shell)


def in_place_of(sandbox: Standalone, program: str, text: str) -> None:
    """Put a shell script in the place of a program; $REAL is the one of this machine."""
    (sandbox.tools / program).write_text(f"#!/bin/sh\nPATH={MACHINE}\n{text.replace('$REAL', program)}\n")
    (sandbox.tools / program).chmod(0o755)


def refused(sandbox: Standalone) -> bool:
    before = sandbox.current.readlink()
    ended = sandbox.break_glass(*WHY)
    return ended.returncode == 1 and sandbox.current.readlink() == before


def test_a_survey_that_lost_its_end_is_none(sandbox: Standalone) -> None:
    in_place_of(sandbox, "tr", 'sed "/^release.r2/,\\$d" | $REAL "$@"')
    assert refused(sandbox)


def test_a_state_of_the_units_that_got_lost_is_none(sandbox: Standalone) -> None:
    in_place_of(sandbox, "sed", 'case $2 in s/^state*) kill -KILL $$ ;; esac\n$REAL "$@"')
    assert refused(sandbox)


def test_a_decision_that_awk_did_not_end_is_none(sandbox: Standalone) -> None:
    in_place_of(sandbox, "awk", '$REAL "$@" | sed 1q\nexit 137')
    assert refused(sandbox)


def test_a_manifest_whose_comparison_got_lost_does_not_pass(sandbox: Standalone) -> None:
    sandbox.host_with(MACHINE).seal("r2")
    in_place_of(sandbox, "tr", 'sed "/^manifest/d" | $REAL "$@"')
    assert refused(sandbox)


def test_a_check_that_prints_what_a_comparison_says_is_not_taken_for_it(shell: str, tmp_path: Path) -> None:
    check = {"kind": "command", "run": "printf 'manifest\\tfailed\\n'", "phase": "before"}
    sandbox = Standalone(tmp_path, shell, checks={"words": check})
    assert sandbox.break_glass(*WHY).returncode == 0
    assert sandbox.running() == "r2"


def asked(sandbox: Standalone, question: str) -> int:
    """Return the exit status of a question of our own."""
    words = [str(sandbox.tools / "sh"), "-c", question]
    return subprocess.run(words, env={"PATH": sandbox.path}, capture_output=True, timeout=60, check=False).returncode


KILLED = "kill -KILL $$"
HEALTH = HttpCheck.model_validate(
    {"kind": "http", "url": "http://localhost/", "text": "ready", "fields": {"a": 1}, "source": "host"}
)


@pytest.mark.parametrize(("killed", "status"), [(None, 0), ("curl", 126), ("grep", 126), ("tr", 126)])
def test_an_answer_that_was_not_compared_is_unknown(sandbox: Standalone, killed: str | None, status: int) -> None:
    in_place_of(sandbox, "curl", """printf 'ready\\n{"a": 1}\\n200'""")
    if killed:
        in_place_of(sandbox, killed, KILLED)
    assert asked(sandbox, questions.http(HEALTH, "r2")) == status


@pytest.mark.parametrize(
    ("command", "status"),
    [("echo line 1; echo x", 70), ("echo x; echo line 1", 70), ("echo outline", 0), ("exit 3", 126)],
)
def test_a_log_is_judged_without_a_program_that_may_be_killed(sandbox: Standalone, command: str, status: int) -> None:
    in_place_of(sandbox, "grep", KILLED)
    assert asked(sandbox, questions.logs(command)) == status


def test_whether_it_was_restarted_is_unknown_where_its_identity_was_not_read(shell: str, tmp_path: Path) -> None:
    sandbox = Standalone(tmp_path, shell, verify={"min_healthy_time": "0s", "healthy_deadline": "1s"})
    in_place_of(sandbox, "grep", f'case $1 in -oE) {KILLED} ;; esac\n$REAL "$@"')
    ended = sandbox.break_glass(*WHY)
    assert ended.returncode == 2
    assert sandbox.running() == "r2"
