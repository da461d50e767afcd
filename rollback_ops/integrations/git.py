"""Reads commits of the clone in the working directory, with ``git``. Failures are returned, never raised."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
# Seconds for one call of git: a preview must answer soon.
_WITHIN = 4.0
# At most this many commits are listed. All are counted.
_MOST = 20


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str
    author: str
    title: str


@dataclass(frozen=True, slots=True)
class Commits:
    """The commits between two revisions, newest first. ``why``: why they are not known; ``count`` is then 0.

    ``linear``: False where the older revision has commits that the newer one does not have.
    """

    count: int = 0
    first: tuple[Commit, ...] = ()
    linear: bool = True
    why: str = ""


def between(old: str, new: str) -> Commits:
    """Return the commits that ``new`` has and ``old`` has not, from the clone in the working directory."""
    if not (_COMMIT.fullmatch(old) and _COMMIT.fullmatch(new)):
        return Commits(why="the releases have no commits in their REVISION")
    span = f"{old}..{new}"
    count = _git("rev-list", "--count", "--end-of-options", span)
    listed = _git(
        "log", f"--max-count={_MOST}", "--format=%h%x09%an%x09%s", "--no-show-signature", "--end-of-options", span
    )
    if count is None or listed is None or not count.strip().isdigit():
        return Commits(why=f"{old[:12]} or {new[:12]} is not in a git repository here")
    commits = [Commit(*line.split("\t", 2)) for line in listed.splitlines() if line.count("\t") >= 2]
    backwards = _git("rev-list", "--count", "--end-of-options", f"{new}..{old}")
    return Commits(int(count), tuple(commits), (backwards or "0").strip() == "0")


def added_lines(old: str, new: str) -> int | None:
    """Return how many lines ``new`` has that ``old`` has not. None: the clone does not know."""
    if not (_COMMIT.fullmatch(old) and _COMMIT.fullmatch(new)):
        return None
    shown = _git("diff", "--no-ext-diff", "--no-textconv", "--numstat", old, new, "--")
    if shown is None:
        return None
    counts = (line.partition("\t")[0] for line in shown.splitlines())
    return sum(int(count) for count in counts if count.isdigit())


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-pager", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
