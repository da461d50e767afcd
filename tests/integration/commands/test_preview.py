"""``preview``: what a rollback would take away, with a real repository of git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.toml import dump
from tests.support.receiver import receiver

LOCAL = ("prod", "--local")
WHY = ("--reason", "logins fail")


def commit(here: Path, title: str) -> str:
    """Make a commit, and return its SHA."""
    who = ["-c", "user.name=ana", "-c", "user.email=ana@example.org"]
    subprocess.run(["git", "-C", here, *who, "commit", "-q", "--allow-empty", "-m", title], check=True)
    return subprocess.run(
        ["git", "-C", here, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def service(rollback_ops: RollbackOps, tmp_path: Path) -> Path:
    """Releases b1 and b2, which is live, with a migration each."""
    root = tmp_path / "shop"
    for number in (1, 2):
        for each in range(1, number + 1):
            path = root / f"releases/b{number}/sql/00{each}_item.sql"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (root / "current").symlink_to("releases/b2")
    section = {"root": str(root), "manager": "custom", "schema": {"migrations": ["sql/*.sql"]},
               "notify": {"on": ["start"]},
               "commands": {"start": "true", "stop": "true", "status": "true"}}  # fmt: skip
    rollback_ops.settings(dump({"services": {"shop": section}, "environments": {"prod": {}}}))
    return root


def test_it_says_which_commits_and_migrations_leave_the_hosts(rollback_ops: RollbackOps, service: Path) -> None:
    here = rollback_ops.directory
    subprocess.run(["git", "init", "-q", here], check=True)
    (service / "releases/b1/REVISION").write_text(f"{commit(here, 'First')}\n")
    shas = [commit(here, f"Change {number}") for number in range(25)]
    (service / "releases/b2/REVISION").write_text(f"{shas[-1]}\n")
    found = rollback_ops("preview", *LOCAL, "--json").document
    assert (found["leaves"]["name"], found["returns_to"]["name"]) == ("b2", "b1")
    commits = found["commits"]
    assert (commits["count"], len(commits["first"]), commits["linear"]) == (25, 20, True)
    assert (commits["first"][0]["title"], commits["first"][0]["author"]) == ("Change 24", "ana")
    assert found["migrations"] == ["sql/002_item.sql"]
    shown = rollback_ops("preview", *LOCAL)
    assert (shown.code, shown.out.startswith("leaves b2")) == (0, True)
    assert (service / "current").readlink() == Path("releases/b2")
    checked = rollback_ops("check", *LOCAL, ROLLBACK_IGNORE_SCHEMA="true").out
    assert ("25 commits: Change 24" in checked, found["hash"][:16] in checked) == (True, True)
    back = rollback_ops("preview", *LOCAL, "--to", "b2")
    assert back.code == 1
    assert rollback_ops("rollback", *LOCAL, *WHY, "--approved", "0" * 64).code == 1
    assert rollback_ops("rollback", *LOCAL, *WHY, "--approved", "0" * 11).code == 64
    asked = ("rollback", *LOCAL, *WHY, "--ignore-schema", "--approved", found["hash"], "--json")
    with receiver() as team:
        done = rollback_ops(*asked, ROLLBACK_WEBHOOK_URL=team.url)
    assert "25 commits: Change 24" in next(text for text in map(str, team.documents) if "started" in text)
    assert (done.code, done.document["approved"]) == (0, found["hash"])


@pytest.mark.parametrize("revisions", [("", ""), ("0" * 40, "1" * 40), ("--output=x", "$(id)")])
def test_what_cannot_be_had_is_said_and_blocks_nothing(
    rollback_ops: RollbackOps, service: Path, revisions: tuple[str, str]
) -> None:
    for release, revision in zip(("b1", "b2"), revisions, strict=True):
        (service / f"releases/{release}/REVISION").write_text(f"{revision}\n")
    ended = rollback_ops("preview", *LOCAL, "--json")
    assert (ended.code, ended.document["commits"]["count"], bool(ended.document["commits"]["why"])) == (0, 0, True)
