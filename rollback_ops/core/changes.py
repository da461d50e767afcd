"""The commits between two releases, and the files that they change. Pure."""

from __future__ import annotations

import re
from dataclasses import field
from typing import Literal

from rollback_ops.core.comparison import Files
from rollback_ops.core.frozen import frozen
from rollback_ops.core.text import one_line

COMMIT = re.compile(r"[0-9a-f]{7,64}")
# At most this many commits are listed. All are counted.
MOST_LISTED = 20
NO_COMMITS = "the releases have no commits in their REVISION"
_LONGEST = 200
_MOST_IN_BRIEF = 3
_MERGE = re.compile(r"Merge pull request #(\d{1,9}) ")
_SQUASHED = re.compile(r"\(#(\d{1,9})\)$")


@frozen
class Commit:
    """``sha``: its first characters. ``pull_request``: its number, where the message names one."""

    sha: str
    author: str
    title: str
    pull_request: int | None = None


@frozen
class Commits:
    """The commits that leave the hosts, newest first. ``why``: why they are not known; ``count`` is then 0.

    ``linear``: False where the target has commits that the live release does not have.
    """

    count: int = 0
    first: tuple[Commit, ...] = ()
    linear: bool = True
    why: str = ""
    source: Literal["", "github", "git"] = ""


@frozen
class Changes:
    commits: Commits = field(default_factory=Commits)
    files: Files = field(default_factory=Files)


def in_brief(commits: Commits) -> str:
    """Say in one line which commits leave; empty where nothing is known."""
    if commits.why:
        return ""
    named = ", ".join(each.title for each in commits.first[:_MOST_IN_BRIEF])
    left = commits.count - min(len(commits.first), _MOST_IN_BRIEF)
    more = f" and {left} more" if left > 0 and named else ""
    return f"{commits.count} commit{'s' * (commits.count != 1)}{f': {named}{more}' if named else ''}"


def unknown(why: str) -> Changes:
    return Changes(Commits(why=why), Files(why=why))


def commit(sha: str, author: str, message: str) -> Commit:
    """Read a commit. The title of a merged pull request stands below GitHub's own line."""
    lines = [line.strip() for line in message.splitlines() if line.strip()] or [""]
    merged = _MERGE.match(lines[0])
    title = lines[1] if merged and len(lines) > 1 else lines[0]
    number = merged or _SQUASHED.search(lines[0])
    return Commit(
        one_line(sha, 12), one_line(author, 100), one_line(title, _LONGEST), int(number[1]) if number else None
    )
