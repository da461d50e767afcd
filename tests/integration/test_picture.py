"""The picture of the demo in the README shows what the demo does today."""

from __future__ import annotations

import re

from tests.support.picture import PICTURE, draw, lines_of, run_demo


def without_figures(lines: list[str]) -> list[str]:
    """Times, and the columns that they widen, differ from run to run; checks end in any order."""
    figures = re.compile(r"\d+(\.\d+)? s\b|\d{4}-\d\d-\d\d \d\d:\d\d")
    return sorted(figures.sub("…", re.sub(r" +", " ", line)) for line in lines if line)


def test_the_picture_shows_what_the_demo_prints_today() -> None:
    shown, printed = lines_of(PICTURE), run_demo()
    assert without_figures(shown) == without_figures(printed), "draw it again: make picture"


def test_a_picture_holds_its_lines_whatever_is_in_them() -> None:
    picture = draw(['$ a <b> & "c"', "", "✓ done"])
    assert re.findall(r"<text [^>]*>(.*)</text>", picture) == ['$ a &lt;b&gt; &amp; "c"', "✓ done"]
