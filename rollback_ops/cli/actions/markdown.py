"""Markdown in which text from people and hosts stays text.

All of it stands in code spans: in them there are no links, images, tags, headings or entities, and GitHub looks there
for no mention (@user), no reference (#12) and no commit. A span ends at as many backticks as it began with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rollback_ops.core.text import joined, one_line, short

_LOOKS_LIKE_A_BACKTICK = "\u02cb"
# GitHub's reader of Markdown (cmark) gives up on more than 80 in a row.
_MOST_BACKTICKS = 20
_LOOKS_LIKE_A_PIPE = "\u00a6"
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[A-Za-z0-9._-]*)*")


def code(text: str, longest: int = 300) -> str:
    """Format a text as a code span of one line; empty for a blank text."""
    plain = short(one_line(joined(text)).strip(), longest)
    in_a_row = max(map(len, re.findall("`+", plain)), default=0)
    if in_a_row > _MOST_BACKTICKS:
        plain, in_a_row = plain.replace("`", _LOOKS_LIKE_A_BACKTICK), 0
    # A reader of Markdown strips one space at both ends.
    space = " " if "`" in plain[:1] + plain[-1:] else ""
    fence = "`" * (in_a_row + 1)
    return f"{fence}{space}{plain}{space}{fence}" if plain else ""


def words(text: str) -> str:
    """Return our own words as they are; a code span where other text may be among them."""
    return text if re.fullmatch(r"[A-Za-z ,:()'-]*|Passed \(\d+ checks?\)", text) else code(text)


def link(text: str, address: str) -> str:
    """Format a link where the address is a plain one, else only the text."""
    return f"[{code(text)}]({address})" if _ADDRESS.fullmatch(address) else code(text)


def row(cells: Sequence[str]) -> str:
    """Format a row of a table. The cells are Markdown; a pipe ends a cell even in a code span, so it is replaced."""
    return f"| {' | '.join(cell.replace('|', _LOOKS_LIKE_A_PIPE) for cell in cells)} |"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; none without rows."""
    lines = [row(cells) for cells in rows]
    if lines:
        yield from (row(columns), row(["---"] * len(columns)), *lines)


def bounded(lines: Iterable[str], longest: int, instead: str) -> str:
    """Join the lines into at most ``longest`` bytes of UTF-8. ``instead`` stands for lines that do not fit."""
    text: list[str] = []
    left = longest - len(instead.encode()) - 3
    for line in lines:
        left -= len(line.encode(errors="backslashreplace")) + 1
        if left < 0:
            return "\n".join([*text, "", instead, ""])
        text.append(line)
    return "\n".join([*text, ""])
