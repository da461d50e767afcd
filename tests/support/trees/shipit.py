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


class Shipit(Tool):
    """Deploys with rsync and ``ssh``, which runs its commands on this machine here."""

    name = "Shipit"
    # A release begins as a copy of the live one, so a marker without its name would be in it from the beginning.
    settings: ClassVar[dict[str, Any]] = {"requires": [".deployed-{release}"]}

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._node = tool("node")
        tool("rsync")
        self._modules = cache() / "shipit" / "node_modules"
        if not self._modules.is_dir():
            (pytest.fail if os.environ.get("CI") else pytest.skip)("Shipit is not installed: run tests/packages.sh")
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
        given: dict[str, object] = {
            "REPOSITORY": self._repository.place,
            "DEPLOY_TO": self.root,
            "RESTART": self.restart,
            "NODE_PATH": self._modules,
            "PATH": f"{HERE}:{os.environ['PATH']}",
        }
        command = [self._node, str(self._modules / "shipit-cli" / "bin" / "shipit"), "prod", task]
        return run(command, HERE / "shipit_project", {**given, **variables})
