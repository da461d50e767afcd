"""The command, ready to reach the lab's hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.host import LabHost
from tests.support.lab.lab import Lab
from tests.support.scene import Twins


@pytest.fixture
def rollback_ops(lab: Lab, tmp_path: Path) -> RollbackOps:
    """``rollback_ops("rollback", "prod", …)``, with the lab's key; known_hosts as of the test's beginning."""
    return RollbackOps(tmp_path, {"ROLLBACK_SSH_KEY": lab.private_key, "ROLLBACK_KNOWN_HOSTS": lab.known_hosts})


@pytest.fixture
def twins(hosts: Callable[[int], list[LabHost]], rollback_ops: RollbackOps, lab: Lab) -> Iterator[Twins]:
    """``twins({…}, {…})``: the same service on two hosts, with a plan for each."""
    deployed: list[Deployed] = []

    def deploy(one: dict[str, Any], two: dict[str, Any]) -> tuple[Deployed, Deployed]:
        first, second = hosts(2)
        # One of them may have been booted only now.
        rollback_ops.secrets = {**rollback_ops.secrets, "ROLLBACK_KNOWN_HOSTS": lab.known_hosts}
        deployed.append(first.deploy(**one))
        deployed.append(second.deploy(deployed[-1].name, **two))
        return deployed[-2], deployed[-1]

    yield deploy
    for service in deployed:
        service.remove()
