"""The commits between two releases, from GitHub as its stand-in answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from rollback_ops.core.changes import Commit, Commits
from rollback_ops.core.comparison import Files
from rollback_ops.core.redaction import Redactor
from rollback_ops.integrations.github.api import Api, Repository
from rollback_ops.integrations.github.compare import between
from tests.support.github_api.server import TOKEN, GitHubApi, github_api

OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture
def there() -> Iterator[GitHubApi]:
    with github_api() as api:
        yield api


def client(there: GitHubApi) -> Api:
    return Api(Repository("acme/bot", SecretStr(TOKEN), there.url), Redactor(), timeout=60)


def commits(there: GitHubApi, many: int) -> None:
    there.repository.comparisons[OLD, NEW] = [("ana", f"Change {n}\n\nmore") for n in range(1, many + 1)]


@pytest.mark.parametrize(("many", "requests"), [(0, 1), (1, 1), (100, 1), (105, 2), (120, 2), (250, 2), (10_000, 2)])
def test_all_commits_are_counted_and_the_newest_20_listed_in_a_few_requests(
    there: GitHubApi, many: int, requests: int
) -> None:
    commits(there, many)
    found = between(client(there), OLD, NEW).commits
    newest = [f"Change {n}" for n in range(many, max(0, many - 20), -1)]
    assert (found.count, [each.title for each in found.first], found.linear) == (many, newest, True)
    assert len(there.asked("compare")) <= requests + 1


def test_pull_requests_and_a_history_that_is_not_linear_are_seen(there: GitHubApi) -> None:
    there.repository.behind = 2
    there.repository.comparisons[OLD, NEW] = [
        ("ana", "Merge pull request #12 from acme/x\n\nAdd prices"),
        ("bob", "Remove prices (#13)"),
    ]
    assert between(client(there), OLD, NEW).commits == Commits(
        2,
        (Commit("0000000", "bob", "Remove prices (#13)", 13), Commit("0000000", "ana", "Add prices", 12)),
        linear=False,
        source="github",
    )


def test_files_are_told_in_the_direction_of_the_rollback(there: GitHubApi) -> None:
    commits(there, 1)
    there.repository.files = {"new": "added", "old": "removed", "both": "modified", "moved": "renamed"}
    found = between(client(there), OLD, NEW).files
    assert found == Files(("old", "before/moved"), ("new", "moved"), ("both",), source="commits")
    there.repository.files = {f"f{n}": "modified" for n in range(3_000)}
    assert between(client(there), OLD, NEW).files.cut


def test_a_repository_without_the_revision_says_why_and_raises_nothing(there: GitHubApi) -> None:
    found = between(client(there), OLD, NEW)
    assert (found.commits.count, "404" in found.commits.why, found.files.known) == (0, True, False)
    assert between(client(there), "v1.2", "$(id)").commits.why
    there.rights.clear()
    assert "403" in between(client(there), OLD, NEW).commits.why
