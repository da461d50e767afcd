"""Every kind of answer of GitHub, and answers that do not come."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses
from pydantic import SecretStr

from rollback_ops.integrations.github.api import Api, GitHubError, Repository
from tests.support.github_web import (
    DEPLOYMENTS,
    PAGE_OF_A_PROXY,
    PLACE,
    REDACT,
    TOKEN,
    address,
    deployment,
    sent,
    statuses,
)

Asking = Callable[[Api], object]


def problem(asking: Asking, place: Repository = PLACE) -> GitHubError:
    """What an exchange ended with; nothing of the token, of HTML or of addresses is in it, or behind it."""
    with pytest.raises(GitHubError) as caught:
        asking(Api(place, REDACT))
    error = caught.value
    said = f"{error} {error!r} {error.__cause__!r}"
    assert not any(secret in said for secret in ("SECRET", "<", "http", "example.org")), said
    return error


def listing(api: Api) -> object:
    return api.deployments(task="rollback")


def creating(api: Api) -> object:
    return api.create({"ref": "main"})


RATE = {"x-ratelimit-remaining": "0"}
LIMITED = "API rate limit exceeded for installation."


@pytest.mark.parametrize("asking", [listing, creating], ids=["GET", "POST"])
@pytest.mark.parametrize(
    ("status", "said", "headers", "shown"),
    [
        (401, "Bad credentials", {}, "(401: Bad credentials)"),
        (403, "Resource not accessible by integration", {}, "(403: Resource not accessible by integration)"),
        (404, "Not Found", {}, "(404: Not Found)"),
        (409, "Conflict: merge", {}, "(409: Conflict: merge)"),
        (418, "I am a teapot", {}, "(418: I am a teapot)"),
        (422, "No ref found for: x", {}, "(422: No ref found for: x)"),
        (500, "Server Error", {}, "(500)"),
        (503, "Unavailable", {"retry-after": "3600"}, "(503)"),
        (422, f"<b>{TOKEN}</b> https://example.org", {}, "(422)"),
        (403, f"token {TOKEN}\n::error::", {}, "(403: token ***"),
    ],
)
def test_a_refusal_shows_the_status_and_the_message_of_github(
    web: responses.RequestsMock, asking: Asking, status: int, said: str, headers: dict[str, str], shown: str
) -> None:
    web.add(responses.GET, DEPLOYMENTS, json={"message": said}, status=status, headers=headers)
    web.add(responses.POST, DEPLOYMENTS, json={"message": said}, status=status, headers=headers)
    error = problem(asking)
    assert shown in error.message
    assert "\n" not in error.message
    assert (error.status, error.may_be_done) == (status, status >= 500)


@pytest.mark.parametrize(
    ("status", "said", "headers"),
    [
        (403, LIMITED, RATE),
        (403, "Slow down", {"retry-after": "60"}),
        (429, "You have exceeded a secondary rate limit.", {"retry-after": "60"}),
    ],
)
def test_every_rate_limit_has_the_status_429(
    web: responses.RequestsMock, status: int, said: str, headers: dict[str, str]
) -> None:
    web.get(DEPLOYMENTS, json={"message": said}, status=status, headers=headers)
    error = problem(listing)
    assert (error.status, error.may_be_done, "rate limit" in error.message) == (429, False, True)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_a_web_page_of_a_proxy_is_not_taken_for_an_answer(web: responses.RequestsMock, status: int) -> None:
    web.get(DEPLOYMENTS, body=PAGE_OF_A_PROXY, content_type="text/html", status=status)
    problem(listing)
    web.post(DEPLOYMENTS, body=PAGE_OF_A_PROXY, content_type="text/html", status=status)
    assert problem(creating).may_be_done == (status != 404)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.ReadTimeout(f"{TOKEN} http://x"), "in time"),
        (requests.ConnectTimeout(f"{TOKEN} http://x"), "in time"),
        (requests.ConnectionError(f"{TOKEN} http://x"), "cannot be reached"),
        (requests.exceptions.SSLError(f"{TOKEN} http://x"), "certificate"),
        (requests.exceptions.ChunkedEncodingError(TOKEN), "connection"),
        (RuntimeError(f"redirected to http://example.org/{TOKEN}"), "RuntimeError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_without_an_answer_the_request_may_have_been_carried_out(
    web: responses.RequestsMock, error: Exception, words: str
) -> None:
    web.post(DEPLOYMENTS, body=error)
    found = problem(creating)
    assert words in found.message
    assert (found.status, found.may_be_done) == (0, True)


@pytest.mark.parametrize(
    "body",
    ["", "null", "7", '"text"', "[7]", '{"message": "?"}', "{", "[[]]", '["x"]', '[{"id": "7"}]', '[{"id": []}]'],
)
def test_an_answer_that_should_be_a_list_and_is_not_is_reported(web: responses.RequestsMock, body: str) -> None:
    web.get(DEPLOYMENTS, body=body)
    assert problem(listing).status == 0


def test_an_answer_that_reports_a_merge_is_not_a_deployment(web: responses.RequestsMock) -> None:
    web.post(DEPLOYMENTS, json={"message": "Auto-merged main into x on deployment."}, status=202)
    assert problem(creating).status == 0


# --- how it is asked -------------------------------------------------------------------------------------


def test_requests_that_read_are_tried_again_and_requests_that_write_never(
    server: Callable[[int, bytes], tuple[str, list[str]]],
) -> None:
    url, asked = server(503, b'{"message": "busy"}')
    place = Repository("acme/bot", SecretStr(TOKEN), api=url)
    assert problem(listing, place).status == 503
    assert len(asked) == 3
    problem(creating, place)
    assert asked[3:] == ["POST /repos/acme/bot/deployments"]


def test_retries_are_not_logged(
    server: Callable[[int, bytes], tuple[str, list[str]]], caplog: pytest.LogCaptureFixture
) -> None:
    url, _ = server(503, b"")
    with caplog.at_level(logging.WARNING):
        problem(listing, Repository("acme/bot", SecretStr(TOKEN), api=url))
    assert caplog.text == ""


def test_the_token_is_sent_in_the_header_and_shown_nowhere(web: responses.RequestsMock) -> None:
    web.get(DEPLOYMENTS, json=[])
    api = Api(PLACE, REDACT)
    assert api.deployments(task="rollback", environment="prod", sha="") == []
    request = web.calls[0].request
    assert request.headers["Authorization"] == f"token {TOKEN}"
    assert request.url is not None
    assert request.url.partition("?")[2] == "environment=prod&page=1&per_page=100&task=rollback"
    assert TOKEN not in repr(PLACE)


def test_an_enterprise_server_is_asked_at_its_own_address(web: responses.RequestsMock) -> None:
    environ = {
        "GITHUB_REPOSITORY": "acme/bot",
        "GITHUB_API_URL": "https://ghe.example.org/api/v3",
        "GITHUB_SERVER_URL": "https://ghe.example.org",
    }
    place = Repository.of(environ, SecretStr(f"{TOKEN}\n"))
    assert place
    assert place.runs == "https://ghe.example.org/acme/bot/actions/runs/"
    web.get(address("/api/v3/repos/acme/bot/deployments", "ghe.example.org:443"), json=[deployment()])
    (found,) = Api(place, REDACT).deployments()
    assert found.id == 7


@pytest.mark.parametrize("repository", ["", "bot", "acme/bot/x", "acme/..?x", "acme/bot\n"])
def test_a_name_that_is_not_a_repository_has_no_place(repository: str) -> None:
    assert Repository.of({"GITHUB_REPOSITORY": repository}, SecretStr(TOKEN)) is None
    assert Repository.of({"GITHUB_REPOSITORY": "acme/bot"}, None) is None


@pytest.mark.parametrize("url", ["", "ftp://x", "https://", "http://[", "127.0.0.1"])
def test_an_address_that_is_not_valid_is_reported(url: str) -> None:
    problem(listing, Repository("acme/bot", SecretStr(TOKEN), api=url))


# --- what comes back -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({"id": "r1"}, {"id": "r1"}),
        ('{"id": "r1"}', {"id": "r1"}),
        ({}, {}),
        ("", None),
        ("{", None),
        ("[]", None),
        (None, None),
        (7, None),
        ('"\\ud800"', None),
    ],
)
def test_a_payload_is_read_as_an_object_and_as_text(web: responses.RequestsMock, payload: Any, found: Any) -> None:
    web.get(DEPLOYMENTS, json=[deployment(payload=payload)])
    assert [each.payload for each in Api(PLACE, REDACT).deployments()] == [found]


def test_a_deployment_is_created_and_given_a_status(web: responses.RequestsMock) -> None:
    web.post(DEPLOYMENTS, json=deployment(4_294_967_300), status=201)
    web.post(statuses(4_294_967_300), json={"state": "success"}, status=201)
    api = Api(PLACE, REDACT)
    api.add_status(api.create({"ref": "main"}).id, {"state": "success"})
    assert sent(web) == [
        ("/repos/acme/bot/deployments", {"ref": "main"}),
        ("/repos/acme/bot/deployments/4294967300/statuses", {"state": "success"}),
    ]


@pytest.mark.parametrize(
    ("answer", "state"), [([], ""), ([{"state": "success"}, {"state": "in_progress"}], "success"), ([{}], "")]
)
def test_the_last_state_of_a_deployment_is_the_first_of_the_list(
    web: responses.RequestsMock, answer: Any, state: str
) -> None:
    web.get(statuses(7), json=answer)
    assert Api(PLACE, REDACT).state(7) == state


def test_names_in_a_path_stay_in_their_place(web: responses.RequestsMock) -> None:
    web.get(address("/repos/acme/bot/collaborators/a%2F..%3Fb%5Bbot%5D/permission"), json={"permission": "read"})
    web.get(address("/orgs/o%2Fx/teams/t/memberships/alice"), json={"state": "active"})
    assert Api(PLACE, REDACT).permission("a/..?b[bot]") == {"permission": "read", "url": web.calls[0].request.path_url}
    assert Api(PLACE, REDACT).membership("o/x", "t", "alice") == "active"
