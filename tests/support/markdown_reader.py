"""Markdown as GitHub reads it, as near as a library comes: HTML, tables, strikethrough and addresses as links."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

_READER = MarkdownIt("commonmark", {"html": True, "linkify": True}).enable(["table", "strikethrough", "linkify"])


@lru_cache(maxsize=1)
def _parsed(page: str) -> list[Token]:
    """Parse a page once for all questions about it."""
    return _READER.parse(page)


def _each(found: list[Token]) -> Iterator[Token]:
    for token in found:
        yield token
        yield from _each(token.children or [])


def tokens(page: str) -> list[Token]:
    return list(_each(_parsed(page)))


def spans(page: str) -> list[str]:
    """The texts in code spans."""
    return [token.content for token in tokens(page) if token.type == "code_inline"]


def kinds(page: str) -> set[str]:
    """The kinds of what stands inside of lines: text, code_inline, link_open, html_inline … and blocks of HTML."""
    blocks = [token for token in _parsed(page) if token.type in ("html_block", "fence", "code_block")]
    inner = [child for token in _parsed(page) for child in token.children or []]
    return {token.type for token in (*blocks, *inner)} - {"strong_open", "strong_close"}


def headings(page: str) -> list[str]:
    found = _parsed(page)
    return [found[number + 1].content for number, token in enumerate(found) if token.type == "heading_open"]


def links(page: str) -> list[str]:
    return [str(token.attrs["href"]) for token in tokens(page) if token.type == "link_open"]
