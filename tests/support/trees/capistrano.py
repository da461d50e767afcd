"""The real Capistrano 3."""

from __future__ import annotations

from pathlib import Path

from tests.support.toolbox import tool
from tests.support.trees.tool import RepositoryTool, run

PROJECT = Path(__file__).parent / "capistrano_project"


def cap(task: str, **variables: object) -> bool:
    """Run a task of the project, and return whether it succeeded. DEPLOY_TO is the root on the server.

    REPOSITORY is the repository as the server sees it, and RESTART the command that restarts the service there.
    """
    return run([tool("cap"), "prod", task], PROJECT, {"USER": "ana", **variables})


class Capistrano(RepositoryTool):
    """Deploys to this machine with its local backend, and from a repository here."""

    name = "Capistrano"
    logs = True
    roll_back_task = "deploy:rollback"

    def run_task(self, task: str, **variables: object) -> bool:
        return cap(task, **variables)
