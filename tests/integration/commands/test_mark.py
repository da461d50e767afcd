"""``mark``: what a person says of a release, and what later rollbacks make of it."""

from __future__ import annotations

from pathlib import Path

from tests.support.command import RollbackOps
from tests.support.on_this_machine import OwnService

LOCAL = ("prod", "--local")


def test_a_mark_decides_about_the_next_rollback_and_can_be_taken_back(
    rollback_ops: RollbackOps, tmp_path: Path
) -> None:
    with OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "healthy", "b3": "healthy"}) as service:
        rollback_ops.settings(service.toml())
        said = rollback_ops("mark", "prod", "b2", "bad", "--local", "--reason", "loses messages", "--json")
        assert (said.code, said.document["mark"], len(said.document["hosts"])) == (0, "bad", 1), said.err
        listed = rollback_ops("list", *LOCAL)
        assert "loses messages" in listed.out
        assert rollback_ops("list", *LOCAL, "--json").document["target"] == "b1"
        assert rollback_ops("mark", "prod", "b2", "clear", "--local", "--reason", "a false alarm").code == 0
        assert rollback_ops("list", *LOCAL, "--json").document["target"] == "b2"


def test_a_mark_needs_a_release_that_is_there_a_word_and_a_reason(rollback_ops: RollbackOps, tmp_path: Path) -> None:
    with OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "healthy"}) as service:
        rollback_ops.settings(service.toml())
        reason = ("--local", "--reason", "loses messages")
        assert rollback_ops("mark", "prod", "b9", "bad", *reason).code == 1
        assert rollback_ops("mark", "prod", "b1", *reason).code == 64
        assert rollback_ops("mark", "prod", "b1", "perhaps", *reason).code == 64
        assert rollback_ops("mark", "prod", "b1", "bad", "--local").code == 64
        assert {r["mark"] for r in rollback_ops("list", *LOCAL, "--json").document["hosts"][0]["releases"]} == {""}
