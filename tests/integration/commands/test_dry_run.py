"""A variable of the workflow limits a command: a command without that limit refuses, and changes nothing."""

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
    ("verify", *LOCAL),
    ("install", *LOCAL),
    ("uninstall", *LOCAL, "--purge"),
    ("schedule", "add", *LOCAL, "--at", TOMORROW, "--local-store", *WHY),
    ("schedule", "run", "--local", "--local-store"),
]


# Further limits that a command does not have: variable, value, command.
LIMITS = [
    ("ROLLBACK_REHEARSE", "7d", ("rollback", *LOCAL, *WHY)),
    ("ROLLBACK_REHEARSE", "7d", ("drill", *LOCAL)),
    ("ROLLBACK_SHARD", "1", ("guard", *LOCAL)),
    ("ROLLBACK_SHARD", "1", ("resume", *LOCAL)),
    ("ROLLBACK_SHARD", "1", ("drill", *LOCAL)),
    ("ROLLBACK_BACKUP", "b1", ("guard", *LOCAL)),
    ("ROLLBACK_BACKUP", "b1", ("resume", *LOCAL)),
    ("ROLLBACK_BACKUP", "b1", ("schedule", "run", "--local", "--local-store")),
    ("ROLLBACK_IF_CURRENT", "b1", ("guard", *LOCAL)),
    ("ROLLBACK_IF_CURRENT", "b1", ("schedule", "run", "--local", "--local-store")),
    ("ROLLBACK_APPROVED", "0" * 12, ("schedule", "run", "--local", "--local-store")),
    ("ROLLBACK_EMERGENCY", "true", ("drill", *LOCAL)),
]
# A limit that is heeded: nothing is done, as the plan is another one.
HEEDED = [
    ("ROLLBACK_APPROVED", "0" * 12, ("drill", *LOCAL), 1),
    ("ROLLBACK_IF_CURRENT", "b1", ("drill", *LOCAL), 0),
    ("ROLLBACK_APPROVED", "0" * 12, ("schedule", "add", *LOCAL, "--at", TOMORROW, "--local-store", *WHY), 1),
]


def test_a_command_without_a_dry_run_refuses_it_and_changes_nothing(tmp_path: Path) -> None:
    rollback_ops = RollbackOps(tmp_path)
    with OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "healthy"}) as service:
        rollback_ops.settings(service.toml())
        before, there = service.pid(), sorted(service.root.rglob("*"))
        codes = {command: rollback_ops(*command, ROLLBACK_DRY_RUN="true").code for command in COMMANDS}
        assert codes == dict.fromkeys(COMMANDS, 64)
        assert (service.pid(), sorted(service.root.rglob("*"))) == (before, there)


def test_a_limit_that_a_command_cannot_heed_is_refused_and_another_one_is_heeded(tmp_path: Path) -> None:
    rollback_ops = RollbackOps(tmp_path)
    with OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "healthy"}) as service:
        rollback_ops.settings(service.toml())
        before, there = service.pid(), sorted(service.root.rglob("*"))
        wanted = {(name, command): 64 for name, _, command in LIMITS}
        wanted |= {(name, command): code for name, _, command, code in HEEDED}
        asked = [*LIMITS, *((name, value, command) for name, value, command, _ in HEEDED)]
        codes = {(name, command): rollback_ops(*command, **{name: value}).code for name, value, command in asked}
        assert codes == wanted
        assert (service.pid(), sorted(service.root.rglob("*"))) == (before, there)
