"""Revisions of releases: commits, or whatever a deployment wrote into REVISION. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

# The shortest part of a commit that is taken for the whole of it: what `git log --oneline` shows.
SHORTEST = 7
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


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
