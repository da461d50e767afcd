"""Earlier runs, from the hosts' journals, and their statistics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.scene import (
    FIRST,
    FOUR,
    SECOND,
    THIRD,
    WHY,
    Twins,
    at_once,
    quick,
)

Deploy = Callable[..., Deployed]


def test_history_has_every_rollback_that_was_carried_out_newest_first(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases={**FOUR, "b1": "unhealthy"}, live="b3")
    rollback_ops.settings(at_once(service, pattern="b*"))
    began = datetime.now(UTC)
    done = [rollback_ops("rollback", "prod", "--reason", "the first", "--json")]
    assert rollback_ops("rollback", "prod", "--dry-run").code == 0
    done.append(rollback_ops("rollback", "prod", "--trigger", "deploy-failed", "--json"))
    assert rollback_ops("rollback", "prod", *WHY).code == 1
    assert [ended.code for ended in done] == [0, 2]

    listed, stats = rollback_ops("history", "list", "--json"), rollback_ops("history", "stats", "--json")

    assert (listed.code, stats.code) == (0, 0)
    records = listed.document["records"]
    assert records == [ended.document for ended in reversed(done)]
    times = [datetime.fromisoformat(r[key]) for r in reversed(records) for key in ("started_at", "finished_at")]
    assert times == sorted(times)
    assert began.replace(microsecond=0) <= times[0]
    assert times[-1] <= datetime.now(UTC)
    limited = rollback_ops("history", "list", "--limit", "1", "--json").document["records"]
    assert [record["id"] for record in limited] == [records[0]["id"]]
    durations = [record["duration_seconds"] for record in records]
    assert stats.document["total"] == 2
    assert (stats.document["succeeded"], stats.document["success_rate"], stats.document["alert"]) == (1, 0.5, True)
    assert stats.document["mean_seconds"] == pytest.approx(sum(durations) / 2, abs=0.002)
    assert stats.document["slowest_seconds"] == max(durations)
    rates = {name: group["success_rate"] for name, group in stats.document["by_trigger"].items()}
    assert rates == {"manual": 1.0, "deploy-failed": 0.0}


def test_history_tells_people_what_happened_and_alerts_them_under_ninety_percent(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))
    assert [rollback_ops("history", words).code for words in ("list", "stats")] == [0, 0]
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    fine = rollback_ops("history", "stats").out
    assert "100.0%" in fine
    assert "ALERT" not in fine
    by_hand = ("history", "log", "--env", "prod", "--backup", FIRST, "--reason", "by hand at night", "--failed")
    assert rollback_ops(*by_hand).code == 0

    listed, stats = rollback_ops("history", "list").out, rollback_ops("history", "stats").out

    head, newest, oldest = listed.splitlines()
    assert head.split() == ["TIME", "ENV", "FROM", "TO", "OUTCOME", "SECONDS", "HOW", "BY", "REASON"]
    assert [word in newest for word in (FIRST, "failed", "by hand at night")] == [True] * 3
    assert [word in oldest for word in ("prod", THIRD, SECOND, "succeeded", "tester@", WHY[1])] == [True] * 6
    assert [word in stats for word in ("ALERT", "50.0%", "90")] == [True] * 3


def test_what_was_done_by_hand_counts_for_its_environment_and_its_trigger(
    rollback_ops: RollbackOps, twins: Twins
) -> None:
    service, elsewhere = twins({}, {})
    other = f'\n[environments.test]\nhosts = ["root@{elsewhere.host.address}"]\n'
    rollback_ops.settings(quick(service, releases="backups/prod") + other)
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    logged = rollback_ops("history", "log", "--env", "test", "--backup", FIRST, "--trigger", "process-crash", "--json")
    assert logged.code == 0, logged.err
    assert len(logged.document["warnings"]) == 1

    stats = rollback_ops("history", "stats", "--json").document

    assert {name: group["total"] for name, group in stats["by_environment"].items()} == {"prod": 1, "test": 1}
    assert {name: group["total"] for name, group in stats["by_trigger"].items()} == {"manual": 1, "process-crash": 1}
    only = rollback_ops("history", "list", "--env", "test", "--json").document["records"]
    assert only == [logged.document]
    assert rollback_ops("history", "stats", "--env", "test", "--json").document["total"] == 1
