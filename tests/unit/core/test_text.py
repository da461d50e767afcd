"""Text from outside becomes fit for one line, and no longer than it may be."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rollback_ops.core.text import cells, fits_one_line, one_line

UNFIT = ["\0", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\xa0", "\xad", "\u200b", "\u2028", "\u202e", "\udce9"]


@pytest.mark.parametrize("character", UNFIT)
def test_a_character_that_breaks_or_hides_a_line_is_escaped_or_becomes_a_space(character: str) -> None:
    escape = character.encode("unicode_escape").decode()
    assert one_line(f"a{character}b") == f"a{escape}b"
    assert one_line(f"a{character}b", spaces=True) == "a b"


@pytest.mark.parametrize("text", ["", "a b", "naïve ☃ 日本語", "👩\u200d💻", "$(id) `x` \\ \"'"])
def test_a_text_that_fits_stays_as_it_is(text: str) -> None:
    assert (fits_one_line(text), one_line(text), one_line(text, spaces=True)) == (True, text, text)


@given(st.text(), st.booleans(), st.none() | st.integers(1, 20))
@example("\x1b" * 30, False, 10)
def test_every_text_fits_afterwards(text: str, spaces: bool, longest: int | None) -> None:
    made = one_line(text, longest, spaces=spaces)
    assert fits_one_line(made)
    assert longest is None or len(made) <= longest
    assert fits_one_line(text) or made != text


def test_a_text_that_is_cut_shows_that_it_was_cut() -> None:
    assert one_line("abcdef", 6) == "abcdef"
    assert one_line("abcdefg", 6) == "abcde…"
    assert one_line("\x1b" * 3, 6) == "\\x1b\\…"


@pytest.mark.parametrize(("text", "wide"), [("", 0), ("abc", 3), ("日本", 4), ("nai\u0308ve", 5), ("a\u200db", 2)])
def test_the_columns_of_a_text_are_those_that_a_terminal_needs(text: str, wide: int) -> None:
    assert cells(text) == wide
