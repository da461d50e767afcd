"""The stand-in is worth something only if it behaves as GitHub does, and if it notices who does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
import requests
from github import Auth, Github, GithubException
from github.Repository import Repository as Remote

from tests.support.github_api.repository import Repository
from tests.support.github_api.server import TOKEN, GitHubApi, github_api

# Of what tests stand on, not of the program.
pytestmark = pytest.mark.long

# PyGithub waits a second between two writes, and a quarter of one between two reads, unless it is told not to.
AT_ONCE: Any = {"seconds_between_requests": None, "seconds_between_writes": None}
ASKED: dict[str, Any] = {
    "ref": "main",
    "task": "rollback",
    "environment": "prod",
    "auto_merge": False,
    "required_contexts": [],
}


@pytest.fixture(params=["github.com", "enterprise"])
def api(request: pytest.FixtureRequest) -> Iterator[GitHubApi]:
    with github_api(request.param) as made:
        yield made


@pytest.fixture
def remote(api: GitHubApi) -> Iterator[Remote]:
    with Github(base_url=api.url, auth=Auth.Token(TOKEN), retry=None, timeout=5, lazy=True, **AT_ONCE) as client:
        yield client.get_repo("acme/bot")


def ask(api: GitHubApi, method: str, path: str, **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {api.token}"}
    with requests.Session() as session:
        return session.request(method, f"{api.url}{path}", **{"headers": headers, "timeout": 5, **more})


def create(api: GitHubApi, **more: Any) -> requests.Response:
    return ask(api, "POST", "/repos/acme/bot/deployments", json={**ASKED, **more})


def test_pygithub_can_file_a_deployment_with_its_statuses_and_read_them_back(api: GitHubApi, remote: Remote) -> None:
    filed = remote.create_deployment(**ASKED, payload={"id": "r1"}, description="b3 → b2")
    filed.create_status("in_progress")
    filed.create_status("success", target_url="https://example.org/run", environment_url="https://example.org")
    (found,) = remote.get_deployments(task="rollback", environment="prod")
    assert (found.id, found.sha, found.raw_data["payload"]) == (filed.id, "a" * 40, {"id": "r1"})
    assert [status.state for status in found.get_statuses()] == ["success", "in_progress"]
    assert api.repository.states(filed.id) == ["in_progress", "success"]
    assert str(api.asked("^POST")[0].request) == "POST /repos/acme/bot/deployments"


@pytest.mark.parametrize("back", ["object", "string"])
def test_a_payload_comes_back_as_an_object_or_as_its_text(api: GitHubApi, back: Any) -> None:
    api.repository.payload_as = back
    payload = create(api, payload={"id": "r1"}).json()["payload"]
    assert payload == ({"id": "r1"} if back == "object" else '{"id": "r1"}')


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"ref": "nowhere"}, 422, "No ref found for: nowhere"),
        ({"description": "x" * 141}, 422, "maximum is 140 characters"),
        ({"auto_merge": True}, 202, "Auto-merged main into main on deployment."),
        ({"required_contexts": ["ci"]}, 409, "Commit status checks failed"),
    ],
)
def test_what_github_would_not_file_is_not_filed(
    api: GitHubApi, asked: dict[str, Any], status: int, words: str
) -> None:
    answer = create(api, **asked)
    assert (answer.status_code, api.repository.deployments) == (status, [])
    assert words in answer.json()["message"]


def test_the_defaults_of_github_merge(api: GitHubApi) -> None:
    assert ask(api, "POST", "/repos/acme/bot/deployments", json={"ref": "main"}).status_code == 202
    assert ask(api, "POST", "/repos/acme/bot/deployments", json={"ref": "main", "auto_merge": False}).status_code == 409


def test_lists_are_filtered_and_come_in_pages(api: GitHubApi, remote: Remote) -> None:
    for number in range(5):
        create(api, task="rollback" if number % 2 else "deploy", payload={"number": number})
    listed = ask(api, "GET", "/repos/acme/bot/deployments", params={"per_page": 2, "page": 2})
    assert [one["payload"]["number"] for one in listed.json()] == [2, 1]
    assert set(listed.links) == {"prev", "next", "last", "first"}
    assert [one.raw_data["payload"]["number"] for one in remote.get_deployments()] == [4, 3, 2, 1, 0]
    assert [one.raw_data["payload"]["number"] for one in remote.get_deployments(task="rollback")] == [3, 1]
    assert list(remote.get_deployments(sha="b" * 40)) == []


def test_statuses_are_gone_after_90_days_and_deployments_are_not(api: GitHubApi, remote: Remote) -> None:
    remote.create_deployment(**ASKED).create_status("success")
    api.repository.later = timedelta(days=91)
    (found,) = remote.get_deployments()
    assert list(found.get_statuses()) == []


@pytest.mark.parametrize(("production", "states"), [(False, ["success", "inactive"]), (True, ["success"])])
def test_a_success_retires_what_was_live_before_except_in_production(
    remote: Remote, api: GitHubApi, production: bool, states: list[str]
) -> None:
    before = remote.create_deployment(**ASKED, production_environment=production)
    before.create_status("success")
    remote.create_deployment(**ASKED).create_status("success")
    assert api.repository.states(before.id) == states


def test_a_person_has_a_role_and_may_be_of_a_team(api: GitHubApi, remote: Remote) -> None:
    api.repository.people["dora"] = "maintain"
    api.repository.teams["acme/operators"] = {"dora": "active"}
    found = ask(api, "GET", "/repos/acme/bot/collaborators/dora/permission").json()
    assert (found["permission"], found["role_name"]) == ("write", "maintain")
    assert remote.get_collaborator_permission("carol") == "read"
    assert ask(api, "GET", "/repos/acme/bot/collaborators/mallory/permission").status_code == 404
    assert ask(api, "GET", "/orgs/acme/teams/operators/memberships/dora").json()["state"] == "active"
    assert ask(api, "GET", "/orgs/acme/teams/operators/memberships/alice").status_code == 404
    api.rights.clear()
    assert ask(api, "GET", "/orgs/acme/teams/operators/memberships/dora").status_code == 403


def test_who_does_not_say_who_they_are_is_refused(api: GitHubApi) -> None:
    path = "/repos/acme/bot/deployments"
    assert ask(api, "GET", path, headers={"Authorization": "Bearer other"}).status_code == 401
    assert ask(api, "GET", path, headers={"User-Agent": "", "Authorization": f"Bearer {TOKEN}"}).status_code == 403
    api.rights.clear()
    assert ask(api, "GET", path).json()["message"] == "Resource not accessible by integration"


@pytest.mark.parametrize(
    ("method", "path", "more", "violation"),
    [
        ("GET", "/repos/acme/bot/deployment", {}, "Path not found"),
        ("GET", "/repos/acme/bot/deployments?state=success", {}, "GitHub has no parameter state"),
        ("GET", "/repos/acme/bot/deployments?per_page=many", {}, "many"),
        ("POST", "/repos/acme/bot/deployments", {"json": {**ASKED, "state": "x"}}, "GitHub has no field state"),
        ("POST", "/repos/acme/bot/deployments", {"json": {"ref": 1}}, "ref: 1 is not of type 'string'"),
        ("POST", "/repos/acme/bot/deployments", {"data": "ref=main"}, "mimetype not found"),
        ("GET", "/repos/acme/bot/branches", {}, "the stand-in does not know this one"),
    ],
)
def test_a_request_that_github_would_not_understand_fails_the_test(
    method: str, path: str, more: dict[str, Any], violation: str
) -> None:
    with pytest.raises(AssertionError, match=violation), github_api() as api:
        ask(api, method, path, **more)


def test_a_path_outside_of_the_api_of_an_enterprise_server_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="is not under /api/v3"), github_api("enterprise") as api:
        requests.get(api.url.replace("/api/v3", "/repos/acme/bot/deployments"), timeout=5).close()


def test_an_answer_that_github_would_not_give_fails_the_test() -> None:
    class Odd(Repository):
        def listed(self, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
            return [{"id": "one"}]

    with (
        pytest.raises(AssertionError, match="0/id: 'one' is not of type 'integer'"),
        github_api(repository=Odd()) as api,
    ):
        ask(api, "GET", "/repos/acme/bot/deployments")


@pytest.mark.parametrize(
    ("kind", "status"),
    [("error", 500), ("html", 502), ("rate limit", 403), ("secondary limit", 429), ("unauthorized", 401)],
)
def test_troubles_are_told_for_as_long_as_they_last(api: GitHubApi, kind: Any, status: int) -> None:
    api.is_in_trouble(kind, "^POST", times=1)
    assert ask(api, "GET", "/repos/acme/bot/deployments").status_code == 200
    assert create(api).status_code == status
    assert create(api).status_code == 201


@pytest.mark.parametrize(("kind", "filed"), [("cut", 0), ("lost answer", 1)])
def test_a_connection_that_ends_may_have_done_something(api: GitHubApi, kind: Any, filed: int) -> None:
    api.is_in_trouble(kind, "deployments$")
    with pytest.raises(requests.ConnectionError):
        create(api)
    assert len(api.repository.deployments) == filed
    assert [told.status for told in api.told] == [0]


def test_an_api_that_hangs_says_nothing_until_the_test_is_over(api: GitHubApi) -> None:
    api.is_in_trouble("hang")
    with pytest.raises(requests.Timeout):
        ask(api, "GET", "/repos/acme/bot/deployments", timeout=0.3)


def test_pygithub_reports_what_is_refused(api: GitHubApi, remote: Remote) -> None:
    with pytest.raises(GithubException) as refused:
        remote.create_deployment(**{**ASKED, "ref": "nowhere"})
    assert refused.value.status == 422
