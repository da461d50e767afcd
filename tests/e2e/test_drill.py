"""Drills and scheduled rollbacks on real hosts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from rollback_ops.core.run import new_run, rfc3339
from rollback_ops.core.schedule import ScheduledRollback
from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.scene import (
    FIRST,
    QUICK,
    SECOND,
    THIRD,
    Twins,
    at_once,
    journal,
    logins,
    marks,
    pid,
    quick,
    released,
)
from tests.support.waiting import Running, hear

Deploy = Callable[..., Deployed]


def test_a_drill_restarts_the_service_twice_and_leaves_no_trace_but_its_record(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))
    before, marked = pid(service), marks(rollback_ops)
    drilled = rollback_ops("drill", "prod", "--times", "2", "--json")
    assert (drilled.code, drilled.document["statistics"]["succeeded"]) == (0, 2), drilled.err
    assert (service.live(), released(service), marks(rollback_ops)) == (THIRD, THIRD, marked)
    assert pid(service) != before
    first = drilled.document["records"][0]
    assert [way["release"] for way in first["drill"]["ways"]] == [SECOND, THIRD]
    assert first["drill"]["ways"][0]["seconds_to_healthy"] > first["drill"]["ways"][0]["downtime_seconds"] > 0
    assert [line["trigger"] for line in journal(service) if "schema_version" in line] == ["drill", "drill"]
    assert rollback_ops("check", "prod", "--max-drill-age", "1h").code == 0
    assert rollback_ops("rollback", "prod", "--reason", "it is slow", "--json").document["to"]["release"] == SECOND


def test_a_host_that_fails_the_drill_and_one_that_passes_are_both_where_they_were(
    rollback_ops: RollbackOps, twins: Twins
) -> None:
    releases = {FIRST: "healthy", SECOND: "healthy", THIRD: "healthy"}
    one, two = twins({"releases": releases}, {"releases": releases | {SECOND: "unhealthy"}})
    rollback_ops.settings(at_once(one, hosts=logins(one, two)))
    failed = rollback_ops("drill", "prod", "--json")
    (record,) = failed.document["records"]
    assert (failed.code, [host["outcome"] for host in record["hosts"]]) == (5, ["succeeded", "restored"]), failed.err
    assert (released(one), released(two)) == (THIRD, THIRD)
    assert set(marks(rollback_ops).values()) == {""}


def test_a_drill_whose_machine_is_lost_is_resumed_forward(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy()
    rollback_ops.settings(quick(service, verify={**QUICK, "min_healthy_time": "10s", "healthy_deadline": "60s"}))
    running = Running(rollback_ops.start("drill", "prod", "--json"))
    hear(running, "verify")
    running.kill()
    assert service.live() == SECOND
    rollback_ops.settings(quick(service))
    for asked in (("check", "prod"), ("rollback", "prod", "--reason", "it is slow", "--wait", "60s")):
        refused = rollback_ops(*asked, "--json")
        assert (refused.code, refused.document["outcome"], service.live()) == (1, "refused", SECOND), refused.err
        assert THIRD in refused.document["hosts"][0]["detail"]
    assert "resume" in refused.document["hosts"][0]["detail"]
    resumed = rollback_ops("resume", "prod", "--wait", "60s", "--json")
    assert (resumed.code, resumed.document["trigger"], released(service)) == (0, "drill", THIRD), resumed.err
    assert "bad" not in marks(rollback_ops).values()
    assert rollback_ops("hold", "prod", "--json").document["holds"] == []
    assert rollback_ops("resume", "prod", "--json").document["outcome"] == "nothing_to_do"


def test_a_scheduled_rollback_is_carried_out_on_its_host_once(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))
    now = datetime.now(UTC)
    asked = ScheduledRollback(
        id=new_run(), service=service.name, environment="prod", at=rfc3339(now - timedelta(minutes=1)),
        not_after=rfc3339(now + timedelta(hours=1)), by="alice", reason="the promotion ends", live=THIRD, to=SECOND,
        created_at=rfc3339(now - timedelta(days=1)),
    )  # fmt: skip
    about = {"id": asked.id, "service": service.name, "environment": "prod"}
    line = json.dumps({"event": "schedule", **about, "entry": asked.model_dump(mode="json")}, separators=(",", ":"))
    service.host.run(
        f"mkdir -p {service.root}/.rollback && cat >>{service.root}/.rollback/journal.jsonl", stdin=f"{line}\n".encode()
    )
    ran = rollback_ops("schedule", "run", "--local-store", "--json")
    (carried,) = ran.document["carried_out"]
    assert (ran.code, carried["what"], released(service)) == (0, "done", SECOND), ran.err
    assert carried["record"]["scheduled"] == {"at": asked.at, "not_after": asked.not_after, "by": "alice"}
    assert rollback_ops("schedule", "run", "--local-store", "--json").document["carried_out"] == []
    (listed,) = rollback_ops("schedule", "list", "--local-store", "--json").document["entries"]
    assert listed["state"] == "done"
