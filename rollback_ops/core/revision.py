"""Revisions of releases: commits, or whatever a deployment wrote into REVISION. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from itertools import takewhile

# The shortest part of a commit that is taken for the whole of it: what `git log --oneline` shows.
SHORTEST = 7
_LONGEST = 64
_COMMIT = re.compile(rf"[0-9a-f]{{{SHORTEST},{_LONGEST}}}")


def same(one: str, two: str) -> bool:
    """Return whether two revisions are the same: equal, or commits of which one is the beginning of the other."""
    a, b = one.lower(), two.lower()
    if _COMMIT.fullmatch(a) and _COMMIT.fullmatch(b):
        return a.startswith(b) or b.startswith(a)
    return one == two != ""


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
    for number, short in enumerate(ordered, start=1):
        # What begins alike stands together.
        begun = list(takewhile(partial(_begins, short), ordered[number : number + _LONGEST]))
        if begun and all(begun[-1].startswith(each) for each in begun):
            found[short] = begun[-1]
    return found


def _begins(short: str, longer: str) -> bool:
    return longer.startswith(short)
