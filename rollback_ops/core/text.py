"""How messages show what somebody wrote: short, quoted, on one line, and never a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

_LONGEST = 60
_SECRET_NAME = re.compile(r"(?i)key|token|webhook|pass|secret|credential|auth|known.hosts")
_SECRET_VALUE = re.compile(r"-----BEGIN|:[^:@\s]+@|\bhooks\.|\bgh[a-z]_|github_pat_")


def names_a_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def holds_a_secret(text: str) -> bool:
    """Whether a text looks like key material, a token, a webhook, or an address with a password."""
    return _SECRET_VALUE.search(text) is not None


def one_line(text: str) -> str:
    """The text with everything that a terminal or a log would not show as itself written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def joined(text: str) -> str:
    """The lines of a message as one: its hint follows its sentence."""
    return re.sub(r" *\n *", " ", text)


def short(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def quoted(value: object) -> str:
    """A value as its file would spell it. Empty for a table or a list, which a few words cannot show."""
    if isinstance(value, str):
        return "(not shown)" if holds_a_secret(value) else f'"{one_line(short(value))}"'
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of many digits"
    return "" if isinstance(value, dict | list | tuple) else one_line(short(str(value)))


def did_you_mean(wrong: str, names: Iterable[str]) -> str:
    """The nearest right name as a question that can follow a message; empty when none is near."""
    from difflib import get_close_matches

    by_lower_case = {name.lower(): name for name in names}
    found = get_close_matches(wrong.lower()[:100], by_lower_case, n=1)
    return f' (did you mean "{by_lower_case[found[0]]}"?)' if found else ""


def listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' if name == "" else one_line(name) for name in names) or "none"
