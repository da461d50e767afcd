"""The workflows to copy (``docs/workflows``), copied into a repository that uses the action."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rollback_ops.core.run import new_run, rfc3339
from tests.support.act.act import Workflows
from tests.support.act.callers import Bot, filed, states
from tests.support.act.workflow import for_act
from tests.support.github_api.server import GitHubApi
from tests.support.lab.deploy import Deployed
from tests.support.lab.lab import Lab
from tests.support.project import PROJECT
from tests.support.scene import QUICK, SECOND, THIRD, listing, pid

WORKFLOWS = PROJECT / "docs/workflows"


@pytest.fixture
def reader(caller: Workflows, action: Path, lab: Lab) -> Workflows:
    """Somebody who does what the document says."""
    caller.actions["OWNER/rollback-ops"] = action
    caller.secrets = {"ROLLBACK_SSH_KEY": lab.private_key, "ROLLBACK_KNOWN_HOSTS": lab.known_hosts}
    return caller


def copy(reader: Workflows, name: str, old: str = "", new: str = "") -> None:
    text = (WORKFLOWS / f"{name}.yml").read_text()
    assert old in text
    reader.workflow(text.replace(old, new) if old else text)


def for_test(service: Deployed, **_: object) -> str:
    """Settings for an environment ``test``."""
    return service.toml(verify=QUICK, links={}).replace('[environments."prod"]', '[environments."test"]')


def test_the_check_of_readiness_looks_whether_a_rollback_could_be_done_and_changes_nothing(
    reader: Workflows, bot: Bot, api: GitHubApi
) -> None:
    service = bot()
    copy(reader, "readiness")
    before = (listing(service), pid(service))
    ran = reader("schedule")
    assert (ran.code, (listing(service), pid(service)), api.repository.deployments) == (0, before, [])
    assert f"{THIRD} → {SECOND}" in ran.journal.said("1/rollback")
    copy(reader, "readiness", "command: check", "command: preview")
    outputs = reader("schedule").journal.outputs("1/rollback")
    assert (outputs["from"], outputs["to"], len(outputs["hash"]), pid(service)) == (THIRD, SECOND, 64, before[1])


def test_a_drill_goes_back_and_forward_and_records_no_deployment(reader: Workflows, bot: Bot, api: GitHubApi) -> None:
    service = bot(for_test, layout="releases")
    copy(reader, "drill")
    before = pid(service)
    ran = reader("schedule")
    said = ran.journal.said("1/rollback")
    assert (ran.code, service.live(), api.repository.deployments) == (0, THIRD, []), said
    assert pid(service) != before


@pytest.mark.long
def test_what_was_scheduled_is_carried_out_by_the_workflow_and_recorded(
    reader: Workflows, bot: Bot, api: GitHubApi
) -> None:
    service, now = bot(), datetime.now(UTC)
    payload = {
        "id": new_run(),
        "service": service.name,
        "environment": "prod",
        "at": rfc3339(now - timedelta(minutes=1)),
        "not_after": rfc3339(now + timedelta(hours=1)),
        "by": "alice",
        "reason": "the promotion ends",
        "live": THIRD,
        "to": SECOND,
        "created_at": rfc3339(now - timedelta(days=1)),
    }
    planned = {"ref": "main", "task": "rollback-scheduled", "environment": "prod", "payload": payload}
    number = api.repository.create({**planned, "auto_merge": False, "required_contexts": []})["id"]
    another = {**payload, "id": new_run(), "at": rfc3339(now + timedelta(days=1))}
    another["not_after"] = rfc3339(now + timedelta(days=2))
    later = api.repository.create({**planned, "payload": another, "auto_merge": False, "required_contexts": []})["id"]
    copy(reader, "schedule")
    ran = reader("schedule")
    assert (ran.code, service.live()) == (0, SECOND), ran.journal.said("1/rollback")
    copy(reader, "schedule", "command: schedule run", f"command: schedule cancel\n          id: {another['id']}")
    assert reader("schedule").code == 0
    copy(reader, "schedule", "command: schedule run", "command: schedule list")
    listed = reader("schedule")
    assert (listed.code, another["id"] in listed.journal.said("1/rollback")) == (0, True)
    assert api.repository.states(later)[-1] == "inactive"
    assert api.repository.states(number) == ["in_progress", "inactive"]
    assert api.repository.deployments[-1]["payload"]["trigger"] == "scheduled"


def test_an_alert_rolls_back_the_release_that_it_saw_failing_and_no_other(
    reader: Workflows, bot: Bot, api: GitHubApi
) -> None:
    service = bot()
    copy(reader, "alert")
    reason = "/health does not answer $(touch canary) ::set-output name=to::x"
    reader.event = {"action": "rollback-prod", "client_payload": {"release": SECOND, "reason": reason}}
    assert (reader("repository_dispatch").code, service.live(), api.repository.deployments) == (0, THIRD, [])
    reader.event["client_payload"]["release"] = THIRD
    ran = reader("repository_dispatch")
    assert (ran.code, service.live(), states(api)) == (0, SECOND, ["in_progress", "success"])
    assert (filed(api)["payload"]["trigger"], filed(api)["payload"]["reason"]) == ("health-timeout", reason)
    assert not list(reader.directory.rglob("canary"))


def test_an_alert_that_names_no_release_rolls_nothing_back(reader: Workflows, bot: Bot) -> None:
    service = bot()
    copy(reader, "alert")
    reader.event = {"action": "rollback-prod", "client_payload": {"reason": "/health does not answer"}}
    assert (reader("repository_dispatch").journal.job, service.live()) == ("failure", THIRD)


@pytest.mark.parametrize(("gone", "code"), [pytest.param(False, "0", marks=pytest.mark.long), (True, "1")])
def test_a_step_that_may_fail_says_by_its_outputs_how_it_went(
    reader: Workflows, bot: Bot, gone: bool, code: str
) -> None:
    service = bot(for_test, layout="releases")
    copy(reader, "outcome")
    if gone:
        service.host.run(f"cd {service.releases_directory} && rm -r $(ls | grep -v {THIRD})")
    ran = reader()
    assert (ran.journal.outputs("rollback")["exit-code"], ran.journal.job) == (code, "success")
    assert ran.journal.said("2").startswith(f"from {THIRD} to {'' if gone else SECOND}")


def test_ten_lines_that_call_the_reusable_workflow_roll_back(reader: Workflows, bot: Bot, api: GitHubApi) -> None:
    service = bot()
    called = (
        (PROJECT / ".github/workflows/rollback.yml").read_text().replace("uses: $/", "uses: OWNER/rollback-ops@REF")
    )
    reader.write(".github/workflows/rollback.yml", for_act(called)[0])
    ten = (
        (WORKFLOWS / "called.yml")
        .read_text()
        .replace("OWNER/rollback-ops/", "./")
        .replace("rollback.yml@REF", "rollback.yml")
    )
    reader.workflow(ten)
    ran = reader(reason="logins fail; $(touch canary)")
    assert (ran.code, service.live(), states(api)) == (0, SECOND, ["in_progress", "success"]), ran.journal.text
    assert filed(api)["payload"]["reason"] == "logins fail; $(touch canary)"
    assert not list(reader.directory.rglob("canary"))


def test_a_comment_of_somebody_who_may_rolls_back_and_is_answered(reader: Workflows, bot: Bot, api: GitHubApi) -> None:
    service = bot()
    copy(reader, "comment")
    reason = "it loses orders $(touch canary) `id` ::set-output name=to::x"
    # On a pull request: its own code is never checked out.
    reader.event = commented("alice", f"/rollback prod {reason}\r\nand more\nenvironment=test", pull_request={})
    ran = reader("issue_comment")
    assert (ran.code, service.live(), states(api)) == (0, SECOND, ["in_progress", "success"]), ran.journal.text
    assert filed(api)["payload"]["reason"] == reason
    assert api.repository.reactions == ["rocket"]
    (answer,) = api.repository.comments
    assert ("succeeded" in answer, SECOND in answer) == (True, True)
    assert not list(reader.directory.rglob("canary"))


@pytest.mark.parametrize(
    ("person", "comment"),
    [("carol", "/rollback prod it loses orders"), ("alice", "/rollback elsewhere why"), ("alice", "/rollback prod")],
)
def test_any_other_comment_is_refused_before_the_hosts_are_asked(
    reader: Workflows, bot: Bot, api: GitHubApi, person: str, comment: str
) -> None:
    service = bot()
    copy(reader, "comment")
    reader.event = commented(person, comment)
    ran = reader("issue_comment")
    assert (ran.journal.job, service.live(), api.repository.deployments) == ("failure", THIRD, [])
    assert (api.repository.reactions, api.repository.comments) == (["-1"], [])


def commented(person: str, text: str, **issue: Any) -> dict[str, Any]:
    comment = {"id": 9, "body": text, "user": {"login": person}}
    return {"action": "created", "issue": {"number": 7, **issue}, "comment": comment}
