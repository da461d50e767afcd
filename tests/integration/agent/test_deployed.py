"""The times at which releases became live, in a survey."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.agent_sandbox import BAD, GOOD, Sandbox

CAPISTRANO = """\
Branch main (at 5c6a1f) deployed as release r2 by ana
Branch with by in it (at 77aa01) deployed as release r1 by bob
ana rolled back to release r2
Branch main (at 91b07a) deployed as release r3 by ana
"""
DEPLOYER = """\
{"created_at":"2024-01-01T10:00:00+0000","release_name":"r2","user":"ana","target":"HEAD"}
{"created_at":"2024-01-02T10:00:00+0000","release_name":"r1","user":"\\u00e9","target":"HEAD"}
a line that was cut {"created_at":
{"created_at": "2024-01-03T10:00:00+0000", "release_name": "r3", "user": "ana"}
"""


@pytest.fixture
def sandbox(shell: str, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path, shell)


def logged(sandbox: Sandbox) -> list[str]:
    """The releases in the order of the deployment tool's log."""
    found = [release for release in sandbox.host.survey().releases if release.logged]
    return [release.name for release in sorted(found, key=lambda release: release.logged)]


def live_since(sandbox: Sandbox) -> dict[str, float | None]:
    return {release.name: release.live_since for release in sandbox.host.survey().releases}


@pytest.mark.parametrize(("place", "text"), [("revisions.log", CAPISTRANO), (".dep/releases_log", DEPLOYER)])
def test_the_log_of_a_deployment_tool_gives_the_order(sandbox: Sandbox, place: str, text: str) -> None:
    log = sandbox.root / place
    log.parent.mkdir(exist_ok=True)
    log.write_text(text)
    assert logged(sandbox) == ["r2", "r1", "r3"]
    with log.open("a") as more:
        more.write(text.replace("r3", "r9").replace("r1", "r8"))
    assert logged(sandbox) == ["r1", "r3", "r2"]


def test_a_log_that_cannot_be_read_gives_no_order_and_holds_up_nothing(sandbox: Sandbox) -> None:
    os.mkfifo(sandbox.root / "revisions.log")
    (sandbox.root / ".dep" / "releases_log").mkdir(parents=True)
    assert logged(sandbox) == []


def test_a_verification_notes_once_when_a_release_was_live(sandbox: Sandbox) -> None:
    before = int(time.time())
    sandbox.host.record("20240101T000000Z-00000001", {"r3": GOOD}, "")
    first = live_since(sandbox)
    (sandbox.state / "live" / "r3").write_text("1700000000\n")
    sandbox.host.record("20240101T000000Z-00000002", {"r3": BAD}, "")
    assert first["r3"] is not None
    assert before <= first["r3"] <= time.time()
    assert live_since(sandbox) == {"r1": None, "r2": None, "r3": 1700000000}


def test_a_rollback_notes_that_releases_were_live_and_not_when(sandbox: Sandbox) -> None:
    sandbox.host.record("20240101T000000Z-00000001", {"r3": BAD, "r2": GOOD}, '{"id":"x"}')
    assert live_since(sandbox) == {"r1": None, "r2": 0, "r3": 0}


def test_the_creation_of_directories_is_told_where_the_host_knows_it(sandbox: Sandbox) -> None:
    # The shell's own stat, where it has one (BusyBox), does not know it.
    stat = [str(sandbox.tools / "sh"), "-c", 'stat -c %W -- "$0"', str(sandbox.releases / "r1")]
    told = subprocess.run(stat, env={"PATH": sandbox.path}, capture_output=True, text=True, check=False).stdout.strip()
    created = {release.name: release.created for release in sandbox.host.survey().releases}
    assert created["r1"] == (float(told) if told.isdigit() else 0)


@pytest.mark.parametrize(
    ("place", "text", "known"),
    [
        ("revisions.log", CAPISTRANO, ["r2", "r1", "r3"]),
        ("revisions.log", CAPISTRANO[: CAPISTRANO.rindex(" by ")], ["r2", "r1"]),
        (".dep/releases_log", DEPLOYER, ["r2", "r1", "r3"]),
        (".dep/releases_log", DEPLOYER[: DEPLOYER.rindex('", "user"')], ["r2", "r1"]),
    ],
)
def test_a_log_that_ends_in_the_middle_of_a_line_hides_no_release(
    sandbox: Sandbox, place: str, text: str, known: list[str]
) -> None:
    (sandbox.root / place).parent.mkdir(exist_ok=True)
    (sandbox.root / place).write_text(text.rstrip("\n"))
    assert logged(sandbox) == known
    assert sorted(live_since(sandbox)) == ["r1", "r2", "r3"]
