"""Text from people and hosts stays text in Markdown. A real Markdown parser reads the results."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rollback_ops.cli.actions.markdown import bounded, code, link, row, table, words
from tests.support.markdown_reader import kinds, spans, tokens

HOSTILE = [
    "</details></td></table><script>alert(1)</script>",
    "[x](http://evil) ![x](http://evil/x.png)",
    "# heading\n\n## heading",
    "``` ` `````` ````",
    "a | b || c",
    "a \\| b",
    "@admin @org/team #12 GH-12 org/repo#12 deadbeef00",
    "&lt;b&gt; &#64;admin",
    "$x$ $$x$$ $`x`$",
    "http://evil.example www.evil.example a@evil.example",
    "<!-- --> <!channel>",
    "\\",
    "`" * 5_000,
    " ",
    "1. one\n- two\n> three\n---\n    four",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("form", ["- {} and", "## {}", "| a |\n| --- |\n| {} |", "**x:** {}"])
def test_a_hostile_text_is_one_code_span_in_every_place(form: str, text: str) -> None:
    found = spans(form.format(row([code(text, 10_000)])[2:-2]))
    assert len(found) == (1 if text.strip() else 0)
    assert kinds(form.format(code(text))) <= {"text", "code_inline", "softbreak"}


def test_the_lines_of_a_text_are_joined() -> None:
    assert spans(code("refused: not you\n  Ask bob.")) == ["refused: not you Ask bob."]


@given(st.text() | st.text("`a| \\<"))
@example("`")
@example("`" * 21)
@example("``")
@example(" `` ")
@example("a`")
def test_every_text_is_one_readable_code_span(text: str) -> None:
    (found,) = spans(f"- {code(text)}") or [""]
    assert "\n" not in code(text)
    if text.isprintable() and len(text) <= 300 and "`" * 21 not in text:
        assert found == text.strip()


@given(st.lists(st.text() | st.text("`a| \\<"), min_size=3, max_size=3))
def test_no_text_adds_or_removes_a_cell_of_a_row(texts: list[str]) -> None:
    page = "\n".join(table(("a", "b", "c"), [[code(text) for text in texts]]))
    assert [token.type for token in tokens(page)].count("td_open") == 3
    assert len(spans(page)) == sum(bool(code(text)) for text in texts)


def test_a_table_without_rows_is_left_out() -> None:
    assert list(table(("a",), [])) == []


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "https://evil/) [x](http://evil",
        "https://evil/<b>",
        "https://user@evil/x",
        "https://evil/x y",
        "https://evil/x\n",
        "//evil",
        "",
    ],
)
def test_only_a_plain_address_becomes_a_link(address: str) -> None:
    assert link("x", address) == "`x`"


def test_a_plain_address_is_a_link() -> None:
    assert link("abc", "https://ghe.example.org:8443/o/r/commit/abc") == (
        "[`abc`](https://ghe.example.org:8443/o/r/commit/abc)"
    )


@pytest.mark.parametrize("text", ["Run @admin now", "Run #1 now", "Run GH-12 now", "Run www.x.org now", "Run *x* now"])
def test_a_sentence_with_special_characters_in_it_becomes_a_code_span(text: str) -> None:
    assert words(text) == f"`{text}`"
    plain = "Try an older release (--to), or deploy a fix"
    assert words(plain) == plain


def test_lines_that_do_not_fit_are_left_out_with_a_note() -> None:
    assert bounded(["one", "two"], 100, "cut") == "one\ntwo\n"
    cut = bounded(["é" * 40, "ü" * 40, "x"], 100, "cut")
    assert cut == "é" * 40 + "\n\ncut\n"
    assert len(cut.encode()) <= 100
