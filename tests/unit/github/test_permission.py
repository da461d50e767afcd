"""Permission to roll back: roles and teams on GitHub, and the result when GitHub does not answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from rollback_ops.core.errors import Exit
from rollback_ops.integrations.github.api import Repository
from rollback_ops.integrations.github.permission import Permission, check_permission, role_in
from tests.support.github_web import PAGE_OF_A_PROXY, PLACE, REDACT, TOKEN, address

PERSON = address("/repos/acme/bot/collaborators/alice/permission")
TEAM = address("/orgs/acme/teams/ops/memberships/alice")


def said(permission: str, role: str | None = None, **permissions: bool) -> dict[str, Any]:
    """GitHub's answer about a person."""
    answer: dict[str, Any] = {"permission": permission, "user": {"login": "alice", "permissions": permissions}}
    return answer | ({"role_name": role} if role is not None else {})


def asked(required: str, *, unchecked: bool = False, place: Repository | None = PLACE) -> Permission:
    found = check_permission(required, "alice", place, REDACT, allow_unchecked=unchecked)
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
        # Custom roles of an organization count by their rights.
        (said("write", "release-manager", maintain=True, push=True), "maintain"),
        (said("write", "deployer", maintain=False, push=True), "write"),
        (said("read", "security", triage=True), "triage"),
        (said("read", "security"), "read"),
        (said("admin", "owner-like", admin=True), "admin"),
        # Of contradicting parts, the lower role counts.
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
def test_the_role_is_one_that_no_part_of_the_answer_contradicts(answer: dict[str, Any], role: str) -> None:
    assert role_in(answer) == role


ROLES = ("read", "triage", "write", "maintain", "admin")
OLD = {"read": "read", "triage": "read", "write": "write", "maintain": "write", "admin": "admin"}


@pytest.mark.parametrize("required", ROLES)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_includes_the_rights_of_lesser_roles(web: responses.RequestsMock, required: str, role: str) -> None:
    web.get(PERSON, json=said(OLD[role], role))
    if ROLES.index(role) >= ROLES.index(required):
        assert asked(required) == Permission()
    else:
        message = refusal(required, unchecked=True)
        assert all(each in message for each in ("alice", f"{required} on acme/bot", role))


@pytest.mark.parametrize("answer", [{"json": said("none")}, {"json": {"message": "Not Found"}, "status": 404}])
@pytest.mark.parametrize("unchecked", [True, False])
def test_a_person_without_a_role_is_refused_also_in_an_emergency(
    web: responses.RequestsMock, answer: dict[str, Any], unchecked: bool
) -> None:
    web.get(PERSON, **answer)
    assert "alice" in refusal("read", unchecked=unchecked)


# --- teams -----------------------------------------------------------------------------------------------


def test_a_member_of_the_team_is_permitted(web: responses.RequestsMock) -> None:
    web.get(TEAM, json={"state": "active", "role": "member"})
    assert asked("@acme/ops") == Permission()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"json": {"state": "pending"}}, "pending"),
        ({"json": {"state": ""}}, "unknown"),
        ({"json": {"message": "Not Found"}, "status": 404}, "members: read"),
    ],
)
def test_a_person_outside_the_team_is_refused_also_in_an_emergency(
    web: responses.RequestsMock, answer: dict[str, Any], words: str
) -> None:
    web.get(TEAM, **answer)
    message = refusal("@acme/ops", unchecked=True)
    assert all(each in message for each in ("alice", "@acme/ops", words))


def test_a_token_that_cannot_read_teams_is_told_what_it_needs(web: responses.RequestsMock) -> None:
    web.get(TEAM, json={"message": "Resource not accessible by integration"}, status=403)
    found = asked("@acme/ops").refusal
    assert found
    assert all(words in found.message for words in ("alice", "@acme/ops", "403"))
    assert "members: read" in found.hint


# --- nobody to ask ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"json": {"message": "Bad credentials"}, "status": 401}, "401"),
        ({"json": {"message": "Resource not accessible by integration"}, "status": 403}, "403"),
        ({"json": {"message": "API rate limit exceeded for x"}, "status": 403}, "rate limit"),
        ({"json": {"message": "Slow down"}, "status": 429}, "rate limit"),
        ({"json": {"message": "Server Error"}, "status": 500}, "500"),
        ({"body": PAGE_OF_A_PROXY, "status": 502}, "502"),
        ({"body": requests.ReadTimeout(TOKEN)}, "in time"),
        ({"body": requests.ConnectionError(TOKEN)}, "cannot be reached"),
        ({"json": ["admin"]}, "GitHub's API"),
        ({"json": {"permission": None}}, "GitHub's API"),
        ({"body": PAGE_OF_A_PROXY, "content_type": "text/html"}, "GitHub's API"),
    ],
)
def test_without_an_answer_of_github_only_an_unchecked_emergency_is_permitted(
    web: responses.RequestsMock, answer: dict[str, Any], words: str
) -> None:
    web.get(PERSON, **answer)
    message = refusal("admin")
    assert all(each in message for each in ("alice", "admin", words))
    found = asked("admin", unchecked=True)
    assert found.refusal is None
    assert all(each in found.warning for each in ("alice", "admin", words, "unchecked_emergency"))


def test_without_a_token_the_permission_cannot_be_looked_up() -> None:
    assert "GITHUB_TOKEN" in refusal("read", place=None)
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
def test_an_answer_that_never_comes_is_given_up_in_time() -> None:
    found = check_permission("read", "alice", PLACE, REDACT, allow_unchecked=False, within=0.2)
    assert found.refusal
    assert "in time" in found.refusal.message
