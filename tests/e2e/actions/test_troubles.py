"""Troubles that only a runner shows: the last step, permissions, annotations, and the addresses of a server.

What each trouble of GitHub and of the webhook leads to is in ``tests/integration/commands``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.act.act import Workflows
from tests.support.act.callers import REASON, Bot, filed, states
from tests.support.github_api.server import GitHubApi, github_api
from tests.support.lab.plan import revision
from tests.support.scene import SECOND, listing, pid


@pytest.mark.long
def test_the_last_step_files_what_the_program_could_not(caller: Workflows, bot: Bot, api: GitHubApi) -> None:
    bot()
    api.is_in_trouble("rate limit", "^POST", times=1)
    ran = caller(reason=REASON)
    assert (ran.code, states(api)) == (0, ["in_progress", "success"])
    assert ran.record["deployment"]["id"] == filed(api)["id"]
    assert ran.journal.outputs("rollback")["deployment-id"] == str(filed(api)["id"])


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


def test_a_job_that_may_not_file_deployments_is_told_what_it_lacks(caller: Workflows, bot: Bot, api: GitHubApi) -> None:
    service = bot()
    api.rights.clear()
    ran = caller(reason=REASON)
    assert (ran.code, service.live()) == (0, SECOND)
    (annotation,) = ran.journal.annotations
    assert (annotation.kind, "deployments: write" in annotation.text) == ("warning", True)


@pytest.fixture
def enterprise(caller: Workflows) -> Iterator[GitHubApi]:
    """A server of one's own, with everything of github.com's under another address."""
    with github_api("enterprise") as api:
        caller.api_url, caller.server_url = api.url, "https://ghe.example.org"
        yield api


@pytest.mark.long
def test_an_enterprise_server_gets_the_same_record_by_its_own_addresses(
    enterprise: GitHubApi, caller: Workflows, bot: Bot, api: GitHubApi
) -> None:
    bot()
    enterprise.repository.knows(revision(2))
    ran = caller(reason=REASON)
    assert (ran.code, states(enterprise), api.told) == (0, ["in_progress", "success"], [])
    run = "https://ghe.example.org/acme/bot/actions/runs/4711/attempts/1"
    assert filed(enterprise)["payload"]["run_url"] == run
    assert enterprise.repository.statuses(filed(enterprise)["id"])[0]["log_url"] == run
    assert ran.journal.outputs("rollback")["deployment-url"].startswith(enterprise.url)
    assert not list(ran.artifacts.iterdir())
    assert [path.name for path in ran.left.rglob("rollback-record.json")] == ["rollback-record.json"]
