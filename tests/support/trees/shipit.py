"""The real Shipit (shipit-cli and shipit-deploy, from npm)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.support.lab.image import cache
from tests.support.toolbox import tool
from tests.support.trees.tool import Repository, Tool, run, wait_for_another_second

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


class Shipit(Tool):
    """Deploys with rsync and ``ssh``, which runs its commands on this machine here."""

    name = "Shipit"
    # A release begins as a copy of the live one, so a marker without its name would be in it from the beginning.
    settings: ClassVar[dict[str, Any]] = {"requires": [".deployed-{release}"]}

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        tool("rsync")
        self._repository = Repository(directory / "repository")

    def deploy(self, behaviour: str) -> str:
        self._repository.commit(behaviour)
        wait_for_another_second()
        assert self._run("deploy")
        return self.live()

    def break_off(self) -> None:
        self._repository.commit("healthy")
        wait_for_another_second()
        # The copy of the live release is there already when rsync fails.
        assert not self._run("deploy", BREAK_OFF="yes")

    def roll_back(self) -> None:
        assert self._run("rollback")

    def _run(self, task: str, **variables: str) -> bool:
        place = self._repository.place
        return shipit(task, REPOSITORY=place, DEPLOY_TO=self.root, RESTART=self.restart, **variables)
