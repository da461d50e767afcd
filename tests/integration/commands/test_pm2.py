"""Services of the real pm2: started through current, they follow it; started from a release, they are refused."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.ground import wait_until
from tests.support.lab.toml import dump
from tests.support.pm2 import Pm2
from tests.support.scene import WHY

_APP = """\
const release = require("path").basename(__dirname)
if (release === "3") setTimeout(() => process.exit(1), 100)
else require("http").createServer((_, answer) => answer.end(JSON.stringify({ release }))).listen(%d)
"""


class Service:
    """A service of pm2 with three releases, of which the third crashes in a loop; the second is live."""

    def __init__(self, directory: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.root = directory / "shop"
        for name in ("1", "2", "3"):
            (self.root / "releases" / name).mkdir(parents=True)
            (self.root / "releases" / name / "app.js").write_text(_APP % self.port)
        self.current = self.root / "current"
        self.current.symlink_to("releases/2")

    def release(self) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=30) as answer:
                return str(json.load(answer)["release"])
        except OSError:
            return ""

    def toml(self) -> str:
        url = f"http://127.0.0.1:{self.port}/"
        check = {"kind": "http", "url": url, "json": {"release": "{release}"}}
        limits = {"healthy_deadline": "30s", "min_healthy_time": "0s"}
        service: dict[str, Any] = {"root": str(self.root), "manager": "pm2", "units": ["shop"], "order": "natural"}
        service |= {"checks": {"health": check}, "verify": limits}
        return dump({"services": {"shop": service}, "environments": {"prod": {}}})


@pytest.fixture
def pm2(tmp_path: Path) -> Iterator[Pm2]:
    with Pm2(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def shop(tmp_path: Path) -> Service:
    return Service(tmp_path)


@pytest.fixture
def rollback_ops(tmp_path: Path, shop: Service, pm2: Pm2) -> RollbackOps:
    command = RollbackOps(tmp_path, secrets=pm2.environment)
    command.settings(shop.toml())
    return command


def test_a_service_of_pm2_goes_back_and_restarts_in_the_release_that_is_live(
    rollback_ops: RollbackOps, shop: Service, pm2: Pm2
) -> None:
    pm2("start", str(shop.current / "app.js"), "--name", "shop", "--cwd", str(shop.current))
    wait_until(lambda: shop.release() == "2", 60, "the service answering")

    ended = rollback_ops("rollback", "prod", "--local", *WHY, "--json")

    assert (ended.code, ended.document["outcome"]) == (0, "succeeded"), ended.err
    assert shop.release() == "1"
    listed = rollback_ops("list", "prod", "--local", "--json").document["hosts"][0]
    assert [(unit["name"], unit["state"]) for unit in listed["units"]] == [("shop", "running")]

    crashed = rollback_ops("rollback", "prod", "--local", "--to", "3", *WHY, "--json")
    (process,) = (check for check in crashed.document["hosts"][0]["checks"] if check["name"] == "process")
    assert (crashed.code, process["outcome"]) == (4, "failed"), crashed.err


def test_a_process_that_pm2_would_start_from_a_release_again_is_refused(
    rollback_ops: RollbackOps, shop: Service, pm2: Pm2
) -> None:
    pm2("start", "app.js", "--name", "shop", directory=shop.current.resolve())
    for mode in ([], ["--emergency"]):
        ended = rollback_ops("rollback", "prod", "--local", *mode, *WHY, "--json")
        assert (ended.code, ended.document["outcome"]) == (1, "refused"), ended.err
        assert str(shop.current.resolve()) in ended.document["hosts"][0]["detail"]
    assert shop.current.resolve().name == "2"


def test_what_pm2_does_not_know_is_refused_and_nothing_that_asks_starts_its_daemon(
    rollback_ops: RollbackOps, pm2: Pm2, tmp_path: Path
) -> None:
    assert "does not exist" in rollback_ops("rollback", "prod", "--local", *WHY).out
    pm2("kill")
    ended = rollback_ops("rollback", "prod", "--local", *WHY)
    assert (ended.code, "unknown" in ended.out) == (1, True)
    assert not (tmp_path / ".pm2" / "pm2.pid").exists()
