"""The real Capistrano 3."""

from __future__ import annotations

from pathlib import Path

from tests.support.toolbox import tool
from tests.support.trees.tool import Repository, Tool, run, wait_for_another_second

PROJECT = Path(__file__).parent / "capistrano_project"


class Capistrano(Tool):
    """Deploys to this machine with its local backend, and from a repository here."""

    name = "Capistrano"
    logs = True

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._cap = tool("cap")
        self._repository = Repository(directory / "repository")

    def deploy(self, behaviour: str) -> str:
        self._repository.commit(behaviour)
        wait_for_another_second()
        assert self._run("deploy")
        return self.live()

    def break_off(self) -> None:
        self._repository.commit("healthy")
        wait_for_another_second()
        assert not self._run("deploy", BREAK_OFF="yes")

    def roll_back(self) -> None:
        assert self._run("deploy:rollback")

    def _run(self, task: str, **variables: str) -> bool:
        given: dict[str, object] = {"REPOSITORY": self._repository.place, "DEPLOY_TO": self.root}
        return run([self._cap, "prod", task], PROJECT, {**given, "RESTART": self.restart, "USER": "ana", **variables})
