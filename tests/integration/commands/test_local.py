"""--local: the machine that the command runs on, without SSH."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.on_this_machine import OwnService
from tests.support.scene import PATIENT, QUICK, WHY


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[OwnService]:
    with OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "healthy", "b3": "unhealthy"}) as service:
        yield service


def test_a_service_of_this_machine_is_rolled_back_without_ssh(tmp_path: Path, own_service: OwnService) -> None:
    rollback_ops = RollbackOps(tmp_path)
    rollback_ops.settings(own_service.toml(verify=QUICK))
    assert own_service.health() == ("unhealthy", "b3")

    ended = rollback_ops("rollback", "prod", "--local", *WHY, "--json")

    assert ended.code == 0, ended.err
    assert (ended.document["outcome"], ended.document["hosts"][0]["host"]) == ("succeeded", "localhost")
    assert own_service.health() == ("ok", "b2")
    listed = rollback_ops("list", "prod", "--local", "--json").document
    found = listed["hosts"][0]["releases"]
    marks = {r["name"]: r["mark"] or (r["left_by"] and "left") for r in found}
    # Its check had failed before the stop, unless this machine was too busy to ask.
    assert marks.pop("b3") in ("bad", "left")
    assert marks == {"b1": "", "b2": "good"}


def test_3_a_service_whose_own_stop_fails_goes_on_undisturbed(tmp_path: Path, own_service: OwnService) -> None:
    rollback_ops = RollbackOps(tmp_path)
    commands = {**own_service.commands, "stop": "echo cannot >&2; exit 1", "logs": "cat ../../log"}
    rollback_ops.settings(own_service.toml(verify=QUICK, commands=commands))
    process = own_service.pid()

    ended = rollback_ops("rollback", "prod", "--local", *WHY, "--json")

    assert (ended.code, ended.document["outcome"]) == (3, "restored"), ended.err
    assert own_service.health() == ("unhealthy", "b3")
    assert own_service.pid() == process
    assert (own_service.root / "current").readlink() == Path("releases/b3")


def at_a_terminal(directory: Path, answer: str, *typed: str) -> tuple[int, str]:
    """Run the command at a terminal. Returns its exit code and the text of the terminal."""
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "USER": "ana", "TERM": "xterm"}
    words = [sys.executable, "-m", "rollback_ops", *typed]
    process = subprocess.Popen(
        words, cwd=directory, env=environment, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    told = b""
    with suppress(OSError):
        while part := os.read(ours, 4096):
            told += part
    os.close(ours)
    return process.wait(60), told.decode()


def test_a_person_at_a_terminal_is_asked_for_the_reason_and_sees_the_seconds_counted(
    tmp_path: Path, own_service: OwnService
) -> None:
    # What is live after it answers and is not healthy. So many failures take more than two seconds.
    rollback_ops = RollbackOps(tmp_path)
    health = {**own_service.health_check, "fail_fast": True, "failure_threshold": 14}
    rollback_ops.settings(own_service.toml(verify=PATIENT, checks={"health": health}))
    (own_service.root / "releases" / "b2" / "behaviour").write_text("unhealthy")

    code, terminal = at_a_terminal(tmp_path, "no\nlogins fail\n", "rollback", "prod", "--local")

    assert (code, terminal.count("Why? ")) == (2, 2), terminal
    (record,) = rollback_ops("history", "list", "--local", "--json").document["records"]
    assert record["reason"] == "logins fail"
    assert re.search(r"verify \d+ s of \d+ s: health: ", terminal), terminal


def test_nobody_is_asked_where_the_answer_would_be_a_programs(tmp_path: Path, own_service: OwnService) -> None:
    RollbackOps(tmp_path).settings(own_service.toml(verify=QUICK))
    code, terminal = at_a_terminal(tmp_path, "logins fail\n", "rollback", "prod", "--local", "--json")
    assert (code, "Why?" in terminal) == (64, False)
    ended = RollbackOps(tmp_path)("rollback", "prod", "--local")
    assert (ended.code, "Why?" in ended.err) == (64, False)


def test_history_since_a_time_leaves_out_what_was_before(tmp_path: Path, own_service: OwnService) -> None:
    rollback_ops = RollbackOps(tmp_path)
    rollback_ops.settings(own_service.toml())
    assert rollback_ops("history", "log", "prod", "--to", "b1", "--local", *WHY).code == 0

    def found(*since: str) -> int:
        return len(rollback_ops("history", "list", "--local", "--json", *since).document["records"])

    assert [found("--since", since) for since in ("1h", "2000-01-01", "0s")] == [1, 1, 0]
    assert found() == 1
    for wrong in ("tomorrow", "2100-01-01"):
        assert rollback_ops("history", "list", "--local", "--since", wrong).code == 64
