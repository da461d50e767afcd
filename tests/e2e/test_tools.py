"""Real deployment tools that deploy to a booted host over SSH, and rollbacks between their deployments."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.lab import Lab
from tests.support.scene import WHY, quick, released
from tests.support.toolbox import tool
from tests.support.trees.capistrano import cap
from tests.support.trees.shipit import shipit
from tests.support.trees.tool import Repository, wait_for_another_second

Deploy = Callable[..., Deployed]
FIRST, SECOND = "20240101120000", "20240102120000"


@dataclass
class OverSsh:
    """A tool and a service. The host has no package sources, so it gets this machine's git and rsync."""

    run: Callable[..., bool]
    service: Deployed
    lab: Lab
    directory: Path

    def __post_init__(self) -> None:
        self._repository = Repository(self.directory / "repository")
        programs = [tool("git"), tool("git-upload-pack"), tool("rsync")]
        linked = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
        self._bring("/", *programs, *sorted(set(re.findall(r"=> (/\S+)", linked))))
        config = self.directory / "ssh_config"
        config.write_text(
            f"IdentityFile {self.lab.key_file}\nIdentitiesOnly yes\nBatchMode yes\n"
            f"StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n"
        )
        address, name = self.service.host.address, self.service.name
        self._variables = {
            "DEPLOY_TO": self.service.root,
            "RESTART": f"systemctl restart {name}",
            "SERVER": address,
            "SERVERS": f"root@{address}",
            "KEY": self.lab.key_file,
            "SSH_CONFIG": config,
        }

    def deploy(self, behaviour: str) -> str:
        self._repository.commit(behaviour)
        self._bring(f"/srv/{self.service.name}-repository", ".")
        wait_for_another_second()
        assert self("deploy")
        return self.service.live()

    def __call__(self, task: str) -> bool:
        there = f"/srv/{self.service.name}-repository"
        place = there if self.run is cap else self._repository.place
        return self.run(task, REPOSITORY=place, **self._variables)

    def _bring(self, to: str, *paths: str) -> None:
        """Copy files to the host; paths that begin with / are this machine's, others are the repository's."""
        base = "/" if paths[0].startswith("/") else str(self._repository.place)
        names = [path.lstrip("/") for path in paths]
        packed = subprocess.run(["tar", "-chf", "-", "-C", base, *names], capture_output=True, check=True).stdout
        extract = "tar -xf - --no-same-owner --skip-old-files" if base == "/" else "tar -xf - --no-same-owner"
        self.service.host.run(f"mkdir -p {to} && {extract} -C {to}", stdin=packed)


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(cap, id="Capistrano", marks=pytest.mark.long),
        pytest.param(shipit, id="Shipit", marks=pytest.mark.long),
    ],
)
def test_a_bad_deployment_of_a_tool_is_guarded_and_the_tool_goes_on(
    run: Callable[..., bool], rollback_ops: RollbackOps, deploy: Deploy, lab: Lab, tmp_path: Path
) -> None:
    service = deploy(layout="releases", releases={FIRST: "healthy", SECOND: "healthy"})
    health = {"kind": "http", "url": f"http://127.0.0.1:{service.port}/health", "final": [503]}
    rollback_ops.settings(quick(service, hosts=[f"root@{service.host.address}"], checks={"health": health}))
    over_ssh = OverSsh(run, service, lab, tmp_path)

    bad = over_ssh.deploy("unhealthy")
    assert released(service) == bad
    guarded = rollback_ops("guard", "prod", "--json")
    assert (guarded.code, guarded.document["outcome"]) == (2, "succeeded"), guarded.err
    assert released(service) == service.live() == SECOND
    times = service.host.run(f"ls -1t {service.root}/releases").stdout.split()
    assert times.index(bad) < times.index(SECOND)

    good = over_ssh.deploy("healthy")
    assert rollback_ops("guard", "prod").code == 0
    assert released(service) == service.live() == good
    assert over_ssh("deploy:rollback" if run is cap else "rollback")
    assert released(service) == service.live() == bad
    ended = rollback_ops("rollback", "prod", *WHY, "--json")
    assert ended.code == 0, ended.err
    assert released(service) == service.live() == SECOND
