"""The ``mask`` setting: patterns of secrets, for Python and for sed on a host.

A pattern is characters and [classes], each with a repeat after it if need be. Matching takes at most ``_MOST_STEPS``
for each character of the text, also for hostile text. A pattern that would hide a whole log is refused.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

_LONGEST = 200
_SHORTEST_SECRET = 4
_MOST_STEPS = 10_000
# POSIX promises no more for a repeat (RE_DUP_MAX).
_MOST_TIMES = 255
_ESCAPED = r"\\[^A-Za-z0-9]|\\[dwsDWS]"
_CHARACTER = rf"(?P<it>{_ESCAPED}|\[\^?\]?(?:{_ESCAPED}|[^\]\\\[])+\]|[^\\()\[\]{{}}|^$*+?])"
_TIMES = r"(?P<times>[*+?]|\{(?P<least>\d{1,4})(?P<range>,(?P<most>\d{0,4}))?\})?"
_ITEM = re.compile(_CHARACTER + _TIMES)
_SIGNS = {"": (1, 1), "?": (0, 1), "*": (0, None), "+": (1, None)}
# A character that is not ASCII, in UTF-8, which sed sees as bytes (here as Latin-1); and some that stand
# for all: a letter, a digit, a blank, and the sign of Kelvin, which is a k where case does not matter.
_OTHER = "[\xc2-\xf4][\x80-\xbf]*"
_OTHERS = "é٣\xa0\u212a"
_WORDS = (
    "should be a pattern of characters and [classes], each with ?, *, + or {…} after it if need be: "
    "no groups, no alternatives (write several patterns), no anchors"
)


class _Item(NamedTuple):
    """One character or class, and how often it comes. ``most`` is None where there is no end."""

    text: str
    times: str
    least: int
    most: int | None


def checked(text: str) -> str:
    """Return the pattern. Raises ``ValueError`` for one that is not allowed; its text follows the setting's name."""
    if len(text) > _LONGEST or not (text.isascii() and text.isprintable()):
        raise ValueError(f"should have at most {_LONGEST} characters, and those in ASCII")
    items = list(_items(text))
    if sum(item.least for item in items) < _SHORTEST_SECRET:
        raise ValueError(f"should match at least {_SHORTEST_SECRET} characters: a shorter one would hide harmless text")
    if any(item.most is None for item in items[:-1]):
        raise ValueError("should have a limit for each repeat but the last, like {1,40} instead of +")
    if any(max(item.least, item.most or 0) > _MOST_TIMES for item in items):
        raise ValueError(f"should repeat nothing more than {_MOST_TIMES} times")
    ways = prod((item.most or 0) - item.least + 1 for item in items[:-1])
    if ways * sum(item.most or item.least for item in items) > _MOST_STEPS:
        raise ValueError("has too many ways to match: make the ranges before its end smaller, like {1,40}")
    return text


def as_ere(text: str) -> str:
    """Return the pattern as an extended regular expression for sed, with bytes over 127 as Latin-1."""
    flags = re.IGNORECASE if text.startswith("(?i)") else 0
    return "".join(_ere(re.compile(item.text, flags)) + item.times for item in _items(text))


def _ere(item: re.Pattern[str]) -> str:
    listed = "".join(filter(item.fullmatch, map(chr, range(32, 127))))
    bracket = "[ -~]" if len(listed) == 95 else _bracket(listed) if listed else ""
    if any(map(item.fullmatch, _OTHERS)):
        return f"({bracket}|{_OTHER})" if bracket else f"({_OTHER})"
    return bracket


def _bracket(characters: str) -> str:
    """Return these characters as a bracket expression: those that mean something in it stand where they do not."""
    if characters in ("^", "-^"):
        return "([-^])" if "-" in characters else r"\^"
    plain = "".join(c for c in characters if c not in "]\\[^-")
    return (
        "[" + "".join(c for c in "]" if c in characters) + plain + "".join(c for c in "\\[^-" if c in characters) + "]"
    )


def _items(text: str) -> Iterator[_Item]:
    at = 4 if text.startswith("(?i)") else 0
    while at < len(text):
        found = _ITEM.match(text, at)
        if not found:
            raise ValueError(_WORDS)
        least, most = _times(found)
        _compiled(found["it"])
        yield _Item(found["it"], found["times"] or "", least, most)
        at = found.end()


def _times(found: re.Match[str]) -> tuple[int, int | None]:
    if not found["least"]:
        return _SIGNS[found["times"] or ""]
    least = int(found["least"])
    most = (int(found["most"]) if found["most"] else None) if found["range"] else least
    if most is not None and (most < least or most == 0):
        raise ValueError(f"has a repeat {found['times']} that is not valid")
    return least, most


def _compiled(it: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(it)
    except (re.error, FutureWarning):
        raise ValueError(_WORDS) from None
