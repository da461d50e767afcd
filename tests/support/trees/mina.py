"""Mina 1.2, as its deploy script and its tasks (git, cleanup, rollback) leave a tree.

No registry that the tests use has it. This does what these tasks do.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.trees.tool import Tool, fill, relink


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
