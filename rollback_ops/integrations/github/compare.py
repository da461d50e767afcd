"""Compares two commits on GitHub, in a few requests whatever lies between them. Failures are returned, never raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rollback_ops.core.changes import COMMIT, MOST_LISTED, NO_COMMITS, Changes, Commit, Commits, commit, unknown
from rollback_ops.core.comparison import Files
from rollback_ops.core.text import one_line
from rollback_ops.integrations.github.api import PAGE, Api, GitHubError

# GitHub lists no more files of a comparison.
_MOST_FILES = 300
_LONGEST_PATH = 400


def between(api: Api, old: str, new: str) -> Changes:
    """Return the commits that ``new`` has and ``old`` has not, and the files that going back to ``old`` changes."""
    if not (COMMIT.fullmatch(old) and COMMIT.fullmatch(new)):
        return unknown(NO_COMMITS)
    try:
        first = api.compare(old, new)
        count = first["total_commits"]
        commits = Commits(count, tuple(_newest(api, old, new, first, count)), first["behind_by"] == 0, source="github")
        return Changes(commits, _files(first.get("files") or ()))
    except GitHubError as error:
        return unknown(error.message)
    except (KeyError, TypeError, AttributeError, ValueError):
        return unknown("GitHub's answer could not be understood")


def _newest(api: Api, old: str, new: str, first: Mapping[str, Any], count: int) -> list[Commit]:
    """Return the newest commits, newest first. They are on the last pages, as GitHub lists the oldest first."""
    last = max(1, -(-count // PAGE))
    found = list(first["commits"] if last == 1 else api.compare(old, new, page=last)["commits"])
    if len(found) < MOST_LISTED and last > 1:
        found = [*(first if last == 2 else api.compare(old, new, page=last - 1))["commits"], *found]
    return [_commit(each) for each in reversed(found[-MOST_LISTED:])]


def _commit(found: Mapping[str, Any]) -> Commit:
    inner = found["commit"]
    return commit(str(found["sha"])[:7], str((inner.get("author") or {}).get("name", "")), str(inner["message"]))


def _files(found: Sequence[Mapping[str, Any]]) -> Files:
    """Return the files in the direction of the rollback: what the commits added, it removes."""
    names: dict[str, list[str]] = {"removed": [], "added": [], "modified": []}
    for each in found:
        name = one_line(str(each["filename"]), _LONGEST_PATH)
        if each["status"] == "renamed":
            names["added"].append(name)
            names["removed"].append(one_line(str(each.get("previous_filename", "")), _LONGEST_PATH))
        else:
            names.get(each["status"], names["modified"]).append(name)
    back, leaving, changed = (tuple(names[how]) for how in ("removed", "added", "modified"))
    return Files(back, leaving, changed, source="commits", cut=len(found) >= _MOST_FILES)
