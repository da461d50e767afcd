"""The modes of a rollback, each on a real host: what the record says, and what the host then runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.command import RollbackOps
from tests.support.lab.deploy import Deployed
from tests.support.lab.plan import revision
from tests.support.scene import (
    FIRST,
    SECOND,
    THIRD,
    WHY,
    journal,
    listing,
    pid,
    quick,
    released,
    stop_of,
    transaction,
)

Deploy = Callable[..., Deployed]


def test_a_standard_rollback_is_told_in_full_by_its_record(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert ended.code == 0, ended.err
    record = ended.document
    said = {key: record[key] for key in ("schema_version", "service", "environment", "mode", "dry_run", "trigger")}
    assert said == {
        "schema_version": 2,
        "service": service.name,
        "environment": "prod",
        "mode": "standard",
        "dry_run": False,
        "trigger": "manual",
    }
    assert record["reason"] == WHY[1]
    assert record["actor"].startswith("tester@")
    assert (record["outcome"], record["exit_code"], record["warnings"]) == ("succeeded", 0, [])
    assert (record["from"]["release"], record["from"]["revision"]) == (THIRD, revision(3))
    assert (record["to"]["release"], record["to"]["revision"]) == (SECOND, revision(2))
    assert [rejected["release"] for rejected in record["rejected"]] == [THIRD]
    (host,) = record["hosts"]
    assert (host["outcome"], host["from"], host["to"]) == ("succeeded", record["from"], record["to"])
    assert transaction(record) == [("stop", "ok"), ("switch", "ok"), ("links", "ok"), ("start", "ok")]
    assert {check["name"]: check["outcome"] for check in host["checks"]} == {"process": "passed", "health": "passed"}
    began, finished = (datetime.fromisoformat(record[key]) for key in ("started_at", "finished_at"))
    assert (finished - began).total_seconds() == pytest.approx(record["duration_seconds"], abs=0.002)
    assert 0 < host["downtime_seconds"] < record["duration_seconds"]
    assert service.live() == released(service) == SECOND


def test_the_record_is_the_same_on_stdout_in_the_file_and_in_the_journal_of_the_host(
    rollback_ops: RollbackOps, deploy: Deploy, tmp_path: Path
) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))

    ended = rollback_ops("rollback", "prod", *WHY, "--json", "--record", "record.json")

    assert ended.code == 0, ended.err
    assert json.loads((tmp_path / "record.json").read_text()) == ended.document
    assert journal(service)[-1] == ended.document
    assert journal(service)[0]["event"] == "intent"


def test_a_record_that_cannot_be_written_to_its_file_is_a_warning_and_the_rollback_happens(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))
    ended = rollback_ops("rollback", "prod", *WHY, "--record", "no/such/directory/record.json")
    assert ended.code == 0
    assert "no/such/directory/record.json" in ended.out
    assert released(service) == SECOND


def test_an_emergency_asks_no_check_and_says_so(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "unhealthy", "b3": "healthy"})
    rollback_ops.settings(quick(service, pattern="b*"))

    ended = rollback_ops("rollback", "prod", "--emergency", "--json")

    assert ended.code == 0, ended.err
    record = ended.document
    assert (record["mode"], record["outcome"]) == ("emergency", "succeeded")
    assert record["reason"].startswith("emergency")
    assert {check["outcome"] for check in record["hosts"][0]["checks"]} <= {"skipped"}
    (warning,) = record["warnings"]
    assert "`rollback-ops verify`" in warning
    assert service.health() == {"status": "unhealthy", "release": "b2", "config": {"environment": "prod"}}
    assert record["duration_seconds"] < 30


def test_an_emergency_keeps_shorter_limits(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "ignores_sigterm"})
    rollback_ops.settings(quick(service, pattern="b*", limits={"stop": "50s", "emergency_total": "12s"}))

    ended = rollback_ops("rollback", "prod", "--emergency", "--json")

    assert ended.code == 0, ended.err
    stop = stop_of(ended.document)
    assert stop["outcome"] == "warning"
    assert 1 <= stop["seconds"] < 15
    assert released(service) == "b1"


@pytest.mark.parametrize("option", ["--backup", "--to"])
def test_a_release_that_is_named_is_the_one_that_is_restored(
    rollback_ops: RollbackOps, deploy: Deploy, option: str
) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))
    ended = rollback_ops("rollback", "prod", *WHY, option, FIRST, "--json")
    assert ended.code == 0, ended.err
    assert ended.document["mode"] == "targeted"
    assert ended.document["to"]["release"] == service.live() == released(service) == FIRST


@pytest.mark.parametrize("before", [[], [("rollback", "prod", *WHY)]])
def test_a_dry_run_names_the_target_and_leaves_every_file_and_process_as_it_was(
    rollback_ops: RollbackOps, deploy: Deploy, before: list[tuple[str, ...]]
) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))
    for arguments in before:
        assert rollback_ops(*arguments).code == 0
    expected = FIRST if before else SECOND
    files, process = listing(service), pid(service)

    ended = rollback_ops("rollback", "prod", "--dry-run", "--json")
    told = rollback_ops("rollback", "prod", "--dry-run")

    assert (listing(service), pid(service)) == (files, process)
    assert (ended.code, told.code) == (0, 0)
    assert ended.document["dry_run"] is True
    assert (ended.document["outcome"], ended.document["to"]["release"]) == ("nothing_to_do", expected)
    assert "DRY RUN" in told.out
    assert f"→ {expected}" in told.out


def test_a_rollback_for_a_release_that_is_still_live_is_carried_out(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))
    ended = rollback_ops("rollback", "prod", *WHY, "--if-current", THIRD, "--json")
    assert (ended.code, ended.document["outcome"]) == (0, "succeeded")
    assert released(service) == SECOND


def test_a_rollback_for_a_release_that_is_no_longer_live_takes_out_no_good_one(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(live=SECOND)
    rollback_ops.settings(quick(service))
    files, process = listing(service), pid(service)

    ended = rollback_ops("rollback", "prod", *WHY, "--if-current", THIRD, "--json")

    assert (ended.code, ended.document["outcome"]) == (0, "nothing_to_do")
    assert [name in ended.document["hosts"][0]["detail"] for name in (THIRD, SECOND)] == [True, True]
    assert (listing(service), pid(service)) == (files, process)


def test_an_automatic_rollback_needs_no_reason_and_gives_its_trigger(rollback_ops: RollbackOps, deploy: Deploy) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))
    ended = rollback_ops("rollback", "prod", "--trigger", "deploy-failed", "--json")
    assert ended.code == 0, ended.err
    assert (ended.document["trigger"], ended.document["reason"]) == ("deploy-failed", "automatic: deploy failed")
    assert journal(service)[0]["trigger"] == "deploy-failed"


def test_a_second_rollback_goes_further_back_and_never_to_what_was_abandoned(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))

    first, second, third = (rollback_ops("rollback", "prod", *WHY, "--json") for _ in range(3))

    assert [ended.code for ended in (first, second, third)] == [0, 0, 1]
    assert [first.document["to"]["release"], second.document["to"]["release"]] == [SECOND, FIRST]
    assert {rejected["release"] for rejected in third.document["rejected"]} == {FIRST, SECOND, THIRD}
    assert released(service) == FIRST


def test_what_a_rollback_abandoned_is_not_chosen_when_a_newer_release_fails_too(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy(releases={"b1": "healthy", "b2": "healthy", "b3": "healthy"}, live="b2")
    rollback_ops.settings(quick(service, pattern="b*"))
    assert rollback_ops("rollback", "prod", *WHY).code == 0
    service.host.run(f"ln -sfn {service.releases_directory}/b3 {service.root}/current")
    service.host.run(f"systemctl restart {service.name}")

    ended = rollback_ops("rollback", "prod", *WHY, "--json")

    assert ended.code == 0, ended.err
    assert "b2" in {rejected["release"] for rejected in ended.document["rejected"]}
    assert released(service) == "b1"


def test_people_see_each_step_on_stderr_as_it_happens_and_the_result_on_stdout(
    rollback_ops: RollbackOps, deploy: Deploy
) -> None:
    service = deploy()
    rollback_ops.settings(quick(service))
    ended = rollback_ops("rollback", "prod", *WHY)
    words = ["survey", f"{THIRD} → {SECOND}", "stop", "switch", "links", "start", "process", "health"]
    places = [ended.err.find(word) for word in words]
    assert -1 not in places, ended.err
    assert ended.out.startswith("✓ ")
    assert f"{THIRD} → {SECOND}" in ended.out.splitlines()[0]
    assert "\x1b" not in ended.out + ended.err
