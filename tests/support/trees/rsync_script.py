"""The script with rsync that the documents show, as it is there."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.project import PROJECT
from tests.support.toolbox import tool
from tests.support.trees.tool import Repository, Tool, by_time, relink, run, wait_for_another_second

HERE = Path(__file__).parent


class RsyncScript(Tool):
    """Deploys with rsync and ``ssh``, which runs its commands on this machine here. Its rollback is one by hand."""

    name = "rsync"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        tool("rsync")
        self._repository = Repository(directory / "repository")
        self.releases.mkdir(parents=True)
        text = (PROJECT / "docs" / "rsync.md").read_text().split("```sh\n", 1)[1].split("```\n", 1)[0]
        ours = {
            "/srv/shop": str(self.root),
            "sudo systemctl restart shop": str(self.restart),
            "rollback-ops guard": ":",
        }
        for theirs, own in ours.items():
            assert theirs in text
            text = text.replace(theirs, own)
        self._text = text

    def deploy(self, behaviour: str) -> str:
        assert self._run(behaviour, self._text)
        return self.live()

    def break_off(self) -> None:
        assert not self._run("healthy", self._text.replace("touch ", "exit 1; touch "))

    def roll_back(self) -> None:
        relink(self.root / "current", f"releases/{by_time(self.releases)[1]}")
        self.restart_service()

    def _run(self, behaviour: str, text: str) -> bool:
        revision = self._repository.commit(behaviour)
        wait_for_another_second()
        given = {"HOST": "deploy@localhost", "GITHUB_SHA": revision, "PATH": f"{HERE}:{os.environ['PATH']}"}
        return run(["sh", "-c", text], self._repository.place, given)
