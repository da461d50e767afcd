"""``pin``: known good releases have the newest times, for a clean-up that deletes the oldest ones."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from rollback_ops.core.model import Release
from rollback_ops.hosts.agent import bundle
from tests.support.agent_sandbox import BAD, GOOD, Sandbox
from tests.support.breakglass_sandbox import Standalone
from tests.support.trees.tool import by_time

RUN, LATER, LATEST = (f"2024010{day}T000000Z-00000001" for day in (1, 2, 3))
SHELLS = ("dash", "busybox")
STRANGER = 54321


@pytest.fixture(params=SHELLS)
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    return aged(Sandbox(tmp_path, str(request.param), pin=2))


def aged(sandbox: Sandbox) -> Sandbox:
    """Let the releases be a day old, and r1 the oldest."""
    for age, name in enumerate(("r3", "r2", "r1"), 86_400):
        os.utime(sandbox.releases / name, times=(0, sandbox.root.stat().st_mtime - age))
    return sandbox


def verified(sandbox: Sandbox, name: str, run: str) -> None:
    """Do what a guard does that found this release healthy."""
    sandbox.current.unlink()
    sandbox.current.symlink_to(f"releases/{name}")
    sandbox.host.record(run, {name: GOOD}, "")


def test_the_live_release_and_the_last_known_good_one_become_the_newest(sandbox: Sandbox) -> None:
    verified(sandbox, "r1", RUN)
    verified(sandbox, "r2", LATER)
    sandbox.release("r4")
    assert by_time(sandbox.releases) == ["r4", "r2", "r1", "r3"]
    verified(sandbox, "r3", LATEST)
    assert by_time(sandbox.releases) == ["r3", "r2", "r4", "r1"]


def test_after_a_rollback_the_release_that_was_left_is_the_first_that_a_clean_up_takes(sandbox: Sandbox) -> None:
    for name, run in (("r1", RUN), ("r2", LATER)):
        verified(sandbox, name, run)
    bad = sandbox.release("r4")
    os.utime(bad, times=(0, sandbox.root.stat().st_mtime - 60))
    sandbox.host.record(LATEST, {"r4": BAD, "r2": GOOD}, "")
    assert by_time(sandbox.releases) == ["r2", "r1", "r4", "r3"]


@pytest.mark.parametrize("marks", [{"r1": BAD}, {"r1": ("left", "a drill")}])
def test_what_is_bad_or_was_left_is_not_pinned(sandbox: Sandbox, marks: dict[str, tuple[str, str]]) -> None:
    verified(sandbox, "r1", RUN)
    aged(sandbox)
    (word, why) = marks["r1"]
    assert sandbox.execute("record", LATER, "", f"{word}={why}", "r1", "good", "r3").returncode == 0
    assert by_time(sandbox.releases)[-1] == "r1"


def test_the_order_the_age_and_what_is_known_of_releases_stay(sandbox: Sandbox) -> None:
    verified(sandbox, "r1", RUN)
    verified(sandbox, "r3", LATER)
    before = sandbox.host.survey().releases
    aged(sandbox)
    sandbox.host.mark_as(LATEST, "r2", "good", "it works")
    assert by_time(sandbox.releases)[0] == "r3"

    def known(releases: tuple[Release, ...]) -> list[Release]:
        return [replace(r, modified=0) for r in releases if r.name != "r2"]

    assert known(sandbox.host.survey().releases) == known(before)


def test_a_release_whose_age_would_change_is_not_touched(tmp_path: Path) -> None:
    """BusyBox knows no creation times, and a rollback does not say since when its target is live."""
    sandbox = aged(Sandbox(tmp_path, "busybox", pin=2))
    (sandbox.tools / "stat").symlink_to(sandbox.tools / "sh")
    sandbox.host.record(RUN, {"r2": GOOD}, '{"event":"a rollback"}')
    assert by_time(sandbox.releases) == ["r3", "r2", "r1"]
    verified(sandbox, "r1", LATER)
    assert by_time(sandbox.releases) == ["r1", "r3", "r2"]


def test_without_the_setting_no_time_changes(tmp_path: Path) -> None:
    sandbox = aged(Sandbox(tmp_path, "dash"))
    before = [(path.name, path.stat().st_mtime_ns) for path in sandbox.releases.iterdir()]
    verified(sandbox, "r1", RUN)
    assert [(path.name, path.stat().st_mtime_ns) for path in sandbox.releases.iterdir()] == before


@pytest.mark.parametrize("shell", SHELLS)
def test_break_glass_pins_what_it_went_back_to(shell: str, tmp_path: Path) -> None:
    sandbox = Standalone(tmp_path, shell, pin=2)
    verified(sandbox, "r1", RUN)
    verified(sandbox, "r2", LATER)
    sandbox.current.unlink()
    sandbox.current.symlink_to("releases/r3")
    aged(sandbox)
    done = sandbox.break_glass("--reason", "logins fail", "--bad")
    assert done.returncode == 0, done.stderr
    assert by_time(sandbox.releases) == ["r2", "r1", "r3"]


@pytest.mark.parametrize(
    ("place", "named"),
    [("revisions.log", "Capistrano"), (".dep/releases_log", "Deployer"), ("releases/r3/.mina_git_revision", "Mina")],
)
def test_a_tool_that_goes_by_names_is_told_from_those_that_go_by_times(
    place: str, named: str, sandbox: Sandbox
) -> None:
    assert sandbox.host.survey().notes == ()
    (sandbox.root / place).parent.mkdir(exist_ok=True)
    (sandbox.root / place).touch()
    (note,) = sandbox.host.survey().notes
    assert named in note


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can log in as others")
@pytest.mark.parametrize(("login", "told"), [(0, False), (STRANGER, True)])
def test_a_login_that_may_not_set_the_time_of_a_release_is_told_so(login: int, told: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        sandbox = Sandbox(Path(directory), "dash", pin=2)
        words = ["setpriv", f"--reuid={login}", f"--regid={login}", "--clear-groups", "sh", "-c"]
        done = subprocess.run(
            [*words, bundle.command(sandbox.text, "survey")],
            env={"PATH": sandbox.path},
            capture_output=True,
            text=True,
            check=True,
        )
    assert ("pin-not-owner" in done.stdout) == told
