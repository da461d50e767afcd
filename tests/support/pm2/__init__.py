"""The real pm2 (from npm), with a daemon of its own for a test."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.support.lab.image import cache
from tests.support.toolbox import tool


class Pm2:
    """A daemon of pm2 in a home directory. It ends with the context, and its processes with it."""

    def __init__(self, home: Path) -> None:
        modules = cache() / "pm2" / "node_modules" / ".bin"
        if not (modules / "pm2").exists():
            (pytest.fail if os.environ.get("CI") else pytest.skip)("pm2 is not installed: run tests/packages.sh")
        self.environment = {"HOME": str(home), "PATH": f"{modules}:{Path(tool('node')).parent}:{os.environ['PATH']}"}

    def __enter__(self) -> Self:
        self("ping")
        return self

    def __exit__(self, *_: object) -> None:
        self("kill")

    def __call__(self, *words: str, directory: Path | None = None) -> str:
        done = subprocess.run(
            ["pm2", *words], cwd=directory, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout
