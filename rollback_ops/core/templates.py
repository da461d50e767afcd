"""Templates of log lines: lines that differ only in numbers, names of hosts and the like are one. Pure.

Parts that usually vary are replaced by ``<*>``: quoted texts, addresses, identifiers, times, paths with digits, and all
words with a digit. A simple form of the first step of log parsers like Drain (P. He et al., ICWS 2017, section III-A).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from rollback_ops.core.frozen import frozen
from rollback_ops.core.text import one_line

_ANY = "<*>"
_VARIABLE = re.compile(
    r"\"[^\"]*\"|'[^']*'"  # quoted
    r"|\b[a-z][a-z0-9+.-]{1,20}://[^\s\"']+"  # an address
    r"|[^\s=:,;()\[\]{}<>\"']*\d[^\s=,;()\[\]{}<>\"']*"  # a word with a digit
    r"|\b[0-9a-f]{8,}\b",
)
_LONGEST_LINE = 2_000
_LONGEST = 200
_REPEATED = re.compile(rf"{re.escape(_ANY)}(?:[\s,:/.-]*{re.escape(_ANY)})+")


@frozen
class Template:
    """A template, and how many lines have it."""

    text: str
    count: int


def template_of(line: str) -> str:
    """Return the template of one line, in one line and at most 200 characters long."""
    masked = _VARIABLE.sub(_ANY, line[:_LONGEST_LINE])
    return one_line(_REPEATED.sub(_ANY, masked).strip(), _LONGEST, spaces=True)


def templates(lines: Iterable[str], most: int) -> tuple[Template, ...]:
    """Return the most frequent templates; of equally frequent ones, in the order of the alphabet."""
    counted = Counter(filter(None, map(template_of, lines)))
    ranked = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Template(text, count) for text, count in ranked[:most])
