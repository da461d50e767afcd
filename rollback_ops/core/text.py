"""Text from outside, made fit for a message: one line, bounded, quoted, and never a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

_LONGEST = 60
# Python calls them not printable, and emoji and some scripts need them: the zero-width joiner and non-joiner.
_JOINERS = "\u200c\u200d"
_SECRET_NAME = re.compile(r"(?i)key|token|webhook|pass|secret|credential|auth|known.hosts")
_SECRET_VALUE = re.compile(r"-----BEGIN|:[^:@\s]+@|\bhooks\.|\bgh[a-z]_|github_pat_")


def names_a_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def holds_a_secret(text: str) -> bool:
    """Return whether a text looks like key material, a token, a webhook, or an address with a password."""
    return _SECRET_VALUE.search(text) is not None


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON document with every text in it changed, but not its keys. Hundreds of hosts have the same texts."""
    return _with_texts(value, cache(change))


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _with_texts(each, change) for key, each in value.items()}
    return [_with_texts(each, change) for each in value] if isinstance(value, list) else value


def fits_one_line(text: str) -> bool:
    """Return whether every character of a text shows as itself in one line.

    That excludes controls, line separators, lone surrogates, direction marks, spaces other than the usual one, and
    characters without a meaning.
    """
    return text.isprintable() or all(map(_fits, text))


def one_line(text: str, longest: int | None = None, *, spaces: bool = False) -> str:
    """Make text from outside fit for one line of a terminal, a log or a page, as ``fits_one_line`` defines it.

    Each character that does not fit is written as an escape that shows it (``\\x1b``); with ``spaces``, it becomes a
    space. ``longest`` is the most characters that the result has; a longer one is cut and ends with "…".
    """
    part = text if longest is None else text[: longest + 1]
    if not part.isprintable():
        part = "".join(c if _fits(c) else " " if spaces else c.encode("unicode_escape").decode() for c in part)
    return part if longest is None else short(part, longest)


def _fits(character: str) -> bool:
    return character.isprintable() or character in _JOINERS


def joined(text: str) -> str:
    """Join the lines of a message: its hint follows its sentence."""
    return re.sub(r" *\n *", " ", text)


def short(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def cells(text: str) -> int:
    """Count the columns that a text takes on a terminal: two for a wide character, none for a mark on another one."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    from unicodedata import combining, east_asian_width

    if combining(character) or character in _JOINERS:
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def quoted(value: object) -> str:
    """Return a value as its file would spell it. Empty for a table or a list, which a few words cannot show."""
    if isinstance(value, str):
        return "(not shown)" if holds_a_secret(value) else f'"{one_line(value, _LONGEST)}"'
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of many digits"
    return "" if isinstance(value, dict | list | tuple) else one_line(str(value), _LONGEST)


def did_you_mean(wrong: str, names: Iterable[str]) -> str:
    """Return the nearest right name as a question that can follow a message; empty when none is near."""
    from difflib import get_close_matches

    by_lower_case = {name.lower(): name for name in names}
    found = get_close_matches(wrong.lower()[:100], by_lower_case, n=1)
    return f' (did you mean "{by_lower_case[found[0]]}"?)' if found else ""


def listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' if name == "" else one_line(name) for name in names) or "none"


def age(seconds: float) -> str:
    """Show a duration in seconds in its largest useful unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
