"""The agent's output about pm2's processes. tests/integration/commands/test_pm2.py has it from the real pm2."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rollback_ops.core.errors import UsageError
from rollback_ops.core.model import Unit, UnitState
from rollback_ops.hosts import managers
from tests.support.toolbox import service

SHOP = service("pm2", "shop", "mail")


def parsed(*lines: str) -> tuple[Unit, ...]:
    return managers.parse(SHOP, "rosey", "\n".join(lines))


def test_each_process_of_a_unit_is_shown() -> None:
    assert parsed(
        "app|shop|0|811|online|2|1764241552000|",
        "app|shop|1|812|online|0|1764241553000|",
        "app|mail|4|0|errored|16|1764241553000|",
        "listed",
    ) == (
        Unit("shop 0", "running", pid=811, restarts=2, invocation="1764241552000"),
        Unit("shop 1", "running", pid=812, invocation="1764241553000"),
        Unit("mail", "failed", restarts=16, invocation="1764241553000", detail="errored"),
    )


@pytest.mark.parametrize(
    ("status", "state"),
    [("launching", "starting"), ("waiting?restart", "starting"), ("stopping", "stopping"), ("new", "unknown")],
)
def test_the_words_of_pm2_are_states(status: str, state: UnitState) -> None:
    assert parsed(f"app|shop|0|8|{status}|0|1|", "app|mail|1|9|online|0|1|", "listed")[0].state == state


def test_a_process_that_is_bound_to_a_release_and_one_that_is_missing_keep_a_rollback_from_the_host() -> None:
    shop, mail = parsed("app|shop|0|8|online|0|1|/srv/rosey/releases/2", "missing|mail", "listed")
    assert "/srv/rosey/releases/2" in shop.blocker
    assert mail == Unit("mail", "missing")


@pytest.mark.parametrize("text", ["unknown|the daemon of pm2 does not run", "app|shop|0|8|online|0|1|", ""])
def test_without_the_whole_list_every_state_is_unknown(text: str) -> None:
    assert {unit.state for unit in parsed(text)} == {"unknown"}


@pytest.mark.parametrize("unit", ["all", "0", "/web/", "-f", "a b", "$(id)"])
def test_a_name_that_pm2_takes_for_more_than_one_process_is_refused(unit: str) -> None:
    with pytest.raises(UsageError, match="units"):
        managers.build(service("pm2", unit), "rosey")


@pytest.mark.parametrize("what", ["stop", "kill", "start", "state", "logs"])
def test_no_command_starts_a_daemon_that_is_gone(what: str, tmp_path: Path) -> None:
    program = tmp_path / "pm2"
    program.write_text('#!/bin/sh\n: >"$HOME/started"\n')
    program.chmod(0o755)
    manager = managers.build(SHOP, "rosey")
    environ = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin", "ROLLBACK_FUNCTIONS": manager.functions}
    subprocess.run(["sh", "-c", getattr(manager, what)], env=environ, check=False, capture_output=True)
    assert not (tmp_path / "started").exists()
