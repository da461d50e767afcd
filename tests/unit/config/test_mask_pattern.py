"""Patterns of secrets in the settings: those that are taken are quick and hide no whole log; the others are refused."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from rollback_ops.config.mask_pattern import checked
from rollback_ops.core.redaction import Redactor


def hidden(pattern: str, text: str) -> str:
    return Redactor(patterns=[checked(pattern)])(text)


@pytest.mark.parametrize(
    ("pattern", "text", "shown"),
    [
        ("acme_[A-Za-z0-9]{8}", "key acme_0123abcd.", "key ***."),
        ("acme_[A-Za-z0-9]+", f"key acme_{'x' * 5_000} and", "key *** and"),
        ("[A-Z]{2}-[0-9]{4,6}", "AB-12345 is it", "*** is it"),
        ("(?i)badge[0-9]{3}", "BADGE123", "***"),
        (r"sid=\d{1,9};\w*", "a sid=12;abc b", "a *** b"),
        (r"a\.b\\c\]", r"x a.b\c] y", "x *** y"),
        ("[]x-]{4}", "a ]-x] b", "a *** b"),
        ("pass.{4}", "a pass1234 b", "a *** b"),
        ("tok-?[0-9]{4}", "tok1234 tok-1234", "*** ***"),
    ],
)
def test_what_matches_is_hidden_and_the_rest_stays(pattern: str, text: str, shown: str) -> None:
    assert hidden(pattern, text) == shown


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "at least 4 characters"),
        ("x*", "at least 4 characters"),
        ("abc[0-9]*", "at least 4 characters"),
        ("[a-z]?" * 10, "at least 4 characters"),
        ("(a+)+b", "no groups"),
        ("(a|a)*b", "no groups"),
        ("secret|token", "no alternatives"),
        ("^secret$", "no anchors"),
        (r"\bsecret", "no groups"),
        (r"secret\1", "no groups"),
        ("secret(?=x)", "no groups"),
        ("secret[0-9", "no groups"),
        ("secret[z-a]", "no groups"),
        ("secret[[a]", "no groups"),
        ("secret+?", "no groups"),
        ("secret{2}{3}", "no groups"),
        ("*secret", "no groups"),
        ("secret(?i)x", "no groups"),
        (r"secret[\x00-\x7f]", "no groups"),
        ("secret[0-9]{4,2}", "not valid"),
        ("secret[0-9]{0}", "not valid"),
        ("[a-z]+[0-9]{4}", "a limit for each repeat but the last"),
        ("[a-z]{1,50}-[a-z]{1,50}-[a-z]{4}", "too many ways"),
        (".{0,200}secret", "too many ways"),
        (r"\w{1,99}\d{4,40}", "too many ways"),
        ("[a-z]{256}", "more than 255 times"),
        ("secret[0-9]{4,256}", "more than 255 times"),
        ("x" * 201, "at most 200"),
        ("pässword", "ASCII"),
        ("pass\n", "ASCII"),
    ],
)
def test_what_could_take_for_ever_or_hide_everything_is_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        checked(pattern)


CHARACTERS = ["a", "b", "-", "[a-c]", "[^a]", "[b-]", ".", r"\w", r"\d", "0"]
TIMES = ["", "", "", "?", "{4}", "{1,30}", "{0,30}", "+", "{2,}"]
items = st.builds("".join, st.tuples(st.sampled_from(CHARACTERS), st.sampled_from(TIMES)))
patterns = st.builds("".join, st.tuples(st.sampled_from(["", "(?i)", "a-b0"]), *[items] * 3))


@settings(suppress_health_check=[HealthCheck.filter_too_much], deadline=None, max_examples=30)
@given(patterns, st.sampled_from(["a" * 50_000, "ab" * 25_000, "a-" * 25_000, "0" * 50_000]))
@example("(?i)[a-c]{4}-{0,30}", "a-" * 25_000)
def test_whatever_is_taken_is_a_pattern_that_matches_nothing_empty_and_takes_no_time(pattern: str, text: str) -> None:
    try:
        checked(pattern)
    except ValueError:
        assume(False)
    assert not re.search(pattern, "")
    assert not re.fullmatch(pattern, "aaa")
    began = time.process_time()
    hidden(pattern, text)
    assert time.process_time() - began < 3


def test_the_costliest_pattern_that_is_taken_still_takes_linear_time() -> None:
    pattern = checked("[ab]{1,75}[ab]{50}cd[0-9]{4}")
    began = time.process_time()
    hidden(pattern, "ab" * 10_000)
    assert time.process_time() - began < 4
