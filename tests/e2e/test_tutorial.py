"""docs/tutorial.md, followed step by step on a host."""

from __future__ import annotations

import re
import shlex

from tests.support.command import RollbackOps
from tests.support.lab.ground import wait_until
from tests.support.lab.host import LabHost
from tests.support.project import PROJECT

PAGE = (PROJECT / "docs/tutorial.md").read_text()
HOST = "hello.example.org"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_tutorial_end_with_a_rollback(fresh_host: LabHost, rollback_ops: RollbackOps) -> None:
    _, service, check = blocks("sh")
    fresh_host.run(service)
    page = "curl -s http://localhost:8000/health"
    wait_until(lambda: "oops" in fresh_host.run(f"{page} || :").stdout, 60, "the service answering")

    ended: list[tuple[str, int]] = []
    for block in blocks("console"):
        words = shlex.split(block.splitlines()[0])[2:]
        done = rollback_ops(*[word.replace(HOST, fresh_host.address) for word in words])
        ended.append((words[0], done.code))
        if words[0] == "init":
            settings = rollback_ops.directory / "rollback.toml"
            settings.write_text(settings.read_text() + check.split("END'\n")[1].removesuffix("END\n"))
    assert ended == [("init", 0), ("verify", 2), ("list", 0), ("rollback", 0), ("history", 0)]
    assert "release 2" in fresh_host.run(page).stdout
