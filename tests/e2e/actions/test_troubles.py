"""What is wrong around a rollback neither stops it nor goes untold."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.act.act import Workflows
from tests.support.act.callers import REASON, Bot, filed, states
from tests.support.github_api.server import GitHubApi, github_api
from tests.support.receiver import SECRET
from tests.support.scene import FIRST, SECOND, THIRD, listing, pid, released


@pytest.fixture
def nobody() -> Iterator[str]:
    """A port that takes no connection."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_an_api_that_is_down_does_not_stop_a_rollback(caller: Workflows, bot: Bot, api: GitHubApi, nobody: str) -> None:
    service = bot()
    caller.api_url = f"http://{nobody}"
    ran = caller(reason=REASON)
    assert (ran.code, service.live(), released(service)) == (0, SECOND, SECOND)
    record = ran.record
    assert (record["outcome"], record["deployment"]["id"]) == ("succeeded", None)
    assert any("deployment on GitHub" in warning for warning in record["warnings"]), record["warnings"]
    assert "deployment on GitHub" in ran.journal.summary


def test_the_next_run_files_what_an_earlier_one_could_not(caller: Workflows, bot: Bot, api: GitHubApi) -> None:
    bot()
    api.is_in_trouble("rate limit")
    missed = caller(reason=REASON).record
    assert api.repository.deployments == []
    api.troubles.clear()
    caller.run_id += 1
    own = caller(reason=REASON).record
    assert (own["to"]["release"], own["warnings"]) == (FIRST, [])
    filed_now = {deployment["payload"]["id"]: deployment["id"] for deployment in api.repository.deployments}
    assert set(filed_now) == {missed["id"], own["id"]}
    assert all(api.repository.states(number)[-1] == "success" for number in filed_now.values())


def test_the_last_step_files_what_the_program_could_not(caller: Workflows, bot: Bot, api: GitHubApi) -> None:
    bot()
    api.is_in_trouble("rate limit", "^POST", times=1)
    ran = caller(reason=REASON)
    assert (ran.code, states(api)) == (0, ["in_progress", "success"])
    assert ran.record["deployment"]["id"] == filed(api)["id"]
    assert ran.journal.outputs("rollback")["deployment-id"] == str(filed(api)["id"])


def test_an_answer_that_was_lost_makes_no_second_deployment(caller: Workflows, bot: Bot, api: GitHubApi) -> None:
    bot()
    api.is_in_trouble("lost answer", "^POST .*/deployments$", times=1)
    ran = caller(reason=REASON)
    assert (ran.code, states(api)[-1]) == (0, "success")
    assert ran.record["deployment"]["id"] == filed(api)["id"]


def test_a_webhook_that_is_down_changes_nothing_and_stays_a_secret(
    caller: Workflows, bot: Bot, api: GitHubApi, nobody: str
) -> None:
    service = bot()
    caller.secrets["WEBHOOK_URL"] = f"http://{nobody}/services/{SECRET}/hunter2hunter2"
    ran = caller(reason=REASON)
    assert (ran.code, service.live(), states(api)) == (0, SECOND, ["in_progress", "success"])
    assert ran.record["warnings"] == ["the message about the end was not sent: the connection was refused"]
    assert SECRET not in ran.journal.text + ran.journal.summary
    assert "not sent: the connection was refused" in ran.journal.summary


def logins(service: Any) -> int:
    return int(service.host.run("journalctl -u ssh -o cat | grep -c Accepted", check=False).stdout)


def test_who_has_not_the_permission_is_refused_before_any_host_hears_of_it(
    caller: Workflows, bot: Bot, api: GitHubApi
) -> None:
    service = bot(environment={"require_permission": "admin"})
    before, heard = (listing(service), pid(service)), logins(service)
    caller.actor = "bob"
    ran = caller(reason=REASON)
    assert (ran.journal.job, ran.journal.outputs("rollback")["exit-code"]) == ("failure", "1")
    assert (ran.record["outcome"], ran.record["actor"]) == ("refused", "bob")
    assert ((listing(service), pid(service)), logins(service)) == (before, heard)
    assert api.repository.deployments == []
    (annotation,) = [one for one in ran.journal.annotations if one.kind == "error"]
    assert "bob" in annotation.text
    assert "admin" in annotation.text
    assert "\\n" not in annotation.text + ran.journal.summary

    caller.actor = "alice"
    assert caller(reason=REASON).code == 0
    assert service.live() == SECOND


def test_an_api_that_cannot_be_asked_permits_nothing_but_what_the_settings_name(
    caller: Workflows, bot: Bot, api: GitHubApi
) -> None:
    service = bot(environment={"require_permission": "admin", "unchecked_emergency": True})
    api.is_in_trouble("error")
    assert caller(reason=REASON).record["outcome"] == "refused"
    assert service.live() == THIRD
    ran = caller(reason=REASON, emergency="true")
    assert (ran.code, service.live()) == (0, SECOND)
    assert any("could not be checked" in warning for warning in ran.record["warnings"]), ran.record["warnings"]


def test_a_job_that_may_not_file_deployments_is_told_what_it_lacks(caller: Workflows, bot: Bot, api: GitHubApi) -> None:
    service = bot()
    api.rights.clear()
    ran = caller(reason=REASON)
    assert (ran.code, service.live()) == (0, SECOND)
    (annotation,) = ran.journal.annotations
    assert (annotation.kind, "the job needs `permissions: deployments: write`" in annotation.text) == ("warning", True)


@pytest.fixture
def enterprise(caller: Workflows) -> Iterator[GitHubApi]:
    """A server of one's own, with everything of github.com's under another address."""
    with github_api("enterprise") as api:
        caller.api_url, caller.server_url = api.url, "https://ghe.example.org"
        yield api


def test_an_enterprise_server_gets_the_same_record_by_its_own_addresses(
    enterprise: GitHubApi, caller: Workflows, bot: Bot, api: GitHubApi
) -> None:
    bot()
    enterprise.repository.knows(f"{2:040x}")
    ran = caller(reason=REASON)
    assert (ran.code, states(enterprise), api.told) == (0, ["in_progress", "success"], [])
    run = "https://ghe.example.org/acme/bot/actions/runs/4711/attempts/1"
    assert filed(enterprise)["payload"]["run_url"] == run
    assert enterprise.repository.statuses(filed(enterprise)["id"])[0]["log_url"] == run
    assert ran.journal.outputs("rollback")["deployment-url"].startswith(enterprise.url)
    assert not list(ran.artifacts.iterdir())
    assert [path.name for path in ran.left.rglob("rollback-record.json")] == ["rollback-record.json"]
