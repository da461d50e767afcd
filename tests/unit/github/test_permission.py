"""Who may roll back, by what GitHub says of them; and what happens when it says nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from rollback_ops.core.errors import Exit
from rollback_ops.integrations.github.api import Repository
from rollback_ops.integrations.github.permission import Permit, held, permit
from tests.support.github_web import PAGE_OF_A_PROXY, PLACE, TOKEN, address

PERSON = address("/repos/acme/bot/collaborators/alice/permission")
TEAM = address("/orgs/acme/teams/ops/memberships/alice")


def said(permission: str, role: str | None = None, **permissions: bool) -> dict[str, Any]:
    """GitHub's answer about a person."""
    answer: dict[str, Any] = {"permission": permission, "user": {"login": "alice", "permissions": permissions}}
    return answer | ({"role_name": role} if role is not None else {})


def asked(required: str, *, unchecked: bool = False, place: Repository | None = PLACE) -> Permit:
    found = permit(required, "alice", place, goes_on_unchecked=unchecked)
    text = f"{found.warning} {found.refusal}"
    assert not any(secret in text for secret in ("SECRET", "<", "example.org")), text
    return found


def refusal(required: str, *, unchecked: bool = False, place: Repository | None = PLACE) -> str:
    found = asked(required, unchecked=unchecked, place=place).refusal
    assert found
    assert found.exit_code == Exit.REFUSED
    assert found.hint
    return found.message


# --- roles -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "role"),
    [
        (said("admin", "admin"), "admin"),
        (said("write", "maintain"), "maintain"),
        (said("write", "write"), "write"),
        (said("read", "triage"), "triage"),
        (said("read", "read"), "read"),
        (said("none", "none"), ""),
        (said("none"), ""),
        # Servers that do not tell roles yet: what is certain.
        (said("admin"), "admin"),
        (said("write"), "write"),
        (said("write", maintain=True), "maintain"),
        (said("read", triage=False), "read"),
        # Roles that an organization made up: what they allow.
        (said("write", "release-manager", maintain=True, push=True), "maintain"),
        (said("write", "deployer", maintain=False, push=True), "write"),
        (said("read", "security", triage=True), "triage"),
        (said("read", "security"), "read"),
        (said("admin", "owner-like", admin=True), "admin"),
        # What contradicts itself counts for the less.
        (said("read", "admin", admin=True), "read"),
        (said("write", "admin"), "write"),
        (said("none", "admin"), ""),
        (said("write", "write", maintain=True), "write"),
        # Nonsense
        ({}, ""),
        ({"permission": None, "role_name": "admin"}, ""),
        ({"permission": ["admin"]}, ""),
        ({"permission": "read", "role_name": {}, "user": "alice"}, "read"),
        ({"permission": "read", "role_name": None, "user": {"permissions": ["triage"]}}, "read"),
    ],
)
def test_the_role_is_what_all_of_the_answer_agrees_on(answer: dict[str, Any], role: str) -> None:
    assert held(answer) == role


ROLES = ("read", "triage", "write", "maintain", "admin")
OLD = {"read": "read", "triage": "read", "write": "write", "maintain": "write", "admin": "admin"}


@pytest.mark.parametrize("required", ROLES)
@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_what_a_lesser_one_may(web: responses.RequestsMock, required: str, role: str) -> None:
    web.get(PERSON, json=said(OLD[role], role))
    if ROLES.index(role) >= ROLES.index(required):
        assert asked(required) == Permit()
    else:
        words = f"alice may not do this: it takes {required} on acme/bot, and they have {role}"
        assert refusal(required, unchecked=True) == words


@pytest.mark.parametrize("answer", [{"json": said("none")}, {"json": {"message": "Not Found"}, "status": 404}])
@pytest.mark.parametrize("unchecked", [True, False])
def test_who_is_nobody_there_is_refused_also_in_an_emergency(
    web: responses.RequestsMock, answer: dict[str, Any], unchecked: bool
) -> None:
    web.get(PERSON, **answer)
    words = "alice may not do this: it takes read on acme/bot, and they have nothing"
    assert refusal("read", unchecked=unchecked) == words


# --- teams -----------------------------------------------------------------------------------------------


def test_a_member_of_the_team_may(web: responses.RequestsMock) -> None:
    web.get(TEAM, json={"state": "active", "role": "member"})
    assert asked("@acme/ops") == Permit()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"json": {"state": "pending"}}, "alice may not do this: their membership of @acme/ops is pending"),
        ({"json": {"state": ""}}, "alice may not do this: their membership of @acme/ops is unknown"),
        (
            {"json": {"message": "Not Found"}, "status": 404},
            "alice may not do this: they are not in @acme/ops, or the token cannot see that team "
            "(it needs members: read)",
        ),
    ],
)
def test_who_is_not_in_the_team_may_not_also_in_an_emergency(
    web: responses.RequestsMock, answer: dict[str, Any], words: str
) -> None:
    web.get(TEAM, **answer)
    assert refusal("@acme/ops", unchecked=True) == words


def test_a_token_that_cannot_read_teams_is_told_what_it_needs(web: responses.RequestsMock) -> None:
    web.get(TEAM, json={"message": "Resource not accessible by integration"}, status=403)
    found = asked("@acme/ops").refusal
    assert found
    assert "nobody could look up whether alice holds @acme/ops: the token may not do this" in found.message
    assert found.hint.startswith("Give the step a token with members: read")


# --- nobody to ask ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"json": {"message": "Bad credentials"}, "status": 401}, "GitHub does not take the token"),
        ({"json": {"message": "Resource not accessible by integration"}, "status": 403}, "the token may not do this"),
        (
            {"json": {"message": "API rate limit exceeded for x"}, "status": 403},
            "GitHub's limit of requests is used up",
        ),
        ({"json": {"message": "Slow down"}, "status": 429}, "GitHub's limit of requests is used up"),
        ({"json": {"message": "Server Error"}, "status": 500}, "GitHub is in trouble"),
        ({"body": PAGE_OF_A_PROXY, "status": 502}, "GitHub is in trouble"),
        ({"body": requests.ReadTimeout(TOKEN)}, "GitHub did not answer in time"),
        ({"body": requests.ConnectionError(TOKEN)}, "GitHub cannot be reached"),
        ({"json": ["admin"]}, "something answers that is not GitHub's API"),
        ({"json": {"permission": None}}, "something answers that is not GitHub's API"),
        ({"body": PAGE_OF_A_PROXY, "content_type": "text/html"}, "something answers that is not GitHub's API"),
    ],
)
def test_when_github_cannot_be_asked_the_answer_is_no_but_in_an_emergency_that_is_allowed(
    web: responses.RequestsMock, answer: dict[str, Any], words: str
) -> None:
    web.get(PERSON, **answer)
    assert refusal("admin").startswith(f"nobody could look up whether alice holds admin: {words}")
    found = asked("admin", unchecked=True)
    assert found.refusal is None
    assert found.warning.startswith(f"nobody could look up whether alice holds admin: {words}")
    assert found.warning.endswith("; it went on (emergency, unchecked_emergency)")


def test_without_a_token_nobody_can_be_asked() -> None:
    assert "there is no GITHUB_TOKEN, or no GITHUB_REPOSITORY" in refusal("read", place=None)
    assert asked("read", unchecked=True, place=None).warning


@pytest.fixture
def hanging(web: responses.RequestsMock) -> Iterator[None]:
    over = threading.Event()

    def answer(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        over.wait(60)
        return 500, {}, ""

    web.add_callback(responses.GET, PERSON, callback=answer)
    yield
    over.set()


@pytest.mark.usefixtures("hanging")
def test_an_answer_that_never_comes_is_not_waited_for() -> None:
    assert refusal("read").endswith("GitHub took too long")
