"""The real Capistrano 3."""

from __future__ import annotations

from pathlib import Path

from tests.support.toolbox import tool
from tests.support.trees.tool import Repository, Tool, run, wait_for_another_second

PROJECT = Path(__file__).parent / "capistrano_project"


def cap(task: str, **variables: object) -> bool:
    """Run a task of the project, and return whether it succeeded. DEPLOY_TO is the root on the server.

    REPOSITORY is the repository as the server sees it, and RESTART the command that restarts the service there.
    """
    return run([tool("cap"), "prod", task], PROJECT, {"USER": "ana", **variables})


class Capistrano(Tool):
    """Deploys to this machine with its local backend, and from a repository here."""

    name = "Capistrano"
    logs = True

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
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
        place = self._repository.place
        return cap(task, REPOSITORY=place, DEPLOY_TO=self.root, RESTART=self.restart, **variables)
