"""The note of a person's rollback on the release that it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.on_this_machine import OwnService
from tests.support.scene import QUICK, WHY

# So that there is time for the answer, on a machine that is busy too.
SLOW = {"kind": "command", "run": "sleep 3", "phase": "before"}


@pytest.mark.parametrize(("behaviour", "mark"), [("unhealthy", "bad"), ("healthy", "")])
def test_a_release_whose_check_fails_when_it_is_left_is_bad(behaviour: str, mark: str, tmp_path: Path) -> None:
    rollback_ops = RollbackOps(tmp_path)
    service = OwnService(tmp_path / "rosey", {"b1": "healthy", "b2": behaviour})
    rollback_ops.settings(service.toml(verify=QUICK, checks={"health": service.health_check, "slow": SLOW}))
    with service:
        ended = rollback_ops("rollback", "prod", "--local", "--json", *WHY)
        assert ended.code == 0, ended.err
        listed = rollback_ops("list", "prod", "--local", "--json").document["hosts"][0]["releases"]
    left: dict[str, Any] = next(release for release in listed if release["name"] == "b2")
    assert (left["mark"], bool(left["left_by"])) == (mark, not mark)
    assert ("503" in left["marked_why"]) == bool(mark)
