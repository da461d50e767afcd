"""Checks on GitHub, before any host is contacted, whether the person who started a workflow may roll back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from rollback_ops.config.types import Role
from rollback_ops.core.errors import Refused, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.tasks import Cancellation, begin
from rollback_ops.core.text import one_line
from rollback_ops.integrations.github.api import Api, GitHubError, Repository

# From the least to the most.
_ROLES: tuple[Role, ...] = get_args(Role)
# GitHub's legacy ``permission`` has three values. Each stands for up to two roles, and for custom roles.
_AT_LEAST: dict[str, Role] = {"read": "read", "write": "write", "admin": "admin"}
_AT_MOST: dict[str, Role] = {"read": "triage", "write": "maintain", "admin": "admin"}
_NOT_FOUND = 404
# Seconds for the whole check.
_WITHIN = 8.0
_HINT = "Ask somebody who has the permission, or change require_permission of the environment."


@frozen
class Permission:
    """``refusal``: why the rollback is not permitted. ``warning``: what could not be checked.

    ``asked``: False where GitHub could not be asked; it may answer later.
    """

    refusal: Refused | None = None
    warning: str = ""
    asked: bool = True


def check_permission(
    required: str,
    person: str,
    repository: Repository | None,
    redact: Redactor,
    *,
    allow_unchecked: bool,
    within: float = _WITHIN,
) -> Permission:
    """Check whether the person has the required permission: a role on the repository, or a membership (``@org/team``).

    When GitHub cannot be asked, the rollback is not permitted, unless ``allow_unchecked``. Never raises.
    """
    try:
        refusal = _refusal(required, person, repository, redact, within)
    except GitHubError as error:
        problem = f"it could not be checked whether {one_line(person)} holds {required}: {error.message}"
        if allow_unchecked:
            return Permission(warning=f"{problem}; the emergency rollback went on (unchecked_emergency)")
        return Permission(Refused(problem, _what_to_do(required, error)), asked=False)
    return Permission(refusal)


def _refusal(
    required: str, person: str, repository: Repository | None, redact: Redactor, within: float
) -> Refused | None:
    if repository is None:
        raise GitHubError("GITHUB_TOKEN or GITHUB_REPOSITORY is missing")
    api = Api(repository, redact)
    objection = _team if required.startswith("@") else _role
    found = begin([required], lambda _: objection(api, required, person)).results(within, Cancellation())[required]
    if isinstance(found, GitHubError):
        raise found
    if isinstance(found, RollbackOpsError):
        raise GitHubError("GitHub did not answer in time")
    return Refused(f"{one_line(person)} lacks the permission: {found}", _HINT) if found else None


def _role(api: Api, required: str, person: str) -> str:
    """Return why the person's role does not suffice; empty when it does."""
    try:
        role = role_in(api.permission(person))
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


def role_in(answer: Mapping[str, Any]) -> Role | str:
    """Return the role in GitHub's answer; empty for none.

    ``permission`` is a legacy value that stands for two roles. ``role_name`` tells which of them; for an organization's
    custom role, the permissions of the user tell. Values that contradict ``permission`` do not count.
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
    return "In an emergency, use --emergency where the environment has unchecked_emergency = true."
