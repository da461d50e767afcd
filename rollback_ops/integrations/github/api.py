"""GitHub's API: short timeouts, few retries, and errors that this package can explain.

It uses PyGithub's requester, not its objects: the objects send more requests for fields that an answer left out, and
fail on a payload that is a text.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import SecretStr
from pydantic_core import from_json

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.text import one_line

if TYPE_CHECKING:
    from github import Github, GithubException

_API, _SERVER = "https://api.github.com", "https://github.com"
_TIMEOUT = 2
_RETRIES = 2
_BACKOFF = 0.1
# Seconds before each look for a deployment whose answer did not come.
_LOOKS = (0.0, 0.5, 1.0)
PAGE = 100
_RATE_LIMITED = 429
_RETRIED_STATUSES = (500, 502, 503, 504)
# Statuses of a proxy before GitHub when GitHub did not answer in time.
_UNANSWERED_STATUSES = (502, 504)
_NOT_GITHUB = "the answer did not come from GitHub's API"
_ACCEPT = {"Accept": "application/vnd.github+json"}


class GitHubError(RollbackOpsError):
    """A request to GitHub failed.

    ``status`` is the HTTP status: 0 without an answer from GitHub, 429 for every rate limit (GitHub may answer 403).
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def may_be_done(self) -> bool:
        """Whether GitHub may have carried out the request although no good answer came."""
        return self.status == 0 or self.status >= 500


class NoAnswer(GitHubError):
    """A request to which no answer came: GitHub may still be at work on it."""


@frozen
class Repository:
    """A repository on GitHub. ``name`` is OWNER/NAME, ``api`` and ``server`` are URLs, ``sha`` is a commit."""

    name: str
    token: SecretStr
    api: str = _API
    server: str = _SERVER
    sha: str = ""

    @classmethod
    def of(cls, environ: Mapping[str, str], token: SecretStr | None) -> Repository | None:
        """Return the repository that the workflow runs for; None without a valid ``GITHUB_REPOSITORY`` or a token."""
        name = environ.get("GITHUB_REPOSITORY", "")
        if token is None or not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
            return None
        return cls(
            name=name,
            token=SecretStr(token.get_secret_value().strip()),
            api=environ.get("GITHUB_API_URL") or _API,
            server=environ.get("GITHUB_SERVER_URL") or _SERVER,
            sha=environ.get("GITHUB_SHA", ""),
        )

    @property
    def runs(self) -> str:
        """The prefix of the URL of every workflow run of this repository."""
        return f"{self.server}/{self.name}/actions/runs/"


@frozen
class Deployment:
    """A deployment as GitHub returns it. ``payload`` is None where it is not a JSON object.

    ``task`` is ``deploy`` unless its creator chose another.
    ``creator`` is the person who created it; empty where a program did, such as a workflow with its own token.
    """

    id: int
    url: str
    sha: str
    environment: str
    payload: Mapping[str, Any] | None
    task: str = ""
    created_at: str = ""
    creator: str = ""


class Api:
    """One connection to GitHub, for one thread: PyGithub keeps the current request in the connection.

    ``timeout``: seconds to connect, and seconds until each answer begins.
    """

    def __init__(self, repository: Repository, redact: Redactor, timeout: int = _TIMEOUT) -> None:
        self._timeout = timeout
        self._repository = repository
        self.repository = repository.name
        self._redact = redact
        self._github: Github | None = None

    def deployments(self, *, page: int = 1, **filters: str) -> list[Deployment]:
        """Return one page of deployments, newest first. Filters: ``task``, ``environment``, ``sha`` (a full one)."""
        wanted = {name: text for name, text in filters.items() if text}
        found = self._get(f"/repos/{self.repository}/deployments", {**wanted, "per_page": PAGE, "page": page})
        return [_deployment(each) for each in _list(found)]

    def compare(self, base: str, head: str, *, page: int = 1) -> Mapping[str, Any]:
        """Return one page of GitHub's comparison. Only the first has the files. Raises ``GitHubError``."""
        path = f"/repos/{self.repository}/compare/{quote(f'{base}...{head}', safe='.')}"
        found = _object(self._get(path, {"per_page": PAGE, "page": page}))
        if not (isinstance(found.get("total_commits"), int) and isinstance(found.get("behind_by"), int)):
            raise GitHubError(_NOT_GITHUB)
        return found

    def create_once(self, document: Mapping[str, Any], find: Callable[[], Deployment | None]) -> Deployment:
        """Create a deployment once. ``find`` looks for it after an answer that was lost.

        A request to which no answer came is never sent again: GitHub may carry it out after we have looked. Then the
        error is raised, and a later run looks again.
        """
        try:
            return self.create(document)
        except GitHubError as error:
            if not error.may_be_done:
                raise
            lost = error
        for pause in _LOOKS if isinstance(lost, NoAnswer) else _LOOKS[:1]:
            time.sleep(pause)
            if there := find():
                return there
        if isinstance(lost, NoAnswer):
            raise lost
        return self.create(document)

    def create(self, document: Mapping[str, Any]) -> Deployment:
        """Create a deployment. Never retried here: before a retry, the caller has to look whether it exists."""
        return _deployment(self._ask("POST", f"/repos/{self.repository}/deployments", document=document))

    def state(self, deployment: int) -> str:
        """Return the newest state of a deployment; empty without one, or when GitHub has deleted it."""
        path = f"/repos/{self.repository}/deployments/{deployment}/statuses"
        states = _list(self._get(path, {"per_page": 1}))
        return str(states[0].get("state", "")) if states else ""

    def statuses(self, deployment: int) -> list[Mapping[str, Any]]:
        """Return the last hundred statuses of a deployment, oldest first."""
        path = f"/repos/{self.repository}/deployments/{deployment}/statuses"
        found = [each for each in _list(self._get(path, {"per_page": PAGE})) if isinstance(each.get("id"), int)]
        return sorted(found, key=lambda status: int(status["id"]))

    def add_status(self, deployment: int, document: Mapping[str, Any]) -> None:
        path = f"/repos/{self.repository}/deployments/{deployment}/statuses"
        _text(self._ask("POST", path, document=document), "state")

    def permission(self, person: str) -> Mapping[str, Any]:
        """Return GitHub's answer about a person's permission in the repository."""
        found = _object(self._get(f"/repos/{self.repository}/collaborators/{quote(person, safe='')}/permission"))
        return {**found, "permission": _text(found, "permission")}

    def membership(self, organization: str, team: str, person: str) -> str:
        """Return the state of a team membership: ``active`` or ``pending``."""
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

        # The text of these exceptions may hold the token, a page of HTML or parts of the answer: it is not shown.
        try:
            requester = self._connected().requester
            return requester.requestJsonAndCheck(
                verb, path, dict(parameters or {}), dict(_ACCEPT), dict(document) if document is not None else None
            )[1]
        except GithubException as error:
            kind = NoAnswer if error.status in _UNANSWERED_STATUSES else GitHubError
            raise kind(self._explained(error), _RATE_LIMITED if _is_rate_limited(error) else error.status) from None
        except OSError as error:
            raise NoAnswer(_without_answer(error)) from None
        except Exception as error:
            raise GitHubError(f"GitHub's answer could not be understood ({type(error).__name__})") from None

    def _connected(self) -> Github:
        if self._github is None:
            import logging

            from github import Auth, Github
            from urllib3 import Retry

            # urllib3 logs each retry, with the URL.
            logging.getLogger("urllib3").setLevel(logging.CRITICAL)
            self._github = Github(
                base_url=self._repository.api,
                auth=Auth.Token(self._repository.token.get_secret_value()),
                timeout=self._timeout,
                retry=Retry(
                    total=_RETRIES,
                    backoff_factor=_BACKOFF,
                    allowed_methods={"GET"},
                    status_forcelist=_RETRIED_STATUSES,
                    respect_retry_after_header=False,
                    raise_on_status=False,
                ),
                # By default, PyGithub waits one second between two writes.
                seconds_between_requests=None,
                seconds_between_writes=None,
                user_agent="rollback-ops",
            )
        return self._github

    def _explained(self, error: GithubException) -> str:
        status, message = error.status, self._message_of(error)
        if status == _RATE_LIMITED or _is_rate_limited(error):
            return f"GitHub's rate limit is used up ({status})"
        if status >= 500:
            return f"GitHub answered with a server error ({status})"
        words = {
            401: "GitHub rejected the token",
            403: "the token lacks the permission for this",
            404: "GitHub does not have this, or the token cannot see it",
            409: "GitHub rejected the request because of a conflict",
            422: "GitHub rejected the request as invalid",
        }.get(status, "GitHub rejected the request")
        return f"{words} ({status}{f': {message}' if message else ''})"

    def _message_of(self, error: GithubException) -> str:
        """Return GitHub's own message; empty for a page of HTML, which a proxy sends."""
        message = error.data.get("message") if isinstance(error.data, dict) else None
        if not isinstance(message, str) or "<" in message:
            return ""
        return one_line(self._redact(message), 120)


def _is_rate_limited(error: GithubException) -> bool:
    from github import RateLimitExceededException

    headers = error.headers or {}
    used_up = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    return isinstance(error, RateLimitExceededException) or (error.status == 403 and used_up)


def _without_answer(error: OSError) -> str:
    """Explain a connection error by its type. Its own text is not shown: it contains addresses."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    kinds = " ".join(type(each).__name__ for each in (error, cause))
    if "Timeout" in kinds:
        return "GitHub did not answer in time"
    if "SSL" in kinds:
        return "GitHub's certificate is not trusted"
    return "GitHub cannot be reached, or the connection was cut"


def _list(answer: Any) -> list[dict[str, Any]]:
    if not isinstance(answer, list) or not all(isinstance(each, dict) for each in answer):
        raise GitHubError(_NOT_GITHUB)
    return answer


def _object(answer: Any) -> dict[str, Any]:
    return _list([answer])[0]


def _text(answer: Any, name: str) -> str:
    """Return a text that every answer of this kind has. A page from a proxy has none."""
    text = _object(answer).get(name)
    if not isinstance(text, str):
        raise GitHubError(_NOT_GITHUB)
    return text


def _deployment(answer: Any) -> Deployment:
    found = _object(answer)
    if not isinstance(found.get("id"), int):
        # Status 202: GitHub merged the base branch instead of creating a deployment.
        raise GitHubError("GitHub did not answer with a deployment")
    texts = {name: str(found.get(name) or "") for name in ("url", "sha", "environment", "task", "created_at")}
    return Deployment(
        id=found["id"], payload=_payload(found.get("payload")), creator=_person(found.get("creator")), **texts
    )


def _person(creator: Any) -> str:
    """Return the login of a creator who is a person, not a program."""
    is_person = isinstance(creator, dict) and creator.get("type") == "User"
    return str(creator.get("login") or "") if is_person else ""


def _payload(payload: Any) -> Mapping[str, Any] | None:
    """Read a payload, which GitHub returns either as an object or as a text with JSON."""
    if isinstance(payload, str):
        try:
            payload = from_json(payload)
        except ValueError:
            return None
    return payload if isinstance(payload, dict) else None
