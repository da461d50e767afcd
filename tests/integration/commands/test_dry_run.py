"""A dry run is asked for in a variable of the workflow: a command that has none refuses it, and changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.command import RollbackOps
from tests.support.on_this_machine import OwnService

LOCAL = ("prod", "--local")
WHY = ("--reason", "just a look")
TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%MZ}"
COMMANDS = [
    ("drill", *LOCAL),
    ("mark", "prod", "b1", "bad", "--local", *WHY),
    ("hold", *LOCAL, *WHY),
    ("arm", *LOCAL),
    ("confirm", *LOCAL),
    ("seal", *LOCAL),
    ("install", *LOCAL),
    ("uninstall", *LOCAL, "--purge"),
    ("schedule", "add", *LOCAL, "--at", TOMORROW, "--local-store", *WHY),
    ("schedule", "run", "--local", "--local-store"),
]


def test_a_command_without_a_dry_run_refuses_it_and_changes_nothing(tmp_path: Path) -> None:
    rollback_ops = RollbackOps(tmp_path)
    with OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "healthy"}) as service:
        rollback_ops.settings(service.toml())
        before, there = service.pid(), sorted(service.root.rglob("*"))
        codes = {command: rollback_ops(*command, ROLLBACK_DRY_RUN="true").code for command in COMMANDS}
        assert codes == dict.fromkeys(COMMANDS, 64)
        assert (service.pid(), sorted(service.root.rglob("*"))) == (before, there)


def test_a_drill_is_no_emergency(tmp_path: Path) -> None:
    rollback_ops = RollbackOps(tmp_path)
    with OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "healthy"}) as service:
        rollback_ops.settings(service.toml())
        before = service.pid()
        assert rollback_ops("drill", *LOCAL, ROLLBACK_EMERGENCY="true").code == 64
        assert service.pid() == before
