"""docs/tutorial.md, followed step by step on a host."""

from __future__ import annotations

import shlex

from tests.support import tutorial
from tests.support.command import RollbackOps
from tests.support.lab.host import LabHost
from tests.support.pages import command_lines


def test_the_commands_of_the_tutorial_end_with_a_rollback(fresh_host: LabHost, rollback_ops: RollbackOps) -> None:
    tutorial.lay_out(fresh_host)
    ended: list[tuple[str, int]] = []
    for line in command_lines(tutorial.PAGE):
        words = shlex.split(line)[1:]
        done = rollback_ops(*[word.replace(tutorial.HOST, fresh_host.address) for word in words])
        ended.append((words[0], done.code))
        if words[0] == "init":
            tutorial.add_the_check(rollback_ops.directory / "rollback.toml")
    assert ended == [("init", 0), ("verify", 2), ("list", 0), ("rollback", 0), ("history", 0)]
    assert "release 2" in fresh_host.run(tutorial.HEALTH).stdout
