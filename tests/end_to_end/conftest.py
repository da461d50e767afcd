"""The command, ready to reach the lab's hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.command import RollbackOps
from tests.lab.lab import Lab


@pytest.fixture
def rollback_ops(lab: Lab, tmp_path: Path) -> RollbackOps:
    """``rollback_ops("rollback", "prod", …)``, with the lab's key; known_hosts as of the test's beginning."""
    return RollbackOps(tmp_path, {"ROLLBACK_SSH_KEY": lab.private_key, "ROLLBACK_KNOWN_HOSTS": lab.known_hosts})
