"""The real Shipit (shipit-cli and shipit-deploy, from npm)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.support.lab.image import cache
from tests.support.toolbox import tool
from tests.support.trees.tool import RepositoryTool, run

HERE = Path(__file__).parent


def shipit(task: str, **variables: object) -> bool:
    """Run a task of the project, and return whether it succeeded; see ``capistrano.cap``.

    REPOSITORY is on this machine.
    """
    modules = cache() / "shipit" / "node_modules"
    if not modules.is_dir():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Shipit is not installed: run tests/packages.sh")
    command = [tool("node"), str(modules / "shipit-cli" / "bin" / "shipit"), "prod", task]
    path = f"{HERE}:{os.environ['PATH']}"
    return run(command, HERE / "shipit_project", {"NODE_PATH": modules, "PATH": path, **variables})


class Shipit(RepositoryTool):
    """Deploys with rsync and ``ssh``, which runs its commands on this machine here.

    When rsync fails, the copy of the live release is there already.
    """

    name = "Shipit"
    # A release begins as a copy of the live one, so a marker without its name would be in it from the beginning.
    settings: ClassVar[dict[str, Any]] = {"requires": [".deployed-{release}"]}

    roll_back_task = "rollback"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        tool("rsync")

    def run_task(self, task: str, **variables: object) -> bool:
        return shipit(task, **variables)
