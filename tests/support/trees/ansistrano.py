"""Ansistrano (deploy 3, rollback 3), as its tasks leave a tree.

No registry has its roles. This does what their tasks setup, symlink, cleanup and rollback do.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

from tests.support.trees.tool import Tool, by_time, fill, relink, wait_for_another_second


class Ansistrano(Tool):
    """Releases are timestamps. Clean-up and rollback go by the time at which a directory was changed last."""

    name = "Ansistrano"
    keep = 5

    def deploy(self, behaviour: str) -> str:
        name = self._begin(behaviour)
        (self.releases / name / ".deployed").touch()
        relink(self.root / "current", f"./releases/{name}")
        self.restart_service()
        for old in by_time(self.releases)[self.keep :]:
            shutil.rmtree(self.releases / old)
        return name

    def break_off(self) -> None:
        self._begin("healthy")

    def roll_back(self) -> None:
        current, target, *_ = by_time(self.releases)
        relink(self.root / "current", f"./releases/{target}")
        self.restart_service()
        # ansistrano_remove_rolled_back is true by default.
        shutil.rmtree(self.releases / current)

    def _begin(self, behaviour: str) -> str:
        wait_for_another_second()
        name = datetime.now(UTC).strftime("%Y%m%d%H%M%SZ")
        (self.root / "shared").mkdir(parents=True, exist_ok=True)
        fill(self.releases / name, behaviour)
        (self.releases / name / "REVISION").write_text(f"{int(name[:-1]):040x}\n")
        return name
