"""``init``: a host whose service was deployed by a tool gets settings with which a rollback works."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.lab import Lab
from tests.support.scene import SECOND, THIRD, WHY, listing, pid, released

Deploy = Callable[..., Deployed]
QUICK = '\n[services.{}.verify]\nmin_healthy_time = "0s"\n'


def written(rollback_ops: RollbackOps) -> dict[str, Any]:
    return tomllib.loads((rollback_ops.directory / "rollback.toml").read_text())


def login(service: Deployed) -> str:
    return f"deploy@{service.host.address}"


@pytest.mark.parametrize(
    ("manager", "layout"),
    [
        ("systemd", "releases"),
        ("supervisor", "backups"),
        pytest.param("systemd", "backups", marks=pytest.mark.long),
        pytest.param("supervisor", "releases", marks=pytest.mark.long),
    ],
)
def test_a_rollback_works_with_what_it_writes(
    rollback_ops: RollbackOps, deploy: Deploy, layout: str, manager: str
) -> None:
    service = deploy(layout=layout, owner="deploy", manager=manager)
    before, process = listing(service), pid(service)

    ended = rollback_ops("init", login(service), "--root", service.root)

    assert ended.code == 0, ended.err
    assert (listing(service), pid(service), service.live()) == (before, process, THIRD)
    found = written(rollback_ops)
    (name,), (section,) = found["services"], found["services"].values()
    assert (name, section["units"], section["requires"]) == (service.units[0], [*service.units], ["service.py"])
    assert section["checks"]["health"] == {
        "kind": "http",
        "url": f"http://localhost:{service.port}/health",
        "json": {"release": "{release}"},
    }
    assert found["environments"] == {"prod": {"hosts": [login(service)]}}

    file = rollback_ops.directory / "rollback.toml"
    file.write_text(file.read_text() + QUICK.format(name))
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    assert released(service) == SECOND


def test_of_several_services_one_must_be_named(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    services = [deploy(owner="deploy"), deploy(owner="deploy")]
    ended = rollback_ops("init", login(services[0]))
    assert ended.code == 1
    assert "--root" in ended.err
    assert all(service.root in ended.err for service in services)
    assert not (rollback_ops.directory / "rollback.toml").exists()


def test_a_file_that_exists_is_kept_and_no_host_is_asked(rollback_ops: RollbackOps) -> None:
    rollback_ops.settings("# mine\n")
    ended = rollback_ops("init", "deploy@192.0.2.1")
    assert (ended.code, ended.out) == (64, "")
    assert (rollback_ops.directory / "rollback.toml").read_text() == "# mine\n"


def test_where_nothing_was_deployed_nothing_is_written(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(owner="deploy")
    service.stop()
    service.host.run(f"mkdir -p {service.root}/elsewhere")
    ended = rollback_ops("init", login(service), "--root", f"{service.root}/elsewhere")
    assert ended.code == 1
    assert f"{service.root}/elsewhere" in ended.err
    assert not (rollback_ops.directory / "rollback.toml").exists()


def test_a_host_that_takes_no_login_is_told_as_everywhere(rollback_ops: RollbackOps, lab: Lab, deploy: Deploy) -> None:
    service = deploy(owner="deploy")
    ended = rollback_ops("init", f"nobody@{service.host.address}")
    assert (ended.code, ended.out) == (1, "")
    assert "nobody" in ended.err
