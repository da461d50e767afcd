from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.toolbox import Box, make_box


@pytest.fixture(params=["dash", "busybox"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    return make_box(tmp_path / "box", request.param, "systemctl", "journalctl", "supervisorctl", "docker", "sudo")
