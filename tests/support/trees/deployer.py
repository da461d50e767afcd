"""Deployer 7, as its recipes (release, lock, symlink, rollback, cleanup) leave a tree.

No registry that the tests use has it. This does what these recipes do.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.support.trees.tool import Tool, fill, relink, stamp


class Deployer(Tool):
    """Releases are numbers, in the order of ``.dep/releases_log``. A link ``release`` leads to what is not live yet."""

    name = "Deployer"
    logs = True

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._dep = self.root / ".dep"
        self._dep.mkdir(parents=True)

    def deploy(self, behaviour: str) -> str:
        name = self._begin(behaviour)
        (self.releases / name / ".deployed").touch()
        (self.root / "release").rename(self.root / "current")
        self.restart_service()
        for old in self._list()[5:]:
            shutil.rmtree(self.releases / old)
        self.unlock()
        return name

    def break_off(self) -> None:
        self._begin("healthy")

    def unlock(self) -> None:
        (self._dep / "deploy.lock").unlink(missing_ok=True)

    def roll_back(self) -> None:
        older = self._list()[self._list().index(self.live()) + 1 :]
        target = next(name for name in older if not (self.releases / name / "BAD_RELEASE").exists())
        left = self.live()
        relink(self.root / "current", f"releases/{target}")
        (self.releases / left / "BAD_RELEASE").write_text(f"{stamp()},ana\n")
        self.restart_service()

    def _begin(self, behaviour: str) -> str:
        assert not (self._dep / "deploy.lock").exists(), "Deploy locked."
        (self._dep / "deploy.lock").write_text("ana\n")
        if (self.root / "release").is_symlink():
            shutil.rmtree((self.root / "release").resolve())
            (self.root / "release").unlink()
        latest = self._dep / "latest_release"
        name = str(int(latest.read_text()) + 1 if latest.exists() else 1)
        latest.write_text(f"{name}\n")
        entry = {"created_at": stamp(), "release_name": name, "user": "ana", "target": "HEAD"}
        with (self._dep / "releases_log").open("a") as log:
            log.write(f"{json.dumps(entry, separators=(',', ':'))}\n")
        fill(self.releases / name, behaviour)
        (self.root / "release").symlink_to(f"releases/{name}")
        (self.releases / name / "REVISION").write_text(f"{int(name):040x}\n")
        return name

    def _list(self) -> list[str]:
        """Return the releases that are in the log, newest first."""
        logged = [json.loads(line)["release_name"] for line in (self._dep / "releases_log").read_text().splitlines()]
        return [name for name in reversed(logged) if (self.releases / name).is_dir()]
