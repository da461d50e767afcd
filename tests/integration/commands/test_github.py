"""Rollbacks in a workflow: on the record of GitHub, permitted by it, and never held up by it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import RollbackOps
from tests.support.github_api.server import GitHubApi, github_api
from tests.support.lab.deploy import Deployed
from tests.support.lab.ground import wait_until
from tests.support.on_this_machine import OwnService
from tests.support.scene import FOUR, PATIENT, WHY, evident, quick
from tests.support.warm import Process
from tests.support.workflow import RECORD, REVISIONS, Workflow, variables


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with github_api() as there:
        yield there


@pytest.fixture
def workflow(tmp_path: Path, api: GitHubApi) -> Iterator[Workflow]:
    with OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "healthy", "b3": "unhealthy"}) as service:
        yield Workflow(service, RollbackOps(tmp_path), api)


# --- deployments -----------------------------------------------------------------------------------------


def test_a_rollback_is_a_deployment_of_the_release_that_was_restored(workflow: Workflow, api: GitHubApi) -> None:
    workflow.environment = {"url": "https://bot.example.org/{environment}"}
    workflow.settings()
    ended = workflow.roll_back()
    assert (ended.code, ended.document["warnings"]) == (0, [])
    (deployment,) = api.repository.deployments
    assert ended.document["deployment"] == {"id": deployment["id"], "url": deployment["url"]}
    assert workflow.record == ended.document
    assert (deployment["sha"], deployment["environment"], deployment["task"]) == (REVISIONS["b2"], "prod", "rollback")
    payload = deployment["payload"]
    assert {key: payload[key] for key in ("id", "outcome", "from", "to", "actor", "run_url")} == {
        key: ended.document[key] for key in ("id", "outcome", "from", "to", "actor", "run_url")
    }
    begun, done = reversed(api.repository.statuses(deployment["id"]))
    assert (begun["state"], done["state"], done["description"][:9]) == ("in_progress", "success", "succeeded")
    assert (done["log_url"], done["environment_url"]) == (ended.document["run_url"], "https://bot.example.org/prod")


def test_an_enterprise_server_is_asked_the_same(tmp_path: Path) -> None:
    with (
        github_api("enterprise") as enterprise,
        OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "healthy", "b3": "unhealthy"}) as service,
    ):
        workflow = Workflow(service, RollbackOps(tmp_path), enterprise)
        assert workflow.roll_back().document["warnings"] == []
        assert workflow.filed == [("succeeded", ["in_progress", "success"])]


def test_the_deployment_that_was_left_becomes_inactive(workflow: Workflow, api: GitHubApi) -> None:
    asked = {"ref": REVISIONS["b3"], "environment": "prod", "auto_merge": False, "required_contexts": []}
    left = api.repository.create(asked)["id"]
    api.repository.create_status(left, {"state": "success"})
    assert workflow.roll_back().document["warnings"] == []
    assert api.repository.states(left) == ["success", "inactive"]


def test_a_rollback_that_failed_is_one_on_github_too(workflow: Workflow) -> None:
    workflow.settings(verify=PATIENT, checks={"never": {"kind": "command", "run": "false", "fail_fast": True}})
    assert workflow.roll_back().code == 2
    assert workflow.filed == [("verification_failed", ["in_progress", "failure"])]


def test_a_guard_that_rolls_back_is_on_the_record_with_its_trigger(workflow: Workflow, api: GitHubApi) -> None:
    workflow.settings(**evident(workflow.service))
    assert workflow("guard", "prod", "--local").code == 2
    assert workflow.filed == [("succeeded", ["in_progress", "success"])]
    assert api.repository.deployments[0]["payload"]["trigger"] == "verification-failed"
    assert workflow("guard", "prod", "--local").code == 0
    assert len(api.repository.deployments) == 1


def written(api: GitHubApi) -> list[str]:
    """The requests to GitHub, without those about what it knows already."""
    return [f"{told.request.method} {told.request.path}" for told in api.told if told.request.method != "get"]


@pytest.mark.parametrize("arguments", [("--dry-run",), ("--if-current", "b1"), ("--to", "b9")])
def test_what_changed_nothing_is_no_deployment(workflow: Workflow, api: GitHubApi, arguments: tuple[str, ...]) -> None:
    assert workflow.roll_back(*arguments).document["warnings"] == []
    assert written(api) == []


def test_a_step_that_is_repeated_files_nothing_twice(workflow: Workflow) -> None:
    workflow.roll_back()
    (workflow.command.directory / RECORD).write_text(json.dumps(workflow.record | {"deployment": {}}))
    assert workflow("finish").code == 0
    assert workflow.record["deployment"]["id"]
    assert workflow.filed == [("succeeded", ["in_progress", "success"])]


def test_outside_a_workflow_github_is_left_alone_unless_it_was_asked_for(workflow: Workflow, api: GitHubApi) -> None:
    assert workflow.roll_back(GITHUB_ACTIONS="", GITHUB_RUN_ID="").document["warnings"] == []
    assert written(api) == []
    assert workflow.roll_back(GITHUB_ACTIONS="", GITHUB_RUN_ID="", ROLLBACK_RECORD_DEPLOYMENT="true").code == 0
    assert workflow.filed == [("succeeded", ["in_progress", "success"])]


@pytest.mark.parametrize(
    ("asked", "warned"),
    [("", False), ("false", False), ("true", True)],
)
def test_without_a_token_only_who_asked_for_a_deployment_is_warned(
    workflow: Workflow, asked: str, warned: bool
) -> None:
    ended = workflow.roll_back(GITHUB_TOKEN="", ROLLBACK_RECORD_DEPLOYMENT=asked)
    assert ended.code == 0
    assert ["GITHUB_TOKEN" in warning for warning in ended.document["warnings"]] == [True] * warned


# --- GitHub in trouble -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("error", "500"),
        ("html", "502"),
        ("rate limit", "403"),
        ("secondary limit", "429"),
        ("unauthorized", "401"),
        ("cut", "GitHub"),
        ("hang", "GitHub"),
    ],
)
def test_whatever_github_does_the_rollback_is_done_and_the_last_step_records_it(
    workflow: Workflow, api: GitHubApi, kind: Any, why: str
) -> None:
    api.is_in_trouble(kind)
    ended = workflow.roll_back()
    assert (ended.code, ended.document["outcome"]) == (0, "succeeded")
    assert workflow.service.health() == ("ok", "b2")
    (warning,) = ended.document["warnings"]
    assert why in warning
    assert workflow.record == ended.document
    api.troubles.clear()
    finished = workflow("finish")
    assert (finished.code, finished.out) == (0, "")
    assert workflow.filed == [("succeeded", ["in_progress", "success"])]
    assert workflow.record["deployment"]["id"] == api.repository.deployments[0]["id"]
    assert workflow.record["warnings"] == []


def test_a_deployment_whose_answer_was_lost_is_not_filed_twice(workflow: Workflow, api: GitHubApi) -> None:
    api.is_in_trouble("lost answer", "^POST .*/deployments$", times=1)
    assert workflow.roll_back().document["warnings"] == []
    assert workflow.filed == [("succeeded", ["in_progress", "success"])]


def test_what_a_run_could_not_record_the_next_one_does(workflow: Workflow, api: GitHubApi) -> None:
    api.is_in_trouble("error")
    first = workflow.roll_back().document
    api.troubles.clear()
    second = workflow.roll_back("--to", "b1").document
    assert second["warnings"] == []
    there = [deployment["payload"]["id"] for deployment in api.repository.deployments]
    assert there == [second["id"], first["id"]]
    assert workflow.filed == [("succeeded", ["in_progress", "success"])] * 2


def test_over_ssh_the_journal_of_the_host_tells_what_is_missing(
    rollback_ops: RollbackOps, deploy: Callable[..., Deployed], api: GitHubApi
) -> None:
    service = deploy(releases=FOUR, owner="deploy")
    rollback_ops.settings(quick(service, pattern="b*"))
    typed = ("rollback", "prod", *WHY, "--json")
    api.is_in_trouble("cut")
    first = rollback_ops(*typed, **variables(api, 1)).document
    assert first["outcome"] == "succeeded", first["hosts"]
    assert (service.live(), len(first["warnings"])) == ("b3", 1)
    api.troubles.clear()
    second = rollback_ops(*typed, **variables(api, 2)).document
    assert (service.live(), second["warnings"]) == ("b2", [])
    filed = [(each["payload"]["id"], api.repository.states(each["id"])) for each in api.repository.deployments]
    assert filed == [(run["id"], ["in_progress", "success"]) for run in (second, first)]
    # GitHub does not know the revisions of these releases.
    assert {each["payload"]["ref_is"] for each in api.repository.deployments} == {"workflow"}


def test_github_is_asked_beside_the_work_and_takes_three_calls_after_it(workflow: Workflow, api: GitHubApi) -> None:
    # The release is healthy once GitHub was asked: a command that asked after the work would wait in vain.
    asked = workflow.service.root / "asked"
    workflow.settings(verify=PATIENT, checks={"asked": {"kind": "command", "run": f"test -e {asked}"}})
    process = workflow.command.start("rollback", "prod", "--local", *WHY, "--json", **workflow.variables())
    wait_until(lambda: len(api.asked("^GET")) == 3, 60, "the lookups")
    asked.touch()
    out, _ = process.communicate(timeout=60)
    assert json.loads(out)["warnings"] == []
    reads, writes = api.asked("^GET"), api.asked("^POST")
    assert (len(reads), len(writes)) == (3, 3)
    assert max(one.at for one in reads) < writes[0].at


# --- the end of a job ------------------------------------------------------------------------------------


def started(workflow: Workflow) -> Process:
    """A rollback whose service is stopping, which it does until ``go_on``."""
    stop = f"until [ -e {workflow.service.root}/go ]; do sleep 0.05; done; {workflow.service.commands['stop']}"
    workflow.settings(commands={**workflow.service.commands, "stop": stop})
    typed = ("rollback", "prod", "--local", "--reason", "logins fail", "--json")
    process = workflow.command.start(*typed, **workflow.variables())
    try:
        # The record is there a moment before the host has anything to finish.
        wait_until(lambda: any((workflow.service.root / ".rollback").glob("*/open")), 60, "hosts being changed")
        assert (workflow.command.directory / RECORD).exists()
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return process


def go_on(workflow: Workflow) -> None:
    (workflow.service.root / "go").touch()


def test_a_program_that_is_killed_leaves_what_the_last_step_needs(workflow: Workflow) -> None:
    process = started(workflow)
    process.kill()
    process.communicate()
    go_on(workflow)
    record = workflow.record
    assert (record["outcome"], record["exit_code"], record["deployment"]["id"]) == ("cancelled", 143, None)
    assert [(host["outcome"], host["from"]["release"]) for host in record["hosts"]] == [("unknown", "b3")]
    assert workflow("finish").code == 0
    assert workflow.filed == [("cancelled", ["in_progress", "error"])]
    assert workflow.record["deployment"]["id"]
    wait_until(lambda: workflow.service.health() == ("ok", "b2"), 60, "the host finishing what it began")


def test_a_rollback_that_is_stopped_is_filed_as_that(workflow: Workflow) -> None:
    process = started(workflow)
    process.send_signal(signal.SIGINT)
    go_on(workflow)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    workflow("finish")
    assert workflow.filed == [("cancelled", ["in_progress", "error"])]
    assert json.loads(out)["outcome"] == "cancelled"


def test_a_github_that_hangs_does_not_use_up_the_runners_patience(workflow: Workflow, api: GitHubApi) -> None:
    process = started(workflow)
    api.is_in_trouble("hang")
    process.send_signal(signal.SIGINT)
    go_on(workflow)
    began = time.monotonic()
    out, _ = process.communicate(timeout=60)
    # GitHub hangs for as long as it is asked: what ends the command is its own limit.
    assert time.monotonic() - began < 30
    (why,) = json.loads(out)["warnings"]
    assert "GitHub" in why


def test_the_last_step_has_nothing_to_do_where_nothing_was_changed(workflow: Workflow, api: GitHubApi) -> None:
    assert workflow("finish").code == 0
    workflow.roll_back("--to", "b9")
    before = workflow.record
    assert workflow("finish").code == 0
    assert (workflow.record, api.told) == (before, [])


def test_the_last_step_of_what_was_recorded_asks_nobody(workflow: Workflow, api: GitHubApi) -> None:
    workflow.roll_back()
    before = len(api.told)
    assert workflow("finish").code == 0
    assert len(api.told) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", '{"schema_version": 1}'])
def test_a_record_that_cannot_be_read_does_not_fail_the_job(workflow: Workflow, api: GitHubApi, text: str) -> None:
    (workflow.command.directory / RECORD).write_text(text)
    ended = workflow("finish")
    assert (ended.code, api.asked("permission"), written(api)) == (0, [], [])
    assert "record.json" in ended.err


def test_a_last_step_that_is_told_no_file_is_wrong_usage(workflow: Workflow) -> None:
    ended = workflow("finish", ROLLBACK_RECORD="")
    assert ended.code == 64
    assert "ROLLBACK_RECORD" in ended.err


# --- permission ------------------------------------------------------------------------------------------


def test_who_has_the_permission_goes_on(workflow: Workflow) -> None:
    workflow.environment = {"require_permission": "admin"}
    workflow.settings()
    ended = workflow.roll_back()
    assert (ended.code, ended.document["actor"], ended.document["warnings"]) == (0, "alice", [])


def test_who_has_not_is_refused_before_any_host_is_contacted(workflow: Workflow, api: GitHubApi) -> None:
    workflow.environment = {"require_permission": "maintain"}
    marker = workflow.command.directory / "contacted"
    status = f"touch {marker}; {workflow.service.commands['status']}"
    workflow.settings(commands={**workflow.service.commands, "status": status})
    # alice's run, started again by bob
    ended = workflow.roll_back(GITHUB_TRIGGERING_ACTOR="bob")
    assert (ended.code, ended.document["outcome"], ended.document["actor"]) == (1, "refused", "bob")
    (host,) = ended.document["hosts"]
    assert host["outcome"] == "refused"
    assert [word in host["detail"] for word in ("bob", "maintain", "acme/bot", "write")] == [True] * 4
    assert workflow.record == ended.document
    assert not marker.exists()
    assert workflow.service.health() == ("unhealthy", "b3")
    assert [str(one.request) for one in api.told] == ["GET /repos/acme/bot/collaborators/bob/permission"]
    workflow("list", "prod", "--local")
    assert marker.exists()


def test_a_team_may_be_what_it_takes(workflow: Workflow, api: GitHubApi) -> None:
    api.repository.teams = {"acme/ops": {"alice": "active"}}
    workflow.environment = {"require_permission": "@acme/ops"}
    workflow.settings()
    assert workflow.roll_back(GITHUB_TRIGGERING_ACTOR="carol").code == 1
    assert workflow.roll_back().code == 0


@pytest.mark.parametrize("unchecked", [False, True])
def test_when_github_is_down_only_an_emergency_that_is_allowed_goes_on(
    workflow: Workflow, api: GitHubApi, unchecked: bool
) -> None:
    workflow.environment = {"require_permission": "admin", "unchecked_emergency": unchecked}
    workflow.settings()
    api.is_in_trouble("error")
    refused = workflow.roll_back()
    assert (refused.code, refused.document["outcome"]) == (1, "refused")
    ended = workflow.roll_back("--emergency")
    assert ended.code == (0 if unchecked else 1)
    looked_up = [warning for warning in ended.document["warnings"] if "alice" in warning and "admin" in warning]
    assert bool(looked_up) == unchecked


@pytest.mark.parametrize("arguments", [("rollback", "prod", "--local", "--dry-run"), ("check", "prod", "--local")])
def test_what_changes_nothing_needs_no_permission(
    workflow: Workflow, api: GitHubApi, arguments: tuple[str, ...]
) -> None:
    workflow.environment = {"require_permission": "admin"}
    workflow.settings()
    assert workflow(*arguments, GITHUB_ACTOR="carol").code == 0
    assert (api.asked("permission"), written(api)) == ([], [])


def test_what_starts_by_itself_needs_no_permission(workflow: Workflow, api: GitHubApi) -> None:
    workflow.environment = {"require_permission": "admin"}
    workflow.settings()
    assert workflow.roll_back("--trigger", "deploy-failed", GITHUB_ACTOR="carol").code == 0
    assert api.asked("permission") == []


def test_outside_a_workflow_the_record_says_that_nobody_was_looked_up(workflow: Workflow, api: GitHubApi) -> None:
    workflow.environment = {"require_permission": "admin"}
    workflow.settings()
    ended = workflow.roll_back(GITHUB_ACTIONS="", GITHUB_ACTOR="")
    (why,) = ended.document["warnings"]
    assert "admin" in why
    assert "tester@" in why
    assert (ended.code, api.asked("permission"), written(api)) == (0, [], [])


# --- history ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["object", "string"])
def test_what_is_on_github_can_be_read_back_years_later(workflow: Workflow, api: GitHubApi, form: Any) -> None:
    first = workflow.roll_back().document
    second = workflow.roll_back("--to", "b1").document
    api.repository.create({"ref": "main", "task": "rollback", "auto_merge": False, "required_contexts": []})
    api.repository.payload_as = form
    api.repository.later = timedelta(days=400)
    api.told.clear()
    workflow.service.commands["status"] = "false"
    ended = workflow("history", "list", "--source", "github", "--json")
    assert [(r["id"], r["outcome"], r["deployment"]["id"]) for r in ended.document["records"]] == [
        (second["id"], "succeeded", second["deployment"]["id"]),
        (first["id"], "succeeded", first["deployment"]["id"]),
    ]
    assert ": 1 (" in ended.err
    assert len(api.told) == 1
    counted = workflow("history", "stats", "--source", "github", "--json").document
    assert (counted["total"], counted["succeeded"]) == (2, 2)
    assert workflow("history", "list", "--source", "github", "--env", "test", "--json").document == {"records": []}


def test_all_pages_are_read_and_no_more_than_are_asked_for(workflow: Workflow, api: GitHubApi) -> None:
    told = workflow.roll_back().document
    asked = {"ref": "main", "task": "rollback", "environment": "prod", "auto_merge": False, "required_contexts": []}
    for number in range(250):
        api.repository.create({**asked, "payload": told | {"id": f"r{number}"}})
    api.told.clear()
    assert len(workflow("history", "list", "--source", "github", "--limit", "20", "--json").document["records"]) == 20
    assert len(api.told) == 1
    later = ("--since", "2100-01-01")
    assert workflow("history", "stats", "--source", "github", *later, "--json").document["total"] == 0
    assert len(api.told) == 2
    assert workflow("history", "stats", "--source", "github", "--json").document["total"] == 251
    # Three pages of rollbacks, and as many of all deployments, for the change fail rate.
    assert len(api.told) == 8


def test_a_github_that_is_down_is_said_to_be(workflow: Workflow, api: GitHubApi) -> None:
    api.is_in_trouble("html")
    ended = workflow("history", "list", "--source", "github")
    assert ended.code == 1
    assert ("acme/bot" in ended.err, "502" in ended.err) == (True, True)
    ended = workflow("history", "list", "--source", "github", GITHUB_TOKEN="")
    assert ended.code == 64
    assert "GITHUB_TOKEN" in ended.err


# --- what leaves the hosts -------------------------------------------------------------------------------


def test_commits_come_from_github_in_the_preview_the_dry_run_and_the_summary(
    workflow: Workflow, api: GitHubApi, tmp_path: Path
) -> None:
    said = [("ana", "Add prices (#12)"), ("bob", "Merge pull request #13 from x/y\n\nRemove prices")]
    api.repository.comparisons[REVISIONS["b2"], REVISIONS["b3"]] = said
    api.repository.files = {"db/migrate/1_prices.rb": "added", "uv.lock": "modified", "old.py": "removed"}
    found = workflow("preview", "prod", "--local", "--json").document
    commits = [(each["title"], each["pull_request"]) for each in found["commits"]["first"]]
    assert commits == [("Remove prices", 13), ("Add prices (#12)", 12)]
    assert found["migrations"] == ["db/migrate/1_prices.rb"]
    assert (found["files"]["source"], found["files"]["added"]) == ("commits", ["old.py"])
    summary = tmp_path / "summary.md"
    summary.touch()
    dry = workflow("rollback", "prod", "--local", *WHY, "--dry-run", GITHUB_STEP_SUMMARY=str(summary))
    for part in ("Remove prices", "db/migrate/1_prices.rb", "uv.lock", found["hash"][:16]):
        assert part in dry.out
        assert part in summary.read_text()
    assert workflow.roll_back("--approved", found["hash"]).code == 0


def test_without_an_answer_of_github_the_preview_says_so_and_shows_the_rest(workflow: Workflow, api: GitHubApi) -> None:
    api.rights.clear()
    found = workflow("preview", "prod", "--local", "--json").document
    assert (found["returns_to"]["name"], found["commits"]["count"]) == ("b2", 0)
    assert "403" in found["commits"]["why"]
    assert found["files"]["source"] == "directories"
