"""``history show``: what the host keeps of one run."""

from __future__ import annotations

from pathlib import Path

from tests.support.command import RollbackOps
from tests.support.on_this_machine import OwnService
from tests.support.scene import QUICK

LOCAL = ("prod", "--local")
RELEASES = {"b1": "healthy", "b2": "healthy", "b3": "healthy"}


def test_one_run_is_read_back_with_its_events_and_its_log_until_a_later_one_comes(tmp_path: Path) -> None:
    rollback_ops = RollbackOps(tmp_path)
    with OwnService(tmp_path / "bot", RELEASES) as service:
        logs = {"logs": "echo 'the log, with s3cr3t-of-ours'"}
        rollback_ops.settings(
            service.toml(verify=QUICK, mask=["s3cr3t-[a-z-]+"], commands={**service.commands, **logs})
        )
        first = rollback_ops("rollback", *LOCAL, "--reason", "the first", "--json").document["id"]
        found = rollback_ops("history", "show", first, "--local", "--json")
        (host,) = found.document["hosts"]
        assert (found.code, found.document["record"]["id"]) == (0, first)
        assert [e["about"] for e in host["events"] if e["what"] == "step"][:2] == ["stop", "switch"]
        assert host["log"] == ["the log, with ***"]
        rollback_ops("rollback", *LOCAL, "--reason", "the second", "--to", "b1")
        later = rollback_ops("history", "show", first, "--local")
        assert (later.code, "b3" in later.out, "the log" in later.out) == (0, True, False)


def test_a_run_that_no_journal_knows_is_refused(tmp_path: Path) -> None:
    rollback_ops = RollbackOps(tmp_path)
    with OwnService(tmp_path / "bot", RELEASES) as service:
        rollback_ops.settings(service.toml(verify=QUICK))
        ended = rollback_ops("history", "show", "20260101T000000Z-00000000", "--local")
    assert (ended.code, "history list" in ended.err) == (1, True)
