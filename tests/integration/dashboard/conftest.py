"""A dashboard of a real service on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.dashboard import Served, served
from tests.support.on_this_machine import OwnService
from tests.support.scene import QUICK

SECRET = "s3cr3t-of-the-team"
RELEASES = {"b1": "healthy", "b2": "healthy", "b3": "healthy"}


@dataclass
class Shop:
    """The service and its dashboard."""

    service: OwnService
    served: Served

    @property
    def live(self) -> str:
        return (self.service.root / "current").resolve().name

    def query(self, **more: str) -> str:
        words = {"environment": "prod", "service": self.service.root.name, **more}
        return "&".join(f"{key}={text}" for key, text in words.items())


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with OwnService(tmp_path / "shop", RELEASES) as service:
        file = tmp_path / "rollback.toml"
        file.write_text(service.toml(verify=QUICK))
        # A variable of one command says nothing here.
        environ = {"HOME": str(tmp_path), "GITHUB_TOKEN": SECRET, "ROLLBACK_BACKUP": "b1"}
        with served(str(file), environ) as running:
            yield Shop(service, running)
            assert running.defects == []
