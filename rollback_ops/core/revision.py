"""Revisions of releases: commits, or whatever a deployment wrote into REVISION. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from itertools import combinations, takewhile

# The shortest part of a commit that is taken for the whole of it: what `git log --oneline` shows.
SHORTEST = 7
_LONGEST = 64
# Characters of a commit that people are shown.
_SHOWN = 12
# Lengths of a whole commit: SHA-1, SHA-256.
_WHOLE = (40, 64)
_COMMIT = re.compile(rf"[0-9a-f]{{{SHORTEST},{_LONGEST}}}")


def same(one: str, two: str) -> bool:
    """Return whether two revisions are the same: equal, or commits of which one is the beginning of the other.

    Two that have only digits may be the numbers of builds: they must be equal, unless one is as long as a whole commit.
    """
    beginning, longer = sorted((one.lower(), two.lower()), key=len)
    if _COMMIT.fullmatch(beginning) and _COMMIT.fullmatch(longer):
        return longer == beginning or (longer.startswith(beginning) and _is_commit(longer))
    return one == two != ""


def short(revision: str) -> str:
    """Shorten a commit to its first 12 characters. Any other revision stays whole: only all of it identifies it."""
    beginning = revision[:_SHOWN]
    return beginning if same(beginning, revision) else revision


def all_same(revisions: Iterable[str]) -> bool:
    """Return whether these are one revision, however each is spelled."""
    return all(same(one, two) for one, two in combinations(set(revisions), 2))


def meant(revision: str, known: Iterable[str]) -> list[str]:
    """Return the known revisions that this one may mean, each once and in its longest spelling."""
    found: list[str] = []
    for each in sorted({each for each in known if same(each, revision)}, key=len, reverse=True):
        if not any(same(each, longer) for longer in found):
            found.append(each)
    return sorted(found)


def spelled_out(revisions: Iterable[str]) -> dict[str, str]:
    """Map each commit that is the beginning of longer ones to the longest, where these are one commit."""
    ordered = sorted(filter(_COMMIT.fullmatch, set(revisions)))
    found: dict[str, str] = {}
    for number, beginning in enumerate(ordered, start=1):
        # Revisions that begin alike stand together.
        alike = takewhile(partial(_begins, beginning), ordered[number : number + _LONGEST])
        begun = list(filter(_is_commit, alike))
        if begun and all(begun[-1].startswith(each) for each in begun):
            found[beginning] = begun[-1]
    return found


def _begins(beginning: str, longer: str) -> bool:
    return longer.startswith(beginning)


def _is_commit(revision: str) -> bool:
    """Return whether a text that looks like a commit is one, and not the number of a build."""
    return len(revision) in _WHOLE or not revision.isdigit()
