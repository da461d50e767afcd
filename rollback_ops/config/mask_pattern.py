"""Patterns of secrets: regular expressions of which it can be seen that they take no time, and hide no whole log.

What hosts say is searched for them. Python's expressions can take exponential time, on a text that somebody chose; the
ones that are taken here never have a choice to come back to, and so need a number of steps that is linear in the text.
"""

from __future__ import annotations

import re
import warnings
from typing import NamedTuple

_LONGEST = 200
_MOST_CHARACTERS = 1_000
_SHORTEST_SECRET = 4
_ESCAPED = r"\\[^A-Za-z0-9]|\\[dwsDWS]"
_CHARACTER = rf"(?P<it>{_ESCAPED}|\[\^?\]?(?:{_ESCAPED}|[^\]\\])+\]|[^\\()\[\]{{}}|^$*+?])"
_TIMES = r"(?P<times>[*+?]|\{(?P<least>\d{1,4})(?P<range>,(?P<most>\d{0,4}))?\})?"
_ITEM = re.compile(_CHARACTER + _TIMES)
_SIGNS = {"": (1, 1), "?": (0, 1), "*": (0, None), "+": (1, None)}
_WORDS = (
    "should be a pattern of characters and [classes], each with ?, *, + or {…} after it if need be: "
    "no groups, no alternatives (write several patterns), no anchors"
)


class _Item(NamedTuple):
    """One character, and how often it comes. ``most`` is None where there is no end."""

    characters: frozenset[str]
    least: int
    most: int | None


def checked(text: str) -> str:
    """The pattern. Raises ``ValueError``, whose text goes on from the setting's name, for one that is not taken."""
    if len(text) > _LONGEST or not (text.isascii() and text.isprintable()):
        raise ValueError(f"should have at most {_LONGEST} characters, and those in ASCII")
    items = _items(text)
    if sum(item.least for item in items) < _SHORTEST_SECRET:
        raise ValueError(f"should match at least {_SHORTEST_SECRET} characters: it would hide what is no secret")
    if any(item.most is None for item in items[:-1]):
        raise ValueError("should have an end for each repeat but the last, like {1,40} instead of +")
    if sum(item.most or 0 for item in items) > _MOST_CHARACTERS:
        raise ValueError(f"should match at most {_MOST_CHARACTERS:,} characters, but for a last repeat without an end")
    for number, item in enumerate(items):
        if item.least != item.most and _may_follow(items[number + 1 :]) & item.characters:
            raise ValueError("has a repeat before characters that it takes itself, as in [a-z]*x: tell them apart")
    return text


def _items(text: str) -> list[_Item]:
    ignoring_case = text.startswith("(?i)")
    items, at = [], 4 if ignoring_case else 0
    while at < len(text):
        found = _ITEM.match(text, at)
        if not found:
            raise ValueError(_WORDS)
        least, most = _times(found)
        items.append(_Item(_characters(found["it"], ignoring_case), least, most))
        at = found.end()
    return items


def _times(found: re.Match[str]) -> tuple[int, int | None]:
    if not found["least"]:
        return _SIGNS[found["times"] or ""]
    least = int(found["least"])
    most = (int(found["most"]) if found["most"] else None) if found["range"] else least
    if most is not None and (most < least or most == 0):
        raise ValueError(f"has a repeat {found['times']} that cannot be")
    return least, most


def _characters(it: str, ignoring_case: bool) -> frozenset[str]:
    """Which characters it takes, of the first 256: what is written in ASCII and takes others takes one of these."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            one = re.compile(it, re.IGNORECASE if ignoring_case else 0)
    except (re.error, FutureWarning):
        raise ValueError(_WORDS) from None
    return frozenset(character for character in map(chr, range(256)) if one.fullmatch(character))


def _may_follow(items: list[_Item]) -> frozenset[str]:
    """What the next character may be, where each item that need not be there is there or not."""
    found: frozenset[str] = frozenset()
    for item in items:
        found |= item.characters
        if item.least:
            break
    return found
