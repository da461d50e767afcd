"""The private environment: made of the locked wheels or not at all, whatever the caller has in the environment."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.action_steps import PYTHON, Job, copy_of_the_action
from tests.support.lab.ground import wait_until
from tests.support.small_action import small_action

DAY = 86_400


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A directory for the wheels of ``small``."""
    return tmp_path / "locked"


@pytest.fixture
def small(job: Job, tmp_path: Path, locked: Path) -> Job:
    """A job with an action whose libraries are small."""
    job.action = small_action(tmp_path / "action", locked)
    return job


def index_of(wheels: Path, directory: Path) -> dict[str, str]:
    """What a machine says of its package index: here it has these wheels and nothing else."""
    for wheel in wheels.iterdir():
        project = directory / "index" / re.sub(r"[-_.]+", "-", wheel.name.partition("-")[0]).lower()
        project.mkdir(parents=True)
        (project / "index.html").write_text(f'<!DOCTYPE html><a href="{wheel.as_uri()}">{wheel.name}</a>')
    return {"PIP_INDEX_URL": (directory / "index").as_uri()}


@pytest.fixture
def index(small: Job, locked: Path, tmp_path: Path) -> dict[str, str]:
    return index_of(locked, tmp_path)


def with_wheels(job: Job, locked: Path) -> Path:
    """As the cache of a hosted runner brings them."""
    wheels = Path(job.outputs["wheels"])
    shutil.copytree(locked, wheels, dirs_exist_ok=True)
    return wheels


def whole(job: Job) -> bool:
    return (job.libraries / "fabric").is_dir() and list(job.tools.rglob(".making-*")) == []


def test_wheels_from_the_cache_need_no_index(small: Job, locked: Path, tmp_path: Path) -> None:
    small.prepare()
    assert (small.outputs["ready"], small.libraries.exists()) == ("false", False)
    with_wheels(small, locked)
    done = small.install(PIP_INDEX_URL=(tmp_path / "nowhere").as_uri())
    assert done.returncode == 0, done
    assert whole(small)


def test_what_was_made_once_is_there_for_the_next_job(ready: Job, fetched: Path) -> None:
    assert ready.outputs["ready"] == "true"
    assert ready.libraries.is_relative_to(fetched / "tools")


def test_a_wheel_that_somebody_put_into_the_cache_is_thrown_away(
    small: Job, locked: Path, index: dict[str, str]
) -> None:
    small.prepare()
    wheels = with_wheels(small, locked)
    wheel = next(wheels.glob("fabric-*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"evil")
    done = small.install(**index)
    assert done.returncode == 0, done
    assert wheel.name in done.stderr
    assert whole(small)


def test_a_wheel_of_nothing_that_is_locked_is_thrown_away(small: Job, locked: Path, index: dict[str, str]) -> None:
    small.prepare()
    wheels = with_wheels(small, locked)
    shutil.copy(next(wheels.glob("fabric-*.whl")), wheels / "evil-1.0-py3-none-any.whl")
    done = small.install(**index)
    assert done.returncode == 0, done
    assert whole(small)
    assert {wheel.name.partition("-")[0] for wheel in wheels.iterdir()} == {"fabric", "github", "requests"}


def test_a_wheel_that_is_not_the_locked_one_is_refused(small: Job, index: dict[str, str]) -> None:
    lock = small.action / "action/requirements.lock"
    lock.write_text(re.sub("(?<=sha256:)[0-9a-f]{64}", "0" * 64, lock.read_text(), count=1))
    small.prepare()
    done = small.install(**index)
    assert done.returncode == 1, done
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert "::error title=Rollback Ops::" in done.stderr
    assert not small.libraries.exists()


def test_two_jobs_at_once_do_not_break_each_other(small: Job, locked: Path, tmp_path: Path) -> None:
    other = Job(tmp_path / "other", small.tools, small.action)
    for one in (small, other):
        one.prepare()
        with_wheels(one, locked)
    assert small.libraries == other.libraries
    given = {"ACTION_PYTHON": small.outputs["python"], "ACTION_LIBRARIES": small.outputs["libraries"]}
    both = [one.start("install.sh", ACTION_WHEELS=one.outputs["wheels"], **given) for one in (small, other)]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert whole(small)


def test_what_was_killed_half_way_is_never_used_and_swept_away_later(small: Job, locked: Path) -> None:
    small.prepare()
    with_wheels(small, locked)
    given = {"ACTION_PYTHON": small.outputs["python"], "ACTION_LIBRARIES": small.outputs["libraries"]}
    proof = small.action / "rollback_ops/commands/history.py"
    proof.write_text("import pathlib, signal\npathlib.Path(__file__).with_name('reached').touch()\nsignal.pause()\n")
    with small.start("install.sh", ACTION_WHEELS=small.outputs["wheels"], **given) as process:
        wait_until(proof.with_name("reached").exists, 60, "the proof that the libraries work")
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        for pid in (process.pid, *children):
            os.kill(pid, signal.SIGKILL)
    proof.write_text("")
    (left,) = small.tools.rglob(".making-*")
    small.prepare()
    assert small.outputs["ready"] == "false"
    os.utime(left, (left.stat().st_atime, left.stat().st_mtime - DAY - 60))
    with_wheels(small, locked)
    assert small.install().returncode == 0
    assert whole(small)


def test_libraries_that_lost_a_file_are_made_anew(small: Job, locked: Path) -> None:
    small.prepare()
    with_wheels(small, locked)
    assert small.install().returncode == 0
    small.prepare()
    assert small.outputs["ready"] == "true"
    (small.libraries / "fabric/connection.py").unlink()
    small.prepare()
    assert small.outputs["ready"] == "false"
    with_wheels(small, locked)
    assert small.install().returncode == 0
    small.prepare()
    assert small.outputs["ready"] == "true"


HOSTILE_MODULE = "import pathlib, sys; pathlib.Path({canary!r}).touch()\n"


def pollution(directory: Path) -> dict[str, str]:
    """Variables that callers have for their own purposes; the last lines would run code."""
    evil, canary = directory / "evil", str(directory / "canary")
    evil.mkdir()
    for name in ("sitecustomize", "usercustomize", "rollback_ops", "pip", "requests", "fabric", "hashlib", "start"):
        (evil / f"{name}.py").write_text(HOSTILE_MODULE.format(canary=canary))
    (evil / "evil.sh").write_text(f"touch {canary}\n")
    return {
        "PIP_REQUIRE_VIRTUALENV": "true",
        "PIP_USER": "true",
        "PIP_TARGET": str(directory / "elsewhere"),
        "PIP_PREFIX": str(directory / "elsewhere"),
        "PIP_NO_INDEX": "true",
        "PIP_DRY_RUN": "true",
        "PIP_CONSTRAINT": str(directory / "missing.txt"),
        "PIP_NO_BINARY": ":all:",
        "PIP_PYTHON": "/bin/false",
        "PIP_LOG": str(directory / "missing" / "log"),
        "UV_INDEX_URL": "http://127.0.0.1:9",
        "UV_PYTHON": "2.7",
        "VIRTUAL_ENV": str(directory / "venv"),
        "CONDA_PREFIX": str(directory / "conda"),
        "PYTHONHOME": str(directory / "missing"),
        "PYTHONPATH": str(evil),
        "PYTHONSTARTUP": str(evil / "start.py"),
        "PYTHONWARNINGS": "error",
        "PYTHONUSERBASE": str(evil),
        "BASH_ENV": str(evil / "evil.sh"),
        "ENV": str(evil / "evil.sh"),
    }


def test_nothing_in_the_callers_environment_gets_in_the_way(job: Job, fetched: Path, tmp_path: Path) -> None:
    """With the real libraries: the program starts in the end."""
    job.environ, job.workspace = pollution(tmp_path), tmp_path / "evil"
    job.prepare()
    done = job.install(**index_of(fetched / "wheels", tmp_path))
    assert done.returncode == 0, done
    assert whole(job)
    done = job.step("run.sh", **job.program(ROLLBACK_COMMAND="list"))
    assert (done.returncode, "rollback.toml" in done.stderr) == (64, True), done
    assert not (tmp_path / "canary").exists()
    assert not (tmp_path / "elsewhere").exists()


def test_the_machines_own_pip_configuration_says_where_the_index_is_and_nothing_else(
    small: Job, index: dict[str, str], tmp_path: Path
) -> None:
    settings = small.temporary / ".config/pip/pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        f"[global]\nindex-url = {tmp_path.as_uri()}\nrequire-virtualenv = true\nno-index = true\n"
        f"[install]\nextra-index-url =\n    {index['PIP_INDEX_URL']}\n    {tmp_path.as_uri()}\nuser = true\n"
        f"prefix = {tmp_path}\n"
    )
    small.prepare()
    done = small.install()
    assert done.returncode == 0, done
    assert whole(small)


@pytest.mark.long
def test_a_python_without_pip_will_do(small: Job, index: dict[str, str], tmp_path: Path) -> None:
    subprocess.run([PYTHON, "-I", "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    small.prepare(ROLLBACK_PYTHON_PATH=str(tmp_path / "bare/bin/python"))
    done = small.install(**index)
    assert done.returncode == 0, done
    assert whole(small)


def test_a_store_that_others_can_write_to_is_not_trusted(job: Job) -> None:
    (job.tools / "rollback-ops").mkdir(parents=True)
    (job.tools / "rollback-ops").chmod(0o777)
    job.prepare()
    assert job.libraries.is_relative_to(job.temporary)


def test_a_runner_without_a_tool_cache_will_do(job: Job) -> None:
    job.environ["RUNNER_TOOL_CACHE"] = ""
    job.prepare()
    assert job.libraries.is_relative_to(job.temporary)


def test_a_newer_lock_file_is_another_environment(job: Job, tmp_path: Path) -> None:
    job.prepare()
    before = job.libraries
    job.action = copy_of_the_action(tmp_path / "action")
    lock = job.action / "action/requirements.lock"
    lock.write_text(lock.read_text() + "# newer\n")
    job.prepare()
    assert job.libraries != before


def test_a_warm_start_takes_no_time_to_speak_of(ready: Job) -> None:
    before = os.times()
    ready.prepare()
    done = ready.step("run.sh", **ready.program(ROLLBACK_COMMAND="list", ROLLBACK_ENVIRONMENT="nowhere"))
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert (done.returncode, used < 1.5) == (64, True), (done, used)
