"""The state of a repository on GitHub, and its behaviour there: the documented rules, and those that surprise."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

ROLES = {"none": "none", "read": "read", "triage": "read", "write": "write", "maintain": "write", "admin": "admin"}
LONGEST_DESCRIPTION = 140
STATUSES_ARE_KEPT = timedelta(days=90)

Document = dict[str, Any]


class Unprocessable(Exception):
    """422, with GitHub's words."""


class NotFound(Exception):
    """404."""


class Merged(Exception):
    """202: the default branch was merged into the ref, and no deployment was made."""


class Conflict(Exception):
    """409: the commit's checks have not passed."""


@dataclass
class Repository:
    """``refs`` are commits by the names of branches; every full SHA among them is known too. The default branch is
    ahead of all others, and the checks of no commit have passed: only who says that neither matters gets a deployment.

    ``people`` have a role each, teams (``org/slug``) members with a state each.
    """

    name: str = "acme/bot"
    refs: dict[str, str] = field(default_factory=lambda: {"main": "a" * 40})
    people: dict[str, str] = field(default_factory=lambda: {"alice": "admin", "bob": "write", "carol": "read"})
    teams: dict[str, dict[str, str]] = field(default_factory=dict)
    payload_as: Literal["object", "string"] = "object"
    login: str = "github-actions[bot]"
    url: str = ""
    later: timedelta = timedelta()
    deployments: list[Document] = field(default_factory=list)
    # The commits of each comparison, oldest first: author and message. Its files: by name, with their status.
    comparisons: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    behind: int = 0
    reactions: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    _statuses: dict[int, list[Document]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(4_102_444_800))

    def knows(self, *revisions: str) -> None:
        """Commits that were pushed."""
        self.refs |= {f"branch-of-{revision[:40]}": revision for revision in revisions}

    def listed(self, wanted: Mapping[str, str]) -> list[Document]:
        """Newest first; filtered by ``sha``, ``ref``, ``task``, ``environment``."""
        return [
            self._shown(deployment)
            for deployment in reversed(self.deployments)
            if all(deployment[key] == value for key, value in wanted.items())
        ]

    def get(self, number: int) -> Document:
        return self._shown(self._found(number))

    def create(self, asked: Document) -> Document:
        sha = self._commit(asked["ref"])
        if asked.get("auto_merge", True):
            raise Merged(f"Auto-merged main into {asked['ref']} on deployment.")
        if asked.get("required_contexts") != []:
            raise Conflict(f"Conflict: Commit status checks failed for {asked['ref']}.")
        _fits(asked)
        number = next(self._numbers)
        environment = asked.get("environment", "production")
        deployment = {
            "url": f"{self._here}/deployments/{number}",
            "id": number,
            "node_id": f"DE_{number}",
            "sha": sha,
            "ref": asked["ref"],
            "task": asked.get("task", "deploy"),
            "payload": asked.get("payload", {}),
            "original_environment": environment,
            "environment": environment,
            "description": asked.get("description"),
            "creator": self.person(self.login),
            **self._times(),
            "statuses_url": f"{self._here}/deployments/{number}/statuses",
            "repository_url": self._here,
            "transient_environment": asked.get("transient_environment", False),
            "production_environment": asked.get("production_environment", environment == "production"),
        }
        self.deployments.append(deployment)
        return self._shown(deployment)

    def statuses(self, number: int) -> list[Document]:
        """Newest first; those that are too old are gone."""
        self._found(number)
        oldest = _moment(self.now - STATUSES_ARE_KEPT)
        return [status for status in reversed(self._statuses.get(number, [])) if status["created_at"] > oldest]

    def states(self, number: int) -> list[str]:
        """The states that a deployment went through, oldest first."""
        return [status["state"] for status in reversed(self.statuses(number))]

    def create_status(self, number: int, asked: Document) -> Document:
        deployment = self._found(number)
        _fits(asked)
        if asked["state"] == "success" and asked.get("auto_inactive", True):
            self._retire(deployment)
        return self._add_status(deployment, asked)

    def compared(self, base: str, head: str, page: int) -> Document:
        """One page of the comparison of two commits: the oldest first, 100 at a time; files on the first page only."""
        if (base, head) not in self.comparisons:
            raise NotFound
        every = self.comparisons[base, head]
        there = range((page - 1) * 100, min(page * 100, len(every)))
        here = f"{self._here}/compare/{base}...{head}"
        found = {
            "url": here,
            "html_url": here,
            "permalink_url": here,
            "diff_url": f"{here}.diff",
            "patch_url": f"{here}.patch",
            "base_commit": self._commit_of(0, "alice", "The base"),
            "merge_base_commit": self._commit_of(0, "alice", "The base"),
            "status": "diverged" if self.behind else "ahead",
            "ahead_by": len(every),
            "behind_by": self.behind,
            "total_commits": len(every),
            "commits": [self._commit_of(number + 1, *every[number]) for number in there],
        }
        if page == 1:
            found["files"] = [self._file(name, status) for name, status in list(self.files.items())[:300]]
        return found

    def _commit_of(self, number: int, author: str, message: str) -> Document:
        sha = f"{number:040x}"
        url = f"{self._here}/commits/{sha}"
        by = {"name": author, "email": f"{author}@example.org", "date": "2026-11-01T00:00:00Z"}
        tree = {"sha": sha, "url": f"{self._here}/git/trees/{sha}"}
        return {
            "url": url,
            "sha": sha,
            "node_id": f"C_{number}",
            "html_url": url,
            "comments_url": f"{url}/comments",
            "commit": {"url": url, "author": by, "committer": by, "message": message, "comment_count": 0, "tree": tree},
            # As where the address belongs to nobody on GitHub.
            "author": {},
            "committer": {},
            "parents": [],
        }

    def _file(self, name: str, status: str) -> Document:
        url = f"{self._here}/blob/{name}"
        counts = {"additions": 1, "deletions": 1, "changes": 2}
        before = {"previous_filename": f"before/{name}"} if status == "renamed" else {}
        urls = {"blob_url": url, "raw_url": url, "contents_url": url}
        return {"sha": "c" * 40, "filename": name, "status": status, **counts, **urls, **before}

    def permission(self, login: str) -> Document:
        if login not in self.people:
            raise NotFound
        role = self.people[login]
        user = {**self.person(login), "role_name": role}
        return {"permission": ROLES[role], "role_name": role, "user": user}

    def react(self, number: int, content: str) -> Document:
        """React to a comment on an issue."""
        self.reactions.append(content)
        made = {"id": len(self.reactions), "node_id": "R", "content": content}
        return {**made, "user": self.person(self.login), "created_at": _moment(self.now)}

    def comment(self, number: int, body: str) -> Document:
        """Answer on an issue."""
        self.comments.append(body)
        url = f"{self._here}/issues/comments/{len(self.comments)}"
        made = {"id": len(self.comments), "node_id": "C", "url": url, "html_url": url, "body": body}
        about = {"issue_url": f"{self._here}/issues/{number}", "author_association": "NONE"}
        return {**made, **about, **self._times(), "user": self.person(self.login)}

    def membership(self, team: str, login: str) -> Document:
        """``team`` is ``org/slug``."""
        state = self.teams.get(team, {}).get(login)
        if state is None:
            raise NotFound
        org, _, slug = team.partition("/")
        return {
            "url": f"{self.url}/orgs/{org}/teams/{slug}/memberships/{login}",
            "role": "member",
            "state": state,
        }

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    @property
    def _here(self) -> str:
        return f"{self.url}/repos/{self.name}"

    def _times(self) -> Document:
        return {"created_at": _moment(self.now), "updated_at": _moment(self.now)}

    def _found(self, number: int) -> Document:
        for deployment in self.deployments:
            if deployment["id"] == number:
                return deployment
        raise NotFound

    def _commit(self, ref: str) -> str:
        found = self.refs.get(ref.removeprefix("refs/heads/")) or (ref if ref in self.refs.values() else "")
        if not found:
            raise Unprocessable(f"No ref found for: {ref}")
        return found

    def _shown(self, deployment: Document) -> Document:
        """GitHub gives a payload back as an object, or as the text of one."""
        payload = deployment["payload"]
        if isinstance(payload, str):
            payload = json.loads(payload or "{}")
        return {**deployment, "payload": json.dumps(payload) if self.payload_as == "string" else payload}

    def _retire(self, newer: Document) -> None:
        """``auto_inactive``: what was live before, where that is neither transient nor production."""
        for deployment in self.deployments:
            same = deployment["environment"] == newer["environment"] and deployment is not newer
            special = deployment["transient_environment"] or deployment["production_environment"]
            if same and not special and self.states(deployment["id"])[-1:] == ["success"]:
                self._add_status(deployment, {"state": "inactive"})

    def _add_status(self, deployment: Document, asked: Document) -> Document:
        number = next(self._numbers)
        log = asked.get("log_url") or asked.get("target_url", "")
        status = {
            "url": f"{deployment['statuses_url']}/{number}",
            "id": number,
            "node_id": f"DES_{number}",
            "state": asked["state"],
            "creator": self.person(self.login),
            "description": asked.get("description", ""),
            "environment": asked.get("environment", deployment["environment"]),
            "target_url": log,
            "log_url": log,
            "environment_url": asked.get("environment_url", ""),
            **self._times(),
            "deployment_url": deployment["url"],
            "repository_url": self._here,
        }
        self._statuses.setdefault(deployment["id"], []).append(status)
        return status

    def person(self, login: str) -> Document:
        here = f"{self.url}/users/{login}"
        follow = {f"{what}_url": f"{here}/{what}" for what in ("followers", "following", "gists", "starred", "events")}
        more = {f"{what}_url": f"{here}/{what}" for what in ("subscriptions", "repos", "received_events")}
        return {
            "login": login,
            "id": int(hashlib.sha256(login.encode()).hexdigest()[:7], 16),
            "node_id": f"U_{login}",
            "avatar_url": f"{self.url}/avatars/{login}",
            "gravatar_id": "",
            "url": here,
            "html_url": here,
            "organizations_url": f"{here}/orgs",
            **follow,
            **more,
            "type": "Bot" if login.endswith("[bot]") else "User",
            "site_admin": False,
        }


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _fits(asked: Document) -> None:
    if len(asked.get("description") or "") > LONGEST_DESCRIPTION:
        raise Unprocessable(f"description is too long (maximum is {LONGEST_DESCRIPTION} characters)")
