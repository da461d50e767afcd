"""``init``: a host whose service was deployed by a tool gets settings with which a rollback works."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab
from tests.support.scene import SECOND, THIRD, WHY, listing, pid, released
from tests.support.trees.ansistrano import Ansistrano
from tests.support.trees.capistrano import Capistrano
from tests.support.trees.deployer import Deployer
from tests.support.trees.rsync_script import RsyncScript
from tests.support.trees.shipit import Shipit
from tests.support.trees.tool import Tool

Deploy = Callable[..., Deployed]
QUICK = '\n[services.{}.verify]\nmin_healthy_time = "0s"\n'


def written(rollback_ops: RollbackOps) -> dict[str, Any]:
    return tomllib.loads((rollback_ops.directory / "rollback.toml").read_text())


def login(service: Deployed) -> str:
    return f"deploy@{service.host.address}"


@pytest.mark.parametrize(
    ("manager", "layout"),
    [
        pytest.param("systemd", "releases", marks=pytest.mark.long),
        pytest.param("supervisor", "backups", marks=pytest.mark.long),
        ("systemd", "backups"),
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


def test_an_alias_of_the_users_ssh_configuration_becomes_the_address(
    rollback_ops: RollbackOps, lab: Lab, deploy: Deploy
) -> None:
    service = deploy(owner="deploy")
    directory = rollback_ops.directory / ".ssh"
    directory.mkdir(mode=0o700)
    alias = f"Host bot\n HostName {service.host.address}\n User deploy\nHost *\n IdentityFile {lab.key_file}\n"
    (directory / "config").write_text(alias)
    (directory / "known_hosts").write_text(lab.known_hosts)
    rollback_ops.secrets = {}

    assert rollback_ops("init", "bot", "--root", service.root).code == 0
    assert written(rollback_ops)["environments"] == {"prod": {"hosts": [login(service)]}}


# Deployer's and Ansistrano's trees differ most: the others are only other forms of them.
OTHERS = [pytest.param(kind, marks=pytest.mark.long) for kind in (Capistrano, Shipit, RsyncScript)]


@pytest.mark.parametrize("kind", [Deployer, Ansistrano, *OTHERS], ids=lambda kind: str(kind.name))
def test_what_a_tool_deployed_gets_settings_that_pass_the_check(
    rollback_ops: RollbackOps, host: LabHost, tmp_path: Path, kind: Callable[[Path], Tool]
) -> None:
    tool = kind(tmp_path)
    with tool.service:
        older, live = tool.deploy("healthy"), tool.deploy("healthy")
    with moved(tool, host) as (name, root):
        ended = rollback_ops("init", f"deploy@{host.address}", "--root", root)
        assert ended.code == 0, ended.err
        (section,) = written(rollback_ops)["services"].values()
        assert (section["root"], section["units"]) == (root, [name])
        checked = rollback_ops("check", "prod", "--json").document
        assert (checked["from"]["release"], checked["to"]["release"]) == (live, older)


@contextmanager
def moved(tool: Tool, host: LabHost) -> Iterator[tuple[str, str]]:
    """Put a tree that a tool made on a host, with a unit that runs from it. Yields the unit and the root."""
    name = f"by-{tool.name}"
    root, copy = f"/srv/{name}", tool.directory / "copy"
    shutil.copytree(tool.root, copy, symlinks=True)
    for link in (path for path in copy.rglob("*") if path.is_symlink()):
        target = str(link.readlink())
        link.unlink()
        link.symlink_to(target.replace(str(tool.root), root))
    archive = subprocess.run(["tar", "-C", str(copy), "-c", "."], check=True, capture_output=True).stdout
    host.run(f"mkdir -p {root}; tar -C {root} -x; chown -hR deploy: {root}", stdin=archive)
    start = f"/usr/bin/python3 -ISB {root}/current/service.py {tool.service.port}"
    unit = f"[Service]\nUser=deploy\nWorkingDirectory={root}/current\nExecStart={start}\n"
    host.write(f"/etc/systemd/system/{name}.service", unit)
    host.run(f"systemctl daemon-reload && systemctl start {name}")
    try:
        yield name, root
    finally:
        host.run(f"systemctl stop {name}; rm -r {root} /etc/systemd/system/{name}.service; systemctl daemon-reload")


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
