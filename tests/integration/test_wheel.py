"""The package as people get it: the wheel that uv builds, run from an environment that has nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.project import PROJECT

UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    # As in a workflow, which is where releases are built.
    environ = {**os.environ, "GITHUB_ACTIONS": "true"}
    subprocess.run([UV, "build", "--quiet", "--wheel", "--out-dir", directory], cwd=PROJECT, env=environ, check=True)
    (built,) = directory.glob("*.whl")
    return built


def test_the_wheel_has_the_agent_and_the_manual_page(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        (page,) = (name for name in names if name.endswith("/share/man/man1/rollback-ops.1"))
        assert opened.read(page).startswith(b".TH ROLLBACK")
    assert "rollback_ops/hosts/agent/sh/transaction.sh" in names


def test_uvx_runs_the_demo_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv"),
        **{name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_", "SSL_"))},
    }
    words: list[str | Path] = [
        UV,
        "tool",
        "run",
        "--isolated",
        "--python",
        sys.executable,
        "--from",
        wheel,
        "rollback-ops",
        "demo",
    ]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ rolled back: v1.11 → v1.9" in done.stdout + done.stderr
