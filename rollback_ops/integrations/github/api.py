"""The one place that speaks with GitHub's API: short timeouts, few retries, and errors in words of ours.

What is asked goes through PyGithub's requester and not through its objects: those ask again behind one's back for what
an answer left out, and give up on a payload that is a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import SecretStr
from pydantic_core import from_json

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.redaction import mask
from rollback_ops.core.text import one_line, short

if TYPE_CHECKING:
    from github import Github, GithubException

_API, _SERVER = "https://api.github.com", "https://github.com"
# Seconds to connect, and again for the answer to begin.
_TIMEOUT = 2
_RETRIES = 2
_BACKOFF = 0.1
PAGE = 100
_LIMITED = 429
_TROUBLES = (500, 502, 503, 504)
_SOMETHING_ELSE = "something answers that is not GitHub's API"
_ACCEPT = {"Accept": "application/vnd.github+json"}


class GitHubError(RollbackOpsError):
    """GitHub did not do what it was asked.

    ``status`` is 0 where no answer came that makes sense, and 429 where a limit is used up, also when GitHub says 403.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def may_be_done(self) -> bool:
        """Whether it may have been done all the same: only the answer is known to be missing."""
        return self.status == 0 or self.status >= 500


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on a GitHub. ``api`` and ``server`` are addresses, ``sha`` is the commit of the workflow."""

    repository: str
    token: SecretStr
    api: str = _API
    server: str = _SERVER
    sha: str = ""

    @classmethod
    def of(cls, environ: Mapping[str, str], token: SecretStr | None) -> Repository | None:
        """The repository that the workflow runs for. None: it is not known, or there is no token for it."""
        repository = environ.get("GITHUB_REPOSITORY", "")
        if token is None or not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
            return None
        return cls(
            repository=repository,
            token=SecretStr(token.get_secret_value().strip()),
            api=environ.get("GITHUB_API_URL") or _API,
            server=environ.get("GITHUB_SERVER_URL") or _SERVER,
            sha=environ.get("GITHUB_SHA", ""),
        )

    @property
    def runs(self) -> str:
        """How the address of each of this repository's runs begins."""
        return f"{self.server}/{self.repository}/actions/runs/"


@dataclass(frozen=True, slots=True)
class Deployment:
    """``payload`` is None where it is not the JSON of an object."""

    id: int
    url: str
    sha: str
    environment: str
    payload: Mapping[str, Any] | None


class Api:
    """One connection. It is for one thread: PyGithub keeps the request under way in the connection."""

    def __init__(self, place: Repository) -> None:
        self._place = place
        self.repository = place.repository
        self._github: Github | None = None

    def deployments(self, *, page: int = 1, **filters: str) -> list[Deployment]:
        """A page of them, newest first; the filters are ``task``, ``environment`` and ``sha`` (a whole one)."""
        wanted = {name: text for name, text in filters.items() if text}
        found = self._get(f"/repos/{self.repository}/deployments", {**wanted, "per_page": PAGE, "page": page})
        return [_deployment(each) for each in _list(found)]

    def create(self, document: Mapping[str, Any]) -> Deployment:
        """Never sent twice: whoever asks again has to look first whether it is there."""
        return _deployment(self._ask("POST", f"/repos/{self.repository}/deployments", document=document))

    def state(self, deployment: int) -> str:
        """The last state that a deployment was given; empty without any, and when GitHub has deleted it."""
        path = f"/repos/{self.repository}/deployments/{deployment}/statuses"
        states = _list(self._get(path, {"per_page": 1}))
        return str(states[0].get("state", "")) if states else ""

    def add_status(self, deployment: int, document: Mapping[str, Any]) -> None:
        path = f"/repos/{self.repository}/deployments/{deployment}/statuses"
        _text(self._ask("POST", path, document=document), "state")

    def permission(self, person: str) -> Mapping[str, Any]:
        """What somebody may do in the repository, in GitHub's words."""
        found = _object(self._get(f"/repos/{self.repository}/collaborators/{quote(person, safe='')}/permission"))
        return {**found, "permission": _text(found, "permission")}

    def membership(self, organization: str, team: str, person: str) -> str:
        """The state of a membership: ``active`` or ``pending``."""
        path = f"/orgs/{quote(organization, safe='')}/teams/{quote(team, safe='')}/memberships/{quote(person, safe='')}"
        return _text(self._get(path), "state")

    def _get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        return self._ask("GET", path, parameters=parameters)

    def _ask(
        self,
        verb: str,
        path: str,
        parameters: Mapping[str, Any] | None = None,
        document: Mapping[str, Any] | None = None,
    ) -> Any:
        from github import GithubException

        # What comes up here may hold the token, a page of HTML, or anything else that an answer was made of.
        try:
            requester = self._connected().requester
            return requester.requestJsonAndCheck(
                verb, path, dict(parameters or {}), dict(_ACCEPT), dict(document) if document is not None else None
            )[1]
        except GithubException as error:
            raise GitHubError(self._explained(error), _LIMITED if _is_limited(error) else error.status) from None
        except OSError as error:
            raise GitHubError(_without_answer(error)) from None
        except Exception as error:
            raise GitHubError(f"GitHub's answer makes no sense ({type(error).__name__})") from None

    def _connected(self) -> Github:
        if self._github is None:
            import logging

            from github import Auth, Github
            from urllib3 import Retry

            # It logs what it tries again.
            logging.getLogger("urllib3").setLevel(logging.CRITICAL)
            self._github = Github(
                base_url=self._place.api,
                auth=Auth.Token(self._place.token.get_secret_value()),
                timeout=_TIMEOUT,
                retry=Retry(
                    total=_RETRIES,
                    backoff_factor=_BACKOFF,
                    allowed_methods={"GET"},
                    status_forcelist=_TROUBLES,
                    respect_retry_after_header=False,
                    raise_on_status=False,
                ),
                # It would wait for a second between two writes.
                seconds_between_requests=None,
                seconds_between_writes=None,
                user_agent="rollback-ops",
            )
        return self._github

    def _explained(self, error: GithubException) -> str:
        status, said = error.status, self._said(error)
        if status == _LIMITED or _is_limited(error):
            return f"GitHub's limit of requests is used up ({status})"
        if status >= 500:
            return f"GitHub is in trouble ({status})"
        words = {
            401: "GitHub does not take the token",
            403: "the token may not do this",
            404: "GitHub does not have this, or does not show it to this token",
            409: "GitHub refuses because of a conflict",
            422: "GitHub does not take this",
        }.get(status, "GitHub refuses")
        return f"{words} ({status}{f': {said}' if said else ''})"

    def _said(self, error: GithubException) -> str:
        """GitHub's own words, where they are its own: a proxy's page is nobody's explanation."""
        said = error.data.get("message") if isinstance(error.data, dict) else None
        if not isinstance(said, str) or "<" in said:
            return ""
        return short(one_line(mask(said, [self._place.token.get_secret_value()])), 120)


def _is_limited(error: GithubException) -> bool:
    from github import RateLimitExceededException

    headers = error.headers or {}
    used_up = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    return isinstance(error, RateLimitExceededException) or (error.status == 403 and used_up)


def _without_answer(error: OSError) -> str:
    """An error of the connection by its kind; what it says itself has addresses in it."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    kinds = " ".join(type(each).__name__ for each in (error, cause))
    if "Timeout" in kinds:
        return "GitHub did not answer in time"
    if "SSL" in kinds:
        return "GitHub's certificate is not trusted"
    return "GitHub cannot be reached, or the connection was cut"


def _list(answer: Any) -> list[dict[str, Any]]:
    if not isinstance(answer, list) or not all(isinstance(each, dict) for each in answer):
        raise GitHubError(_SOMETHING_ELSE)
    return answer


def _object(answer: Any) -> dict[str, Any]:
    return _list([answer])[0]


def _text(answer: Any, name: str) -> str:
    """A text that is in every answer of this kind; a page of a proxy has none."""
    text = _object(answer).get(name)
    if not isinstance(text, str):
        raise GitHubError(_SOMETHING_ELSE)
    return text


def _deployment(answer: Any) -> Deployment:
    found = _object(answer)
    if not isinstance(found.get("id"), int):
        # 202: it merged something instead.
        raise GitHubError("GitHub did not answer with a deployment")
    texts = {name: str(found.get(name) or "") for name in ("url", "sha", "environment")}
    return Deployment(id=found["id"], payload=_payload(found.get("payload")), **texts)


def _payload(payload: Any) -> Mapping[str, Any] | None:
    """A payload comes back as an object or as a text, as it pleases GitHub."""
    if isinstance(payload, str):
        try:
            payload = from_json(payload)
        except ValueError:
            return None
    return payload if isinstance(payload, dict) else None
