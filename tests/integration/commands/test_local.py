"""--local: the machine that the command runs on, without SSH."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.on_this_machine import OwnService
from tests.support.scene import QUICK, WHY


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[OwnService]:
    with OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "healthy", "b3": "unhealthy"}) as service:
        yield service


def test_a_service_of_this_machine_is_rolled_back_without_ssh(tmp_path: Path, own_service: OwnService) -> None:
    rollback_ops = RollbackOps(tmp_path)
    rollback_ops.settings(own_service.toml(verify=QUICK))
    assert own_service.health() == ("unhealthy", "b3")

    ended = rollback_ops("rollback", "prod", "--local", *WHY, "--json")

    assert ended.code == 0, ended.err
    assert (ended.document["outcome"], ended.document["hosts"][0]["host"]) == ("succeeded", "localhost")
    assert own_service.health() == ("ok", "b2")
    listed = rollback_ops("list", "prod", "--local", "--json").document
    found = listed["hosts"][0]["releases"]
    assert [(r["name"], r["mark"], r["left_by"]) for r in found] == [
        ("b1", "", ""),
        ("b2", "good", ""),
        ("b3", "", ended.document["id"]),
    ]


def test_3_a_service_whose_own_stop_fails_goes_on_undisturbed(tmp_path: Path, own_service: OwnService) -> None:
    rollback_ops = RollbackOps(tmp_path)
    commands = {**own_service.commands, "stop": "echo cannot >&2; exit 1", "logs": "cat ../../log"}
    rollback_ops.settings(own_service.toml(verify=QUICK, commands=commands))
    process = own_service.pid()

    ended = rollback_ops("rollback", "prod", "--local", *WHY, "--json")

    assert (ended.code, ended.document["outcome"]) == (3, "restored"), ended.err
    assert own_service.health() == ("unhealthy", "b3")
    assert own_service.pid() == process
    assert (own_service.root / "current").readlink() == Path("releases/b3")
