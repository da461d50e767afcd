"""A job to run steps in, and the wheels of the lock file, fetched once."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.support.action_steps import PYTHON, Job, machine
from tests.support.lab.image import cache
from tests.support.project import PROJECT


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "temporary", tmp_path / "tools")


@pytest.fixture(scope="session")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of the tests' cache with the ``wheels``, as this machine's package index has them, and ``tools``."""
    lock_file = PROJECT / "action/requirements.lock"
    marks = lock_file.read_bytes() + PYTHON.encode()
    there = cache() / f"action-{hashlib.sha256(marks).hexdigest()[:16]}"
    there.mkdir(parents=True, exist_ok=True)
    with (there / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        job = Job(tmp_path_factory.mktemp("job"), there / "tools")
        job.prepare()
        wheels = there / "wheels"
        if job.outputs["ready"] == "false" or not wheels.is_dir():
            done = job.install(ACTION_WHEELS=str(wheels), **machine())
            assert done.returncode == 0, done
    return there


@pytest.fixture
def ready(fetched: Path, tmp_path: Path) -> Job:
    """A job on a runner that has made the libraries before, with a service of two releases to roll back."""
    service = tmp_path / "service"
    subprocess.run([PROJECT / "tests/support/service.sh", service], check=True)
    job = Job(tmp_path / "temporary", fetched / "tools", workspace=service)
    job.prepare()
    assert job.outputs["ready"] == "true"
    return job
