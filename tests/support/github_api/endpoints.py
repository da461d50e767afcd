"""GitHub's API by its paths: who are you, may you, is it there, does it make sense."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode

from tests.support.github_api.description import Answer, Request
from tests.support.github_api.repository import Conflict, Document, Merged, NotFound, Repository, Unprocessable

DOCUMENTATION = "https://docs.github.com/rest"


class Unknown(Exception):
    """A path that the stand-in does not have; GitHub may."""


@dataclass(frozen=True)
class Call:
    """One request to what GitHub has; ``parts`` are what its path names."""

    request: Request
    github: Repository
    parts: Sequence[str] = ()

    @property
    def repository(self) -> Repository:
        """The repository of the path. Raises ``NotFound`` for any other than ours."""
        if self.parts[0] != self.github.name:
            raise NotFound
        return self.github

    @property
    def number(self) -> int:
        return int(self.parts[1])

    @property
    def document(self) -> Document:
        found = json.loads(self.request.body)
        assert isinstance(found, dict)
        return found

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.request.query))


def answer(request: Request, github: Repository, token: str, rights: set[str]) -> Answer:
    """As GitHub answers a request. Raises ``Unknown``."""
    headers = dict(request.headers)
    if not headers.get("user-agent"):
        return refused(403, "Request forbidden by administrative rules. Please make sure you have a User-Agent header")
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() not in ("token", "bearer") or given != token:
        return refused(401, "Bad credentials")
    for method, pattern, right, work in _ROUTES:
        found = re.fullmatch(pattern, request.path)
        if found and method == request.method:
            if right and right not in rights:
                return refused(403, "Resource not accessible by integration")
            return _done(work, Call(request, github, [unquote(part) for part in found.groups()]))
    raise Unknown(f"{request}: the stand-in does not know this one")


def refused(status: int, message: str) -> Answer:
    return Answer(status, {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)})


Work = Callable[[Call], Answer]


def _done(work: Work, call: Call) -> Answer:
    try:
        return work(call)
    except NotFound:
        return refused(404, "Not Found")
    except Merged as merged:
        return Answer(202, {"message": str(merged)})
    except Conflict as conflict:
        return refused(409, str(conflict))
    except Unprocessable as error:
        return refused(422, str(error))


def _list(call: Call) -> Answer:
    wanted = {key: value for key, value in call.query.items() if key in ("sha", "ref", "task", "environment")}
    return _page(call, call.repository.listed(wanted))


def _create(call: Call) -> Answer:
    return Answer(201, call.repository.create(call.document))


def _get(call: Call) -> Answer:
    return Answer(200, call.repository.get(call.number))


def _statuses(call: Call) -> Answer:
    return _page(call, call.repository.statuses(call.number))


def _create_status(call: Call) -> Answer:
    return Answer(201, call.repository.create_status(call.number, call.document))


def _permission(call: Call) -> Answer:
    return Answer(200, call.repository.permission(call.parts[1]))


def _compare(call: Call) -> Answer:
    base, _, head = call.parts[1].partition("...")
    return Answer(200, call.repository.compared(base, head, int(call.query.get("page", 1))))


def _membership(call: Call) -> Answer:
    org, slug, login = call.parts
    return Answer(200, call.github.membership(f"{org}/{slug}", login))


def _react(call: Call) -> Answer:
    return Answer(201, call.repository.react(call.number, call.document["content"]))


def _comment(call: Call) -> Answer:
    return Answer(201, call.repository.comment(call.number, call.document["body"]))


def _page(call: Call, found: list[Document]) -> Answer:
    """30 at a time, or what was asked for up to 100; the other pages are in the Link header."""
    size, number = min(int(call.query.get("per_page", 30)), 100), int(call.query.get("page", 1))
    last = max(1, -(-len(found) // size))
    pages = {"prev": number - 1, "first": 1} if number > 1 else {}
    pages |= {"next": number + 1, "last": last} if number < last else {}
    here = f"{call.github.url}{call.request.path}"
    links = [f'<{here}?{urlencode({**call.query, "page": page})}>; rel="{name}"' for name, page in pages.items()]
    return Answer(200, found[(number - 1) * size : number * size], {"Link": ", ".join(links)} if links else {})


_REPO = r"/repos/([^/]+/[^/]+)"
_ROUTES: Sequence[tuple[str, str, str, Work]] = (
    ("get", rf"{_REPO}/deployments", "deployments", _list),
    ("post", rf"{_REPO}/deployments", "deployments", _create),
    ("get", rf"{_REPO}/deployments/(\d+)", "deployments", _get),
    ("get", rf"{_REPO}/deployments/(\d+)/statuses", "deployments", _statuses),
    ("post", rf"{_REPO}/deployments/(\d+)/statuses", "deployments", _create_status),
    ("post", rf"{_REPO}/issues/comments/(\d+)/reactions", "issues", _react),
    ("post", rf"{_REPO}/issues/(\d+)/comments", "issues", _comment),
    ("get", rf"{_REPO}/collaborators/([^/]+)/permission", "", _permission),
    ("get", rf"{_REPO}/compare/([^/]+)", "contents", _compare),
    ("get", r"/orgs/([^/]+)/teams/([^/]+)/memberships/([^/]+)", "members", _membership),
)
