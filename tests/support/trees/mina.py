"""Mina: the real 0.3, and 1.2 as its deploy script and its tasks (git, cleanup, rollback) leave a tree.

Debian has Mina 0.3 only. The imitation does what these tasks of Mina 1.2 do.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.toolbox import tool
from tests.support.trees.tool import RepositoryTool, Tool, fill, relink, run

HERE = Path(__file__).parent
# Where Debian has it; see mina_project.
_SCRIPT = Path("/usr/share/doc/mina/examples/deploy.sh.erb")


class Mina(Tool):
    """Releases are numbers, and a removed number is used again. They are built elsewhere, and moved to their place."""

    name = "Mina"

    def deploy(self, behaviour: str) -> str:
        build = self._begin(behaviour)
        (build / ".deployed").touch()
        for old in self._numbers()[:-5]:
            shutil.rmtree(self.releases / str(old))
        name = str(max(self._numbers(), default=0) + 1)
        build.rename(self.releases / name)
        relink(self.root / "current", str(self.releases / name))
        self.restart_service()
        self.unlock()
        return name

    def break_off(self) -> None:
        self._begin("healthy")

    def unlock(self) -> None:
        (self.root / "deploy.lock").unlink(missing_ok=True)

    def roll_back(self) -> None:
        *_, target, last = self._numbers()
        relink(self.root / "current", str(self.releases / str(target)))
        shutil.rmtree(self.releases / str(last))
        self.restart_service()

    def _begin(self, behaviour: str) -> Path:
        assert not (self.root / "deploy.lock").exists(), "another deployment is ongoing"
        self.releases.mkdir(parents=True, exist_ok=True)
        (self.root / "deploy.lock").touch()
        builds = self.root / "tmp"
        build = builds / f"build-{len(list(builds.glob('build-*')))}"
        fill(build, behaviour)
        (build / ".mina_git_revision").write_text(f"{len(self._numbers()) + 1:040x}\n")
        return build

    def _numbers(self) -> list[int]:
        return sorted(int(path.name) for path in self.releases.iterdir())


class OldMina(RepositoryTool):
    """The real Mina 0.3 of Debian, with ``ssh``, which runs its commands on this machine here."""

    name = "Mina 0.3"
    roll_back_task = "deploy:rollback"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        tool("mina")
        if not _SCRIPT.exists():
            pytest.skip("the template of the deploy script, a file of Mina's documentation, is not installed")
        assert self._run("setup")

    def unlock(self) -> None:
        assert self._run("deploy:force_unlock")

    def run_task(self, task: str, **variables: object) -> bool:
        path = f"{HERE}:{os.environ['PATH']}"
        return run([tool("mina"), task], HERE / "mina_project", {"PATH": path, "HOME": self.directory, **variables})
