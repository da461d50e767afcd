"""The thin line through all of it, once."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed

_RELEASES = {
    "backup_20240101_000000": "healthy",
    "backup_20240102_000000": "healthy",
    "backup_20240103_000000": "unhealthy",
}


def test_an_unhealthy_release_is_replaced_by_the_one_before_it(
    rollback_ops: RollbackOps, deploy: Callable[..., Deployed]
) -> None:
    service = deploy(layout="backups", owner="deploy", releases=_RELEASES)
    rollback_ops.settings(service.toml())

    ended = rollback_ops("rollback", "prod", "--reason", "unhealthy since the deploy", "--json")

    assert ended.code == 0, ended.err
    assert ended.document["outcome"] == "succeeded"
    assert ended.document["to"]["release"] == "backup_20240102_000000" == service.live()
    assert service.health() == {"status": "ok", "release": "backup_20240102_000000", "config": {"environment": "prod"}}
    listed = rollback_ops("list", "prod", "--json").document
    marks = {r["name"]: r["mark"] or (r["left_by"] and "left") for r in listed["hosts"][0]["releases"]}
    # Its check had failed before the stop, unless the host was too busy to answer.
    assert marks.pop("backup_20240103_000000") in ("bad", "left")
    assert marks == {"backup_20240101_000000": "", "backup_20240102_000000": "good"}
