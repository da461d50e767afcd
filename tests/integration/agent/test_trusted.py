"""Users who could have written to a host's files: owners without a name, and access control lists."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.agent_sandbox import GOOD, Sandbox
from tests.support.toolbox import tool

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root: files are given to others")


@pytest.fixture(params=["dash", "busybox"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sandbox(shell: str, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path, shell)


def setfacl(*words: str | Path) -> None:
    subprocess.run([tool("setfacl"), *words], check=True)


def problem(sandbox: Sandbox, name: str = "r2") -> str:
    release = sandbox.host.survey().release(name)
    assert release is not None
    return release.problem


# --- numbers ----------------------------------------------------------------------------------------------------


def test_an_owner_without_a_name_is_called_by_number(sandbox: Sandbox) -> None:
    os.chown(sandbox.releases / "r2", 54321, 127)
    assert "54321" in problem(sandbox)
    assert "UNKNOWN" not in problem(sandbox)


@pytest.mark.parametrize(
    ("trusted", "fine"),
    [("54321", True), ("%54322", True), ("5432", False), ("%54321", False), ("UNKNOWN", False), ("54322", False)],
)
def test_an_owner_or_a_group_without_a_name_can_be_trusted_by_number(
    shell: str, tmp_path: Path, trusted: str, fine: bool
) -> None:
    sandbox = Sandbox(tmp_path, shell, trusted=[trusted])
    os.chown(sandbox.releases / "r2", 54321, 54322)
    assert (problem(sandbox) == "") == fine


def test_a_group_without_a_name_that_may_write_is_called_by_number(shell: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, shell)
    os.chown(sandbox.releases / "r2", 0, 54322)
    (sandbox.releases / "r2").chmod(0o775)
    assert "group 54322" in problem(sandbox)


# --- access control lists ---------------------------------------------------------------------------------------

LISTS = [
    # What is granted, and who is told; nothing where nobody else can write.
    ("u:nobody:rwX", "nobody"),
    ("u:54321:rwX", "54321"),
    ("g:daemon:rwX", "group daemon"),
    ("g::rwX,g:daemon:rwX,g:root:r", "group daemon"),
    ("u:nobody:rX", ""),
    ("u:nobody:rwX,m:rX", ""),
    ("u:root:rwX", ""),
    ("u:daemon:rwX", ""),
    ("g:games:rwX", ""),
    ("d:u:nobody:rwX", ""),
]


@pytest.mark.parametrize(("granted", "told"), LISTS)
def test_a_release_that_a_list_lets_somebody_else_write_to_is_not_eligible(
    shell: str, tmp_path: Path, granted: str, told: str
) -> None:
    sandbox = Sandbox(tmp_path, shell, trusted=["daemon", "%games"])
    setfacl("-m", granted.replace("g:daemon", "g:adm"), sandbox.releases / "r2")
    assert told.replace("daemon", "adm") in problem(sandbox)
    assert bool(problem(sandbox)) == bool(told)
    assert problem(sandbox, "r1") == ""


@pytest.mark.parametrize("place", [".", "releases", ".rollback", ".rollback/rosey@prod", ".rollback/journal.jsonl"])
def test_a_place_that_a_list_lets_somebody_else_write_to_refuses_the_rollback(sandbox: Sandbox, place: str) -> None:
    sandbox.host.record("a-run", {"r1": GOOD}, '{"some":"line"}')
    assert sandbox.host.survey().blockers == ()
    setfacl("-m", "u:nobody:rwX", sandbox.root / place)
    (blocker,) = sandbox.host.survey().blockers
    assert "nobody" in blocker
    assert str(sandbox.root / place).removesuffix("/.") in blocker


def test_the_mask_of_a_list_is_not_taken_for_the_rights_of_the_group(sandbox: Sandbox) -> None:
    """The group bits say rwx, and the group itself may only read."""
    release = sandbox.releases / "r2"
    os.chown(release, 0, 1)
    setfacl("-m", "u:root:rwx,g::rx", release)
    assert release.stat().st_mode & 0o070 == 0o070
    assert problem(sandbox) == ""
    setfacl("-m", "g::rwx", release)
    assert "group" in problem(sandbox)


def test_where_getfacl_is_missing_a_list_is_not_trusted_and_plain_bits_are_read_as_before(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    without = tmp_path / "without"
    without.mkdir()
    for directory in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        for program in Path(directory).iterdir():
            if program.name != "getfacl" and not (without / program.name).is_symlink():
                (without / program.name).symlink_to(program)
    sandbox.path = f"{sandbox.tools}:{without}"
    assert shutil.which("getfacl", path=sandbox.path) is None
    for name in ("r1", "r2"):
        (sandbox.releases / name).chmod(0o775)
    setfacl("-m", "u:nobody:rX,m:rwX", sandbox.releases / "r2")
    assert "getfacl" in problem(sandbox, "r2")
    assert problem(sandbox, "r1") == ""


def test_what_a_default_list_of_the_root_would_grant_does_not_reach_the_state(sandbox: Sandbox) -> None:
    setfacl("-m", "d:u:nobody:rwX,d:m:rwX", sandbox.root)
    assert sandbox.switch()[0].outcome == "switched"
    assert sandbox.store.stat().st_mode & 0o077 == 0
    assert sandbox.host.survey().blockers == ()
