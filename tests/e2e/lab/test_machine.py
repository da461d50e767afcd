"""The lab gives back what it takes from the machine, and explains why it cannot work."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lab import ground
from tests.support.lab.lab import Lab
from tests.support.project import PROJECT

# Of what tests stand on, not of the program.
pytestmark = pytest.mark.long


def traces(name: str) -> list[str]:
    """Everything on the machine that carries a lab's name or lies in its directory."""
    directory = f"{ground.BASE}/{name.removeprefix('rolab')}"
    found = [path for path in (directory, f"/sys/class/net/{name}") if Path(path).exists()]
    found += [str(path) for path in Path("/run/netns").glob(f"{name}-*")]
    found += [str(path) for form in (name, f"*/{name}") for path in Path("/sys/fs/cgroup").glob(form)]
    found += [
        line
        for line in Path("/proc/mounts").read_text().splitlines()
        if f" {directory}/" in line or f" {directory} " in line
    ]
    return found + ground.command("pgrep", "-f", "--", f"--machine={name}-", check=False).splitlines()


def left_behind(name: str) -> list[str]:
    """The traces of a lab that is gone; none when the next lab has the number already."""
    with (ground.BASE / f"{name.removeprefix('rolab')}.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return []
        return traces(name)


def python(program: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", program]
    return subprocess.Popen(words, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_closed_lab_leaves_nothing_behind(lab: Lab) -> None:
    with Lab() as other:
        other.boot("short-lived")
        name = other.name
        assert name != lab.name
        assert len(traces(name)) > 5
    assert not left_behind(name)


def test_the_lab_of_a_killed_process_is_swept_by_the_next_one_and_a_living_one_is_not(lab: Lab) -> None:
    program = """
from tests.support.lab.lab import Lab
lab = Lab()
lab.boot("orphan")
print(lab.name, flush=True)
input()
"""
    with python(program) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert len(traces(name)) > 5
        process.send_signal(signal.SIGKILL)
        process.wait()
    Lab().close()
    assert not left_behind(name)
    assert traces(lab.name)


def test_two_processes_that_need_an_image_at_once_build_it_once(lab: Lab, tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "mmdebstrap"
    tool.parent.mkdir()
    tool.write_text(
        f'#!/bin/sh\necho built >>{tmp_path}/builds\nfor word; do case $word in *.partial) mkdir "$word";; esac; done\n'
    )
    tool.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tool.parent}:{os.environ['PATH']}",
        "ROLLBACK_OPS_CACHE": str(tmp_path / "cache"),
    }
    words = [sys.executable, "-c", "from tests.support.lab.image import image; print(image())"]
    both = [subprocess.Popen(words, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) for _ in "12"]
    paths = [process.communicate()[0].strip() for process in both]
    assert paths[0] == paths[1]
    assert Path(paths[0]).is_dir()
    assert (tmp_path / "builds").read_text() == "built\n"


@pytest.mark.parametrize(("ci", "status", "word"), [("", 0, "SKIPPED"), ("true", 1, "ERROR")])
def test_without_its_tools_the_lab_skips_tests_with_the_reason_and_fails_them_in_ci(
    ci: str, status: int, word: str
) -> None:
    node = "tests/e2e/lab/test_lab.py::test_a_booted_host_is_a_machine_of_its_own_where_nothing_failed"
    words = [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.lab.fixtures", "-p", "no:cacheprovider", node]
    environment = {"PATH": "/nowhere", "CI": ci, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout
    assert f"{word} " in done.stdout
    assert "systemd-nspawn" in done.stdout
    assert "run `make test` as root on Debian or Ubuntu" in done.stdout
