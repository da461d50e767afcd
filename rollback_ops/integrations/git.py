"""Reads commits of the clone in the working directory, with ``git``. Failures are returned, never raised."""

from __future__ import annotations

import subprocess
import time

from rollback_ops.core.changes import COMMIT, MOST_LISTED, NO_COMMITS, Changes, Commits, commit, unknown
from rollback_ops.core.comparison import Files

# Seconds for all calls of git: a preview must answer soon.
_WITHIN = 5.0
_MOST_FILES = 20_000


def between(old: str, new: str) -> Changes:
    """Return the commits and files that a rollback from ``new`` to ``old`` takes away, from the clone in the working
    directory.
    """
    until = time.monotonic() + _WITHIN
    found = commits(old, new, until)
    return unknown(found.why) if found.why else Changes(found, _files(until, old, new))


def commits(old: str, new: str, until: float | None = None) -> Commits:
    """Return the commits that ``new`` has and ``old`` has not. ``until``: a deadline, of ``time.monotonic``."""
    until = until or time.monotonic() + _WITHIN
    if not (COMMIT.fullmatch(old) and COMMIT.fullmatch(new)):
        return Commits(why=NO_COMMITS)
    span = f"{old}..{new}"
    count = _git(until, "rev-list", "--count", "--end-of-options", span)
    how = ("--format=%h%x1f%an%x1f%B%x1e", "--no-show-signature", "--end-of-options")
    listed = _git(until, "log", f"--max-count={MOST_LISTED}", *how, span)
    if count is None or listed is None or not count.strip().isdigit():
        return Commits(why=f"{old[:12]} or {new[:12]} is not in a git repository here")
    fields = [entry.strip().split("\x1f", 2) for entry in listed.split("\x1e")]
    first = tuple(commit(*words) for words in fields if len(words) == 3)
    backwards = _git(until, "rev-list", "--count", "--end-of-options", f"{new}..{old}")
    return Commits(int(count), first, (backwards or "0").strip() == "0", source="git")


def added_lines(old: str, new: str) -> int | None:
    """Return how many lines ``new`` has that ``old`` has not. None: the clone does not know."""
    if not (COMMIT.fullmatch(old) and COMMIT.fullmatch(new)):
        return None
    shown = _git(time.monotonic() + _WITHIN, "diff", "--no-ext-diff", "--no-textconv", "--numstat", old, new, "--")
    if shown is None:
        return None
    counts = (line.partition("\t")[0] for line in shown.splitlines())
    return sum(int(count) for count in counts if count.isdigit())


def _files(until: float, old: str, new: str) -> Files:
    """Return the files that going from ``new`` to ``old`` changes."""
    quiet = ("--no-renames", "--no-ext-diff", "--no-textconv", "--name-status", "-z")
    words = _git(until, "diff", *quiet, "--end-of-options", new, old)
    if words is None:
        return Files(why="git did not list them in time")
    found = words.split("\0")
    names: dict[str, list[str]] = {"A": [], "D": [], "M": []}
    for status, name in zip(found[::2], found[1::2], strict=False):
        names.get(status[:1], names["M"]).append(name)
    added, removed, changed = (tuple(each[:_MOST_FILES]) for each in names.values())
    return Files(added, removed, changed, "commits", cut=any(len(each) > _MOST_FILES for each in names.values()))


def _git(until: float, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-pager", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=max(0.1, until - time.monotonic()),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
