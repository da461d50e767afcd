"""The trees that deployment tools leave: rollbacks on them, and what the tools do after that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Ended, RollbackOps
from tests.support.scene import QUICK, WHY
from tests.support.trees.ansistrano import Ansistrano
from tests.support.trees.capistrano import Capistrano
from tests.support.trees.deployer import Deployer
from tests.support.trees.mina import Mina, OldMina
from tests.support.trees.rsync_script import RsyncScript
from tests.support.trees.shipit import Shipit
from tests.support.trees.tool import Tool

HEALTHY, UNHEALTHY = "healthy", "unhealthy"
TOOLS = (Capistrano, Shipit, RsyncScript, OldMina, Deployer, Ansistrano, Mina)
# Those that leave something which says that a deployment is under way.
LOCKING = (Deployer, Mina, OldMina)
# Those whose own rollback heeds what is marked bad. The others go to it.
HEEDING = (Deployer,)
# Those whose own rollback deletes the newest release, whatever it is.
DELETING = (Capistrano, Ansistrano, Mina, OldMina)


@dataclass
class Story:
    """A tool that has deployed two good releases, of which the second was guarded, and was killed at the next one."""

    tool: Tool
    rollback_ops: RollbackOps
    first: str = ""
    second: str = ""

    def __call__(self, command: str, *options: str) -> Ended:
        return self.rollback_ops(command, "prod", "--local", "--json", *options)

    def listed(self) -> dict[str, Any]:
        return self("list").document

    def releases(self) -> dict[str, dict[str, Any]]:
        return {release["name"]: release for release in self.listed()["hosts"][0]["releases"]}

    def runs(self, release: str) -> bool:
        """Whether this release is live, and answers that it is well."""
        return (self.tool.live(), self.tool.service.health()) == (release, ("ok", release))


@pytest.fixture(
    params=[
        pytest.param(tool, id=str(tool.name), marks=() if tool in (Capistrano, Deployer) else pytest.mark.long)
        for tool in TOOLS
    ]
)
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Story]:
    tool: Tool = request.param(tmp_path)
    told = Story(tool, RollbackOps(tmp_path))
    health = {**tool.service.health_check, "final": [503]}
    told.rollback_ops.settings(tool.service.toml(verify=QUICK, checks={"health": health}, **tool.settings))
    with tool.service:
        told.first = tool.deploy(HEALTHY)
        told.second = tool.deploy(HEALTHY)
        assert told("guard").code == 0
        tool.break_off()
        yield told


def test_a_tools_releases_are_rolled_back_and_the_tool_goes_on(story: Story) -> None:
    tool = story.tool
    # What was broken off.
    locked = isinstance(tool, LOCKING)
    assert bool(story.listed()["hosts"][0]["deploying"]) == locked
    held = story("rollback", "--dry-run", *WHY)
    assert (held.code, story.tool.live()) == (1 if locked else 0, story.second)
    assert story("rollback", "--dry-run", "--ignore-deploy-lock", *WHY).document["to"]["release"] == story.first
    tool.unlock()

    # The next one is bad.
    bad = tool.deploy(UNHEALTHY)
    releases = story.releases()
    assert story.listed()["target"] == story.second
    assert {name for name, release in releases.items() if not release["problem"]} == {story.first, story.second, bad}
    assert len({releases[name]["revision"] for name in (story.first, story.second, bad)}) == 3
    guarded = story("guard")
    assert (guarded.code, guarded.document["outcome"]) == (2, "succeeded"), guarded.err
    assert story.runs(story.second)
    assert {name for name, release in story.releases().items() if release["mark"] == "bad"} == {bad}
    again = story("rollback", *WHY)
    assert again.code == 0, again.err
    assert story.runs(story.first)

    # The tool goes on.
    third = tool.deploy(HEALTHY)
    assert story("guard").code == 0
    assert story.runs(third)
    before = set(tool.names())
    tool.roll_back()
    assert tool.live() == (story.second if isinstance(tool, HEEDING) else bad)
    assert before - set(tool.names()) == ({third} if isinstance(tool, DELETING) else set())
    last = story("rollback", *WHY)
    assert last.code == 0, last.err
    assert tool.live() in (story.first, story.second)
    assert story.runs(tool.live())


def test_a_clean_up_by_time_keeps_what_is_pinned(tmp_path: Path) -> None:
    """Nor does the tool's own rollback go to a bad release then."""
    tool = Ansistrano(tmp_path)
    tool.keep = 3
    told = Story(tool, RollbackOps(tmp_path))
    told.rollback_ops.settings(tool.service.toml(verify=QUICK, pin=2, **tool.settings))
    with tool.service:
        for _ in range(2):
            told.first, told.second = told.second, tool.deploy(HEALTHY)
            assert told("guard").code == 0
        known = told.releases()
        for _ in range(2):
            tool.deploy(UNHEALTHY)
            assert told("rollback", "--bad", *WHY).code == 0
            assert told.runs(told.second)
        assert set(tool.names()) > {told.first, told.second}
        for name in (told.first, told.second):
            now = told.releases()[name]
            assert {**known[name], "modified": 0} == {**now, "modified": 0} | {"marked_by": known[name]["marked_by"]}

        third = tool.deploy(HEALTHY)
        assert told("guard").code == 0
        assert set(tool.names()) == {told.first, told.second, third}
        tool.roll_back()
        assert told.runs(told.second)
