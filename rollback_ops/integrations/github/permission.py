"""Whether the person who started a workflow may roll this environment back: GitHub is asked, before any host is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from rollback_ops.config.types import Role
from rollback_ops.core.errors import Refused, RollbackOpsError
from rollback_ops.core.tasks import Cancellation, begin
from rollback_ops.core.text import one_line
from rollback_ops.integrations.github.api import Api, GitHubError, Repository

# From the least to the most.
_ROLES: tuple[Role, ...] = get_args(Role)
# The old names say less than the roles: GitHub gives them for each role, and for one that somebody made up.
_AT_LEAST: dict[str, Role] = {"read": "read", "write": "write", "admin": "admin"}
_AT_MOST: dict[str, Role] = {"read": "triage", "write": "maintain", "admin": "admin"}
_NOT_FOUND = 404
_WITHIN = 8.0
_HINT = "Ask somebody who may, or change require_permission of the environment."


@dataclass(frozen=True, slots=True)
class Permit:
    """``refusal`` says why it may not be done; ``warning`` what nobody looked up."""

    refusal: Refused | None = None
    warning: str = ""


def permit(required: str, person: str, place: Repository | None, *, goes_on_unchecked: bool) -> Permit:
    """Whether the person holds what is required: a role on the repository, or a membership (``@org/team``).

    When GitHub cannot be asked the answer is no, unless ``goes_on_unchecked``. Never raises.
    """
    try:
        refusal = _refusal(required, person, place)
    except GitHubError as error:
        what = f"nobody could look up whether {one_line(person)} holds {required}: {error.message}"
        if goes_on_unchecked:
            return Permit(warning=f"{what}; it went on (emergency, unchecked_emergency)")
        return Permit(Refused(what, _what_to_do(required, error)))
    return Permit(refusal)


def _refusal(required: str, person: str, place: Repository | None) -> Refused | None:
    if place is None:
        raise GitHubError("there is no GITHUB_TOKEN, or no GITHUB_REPOSITORY")
    api = Api(place)
    objection = _team if required.startswith("@") else _role
    found = begin([required], lambda _: objection(api, required, person)).results(_WITHIN, Cancellation())[required]
    if isinstance(found, GitHubError):
        raise found
    if isinstance(found, RollbackOpsError):
        raise GitHubError("GitHub took too long")
    return Refused(f"{one_line(person)} may not do this: {found}", _HINT) if found else None


def _role(api: Api, required: str, person: str) -> str:
    """Why the person's role is not enough, or nothing."""
    try:
        role = held(api.permission(person))
    except GitHubError as error:
        if error.status != _NOT_FOUND:
            raise
        role = ""
    if role and _ROLES.index(role) >= _ROLES.index(required):
        return ""
    return f"it takes {required} on {api.repository}, and they have {role or 'nothing'}"


def _team(api: Api, required: str, person: str) -> str:
    organization, _, team = required.removeprefix("@").partition("/")
    try:
        state = api.membership(organization, team, person)
    except GitHubError as error:
        if error.status != _NOT_FOUND:
            raise
        return f"they are not in {required}, or the token cannot see that team (it needs members: read)"
    return "" if state == "active" else f"their membership of {required} is {one_line(state) or 'unknown'}"


def held(answer: Mapping[str, Any]) -> Role | str:
    """The role that GitHub's answer comes to; empty for none.

    ``permission`` is an old name that stands for two roles; which of them it is, ``role_name`` says, and for roles that
    an organization made up, the permissions of the user. What contradicts ``permission`` does not count.
    """
    old = str(answer.get("permission", ""))
    if old not in _AT_LEAST:
        return ""
    least, most = _AT_LEAST[old], _AT_MOST[old]
    user = answer.get("user")
    permissions = user.get("permissions") if isinstance(user, dict) else None
    allowed = isinstance(permissions, dict) and permissions.get(most) is True
    custom = answer.get("role_name") not in _ROLES
    return most if answer.get("role_name") == most or (custom and allowed) else least


def _what_to_do(required: str, error: GitHubError) -> str:
    if required.startswith("@") and error.status in (401, 403):
        return "Give the step a token with members: read; the GITHUB_TOKEN of a workflow cannot read teams."
    return "In an emergency, --emergency goes on where the environment has unchecked_emergency = true."
