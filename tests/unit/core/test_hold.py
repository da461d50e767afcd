"""Holds: what hosts keep of them, what they know together, and how those that disagree are repaired."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.core.hold import expired, lift, line_of, merged, parse, repairs, standing
from rollback_ops.core.model import HeldRelease, Hold, Survey

DAY, NOW = 86400.0, 1_800_000_000.0
HOLD = Hold("20270115T080000Z-00000001", "ana", "it loses messages", NOW, NOW + DAY, (HeldRelease("b3", "c27d5e9"),))
OTHER = Hold("20270115T090000Z-00000002", "bob", "the fair is on", NOW + 3600, NOW + 2 * DAY)


def survey(host: str, *holds: Hold) -> Survey:
    return Survey(host, holds=holds)


@given(st.text(), st.text(), st.floats(0, 1e9), st.floats(0, 1e9), st.text(), st.text())
def test_a_host_gives_back_the_hold_that_it_was_given(
    by: str, reason: str, since: float, seconds: float, release: str, lifted_by: str
) -> None:
    hold = Hold("r", by, reason, since, since + seconds, (HeldRelease(release),), lifted_by)
    assert parse("r", line_of(hold)) == hold
    assert "\n" not in line_of(hold)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        "{",
        "[" * 100_000,
        json.dumps({"releases": [], "since": 1}),
        line_of(HOLD).replace(f"{NOW + DAY}", "NaN"),
        line_of(HOLD).replace(f"{NOW + DAY}", "Infinity"),
        line_of(HOLD).replace(f"{NOW + DAY}", f"{NOW - DAY}"),
        line_of(HOLD).replace('"b3"', "3"),
        line_of(HOLD)[:-5],
    ],
)
def test_what_cannot_be_read_holds_everything_until_somebody_lifts_it(line: str) -> None:
    found = parse("r", line)
    assert (found.readable, found.releases, standing([found], NOW + 900 * DAY)) == (False, (), (found,))
    lifted = lift(found, "ana", "it was damaged", NOW)
    assert not standing([lifted], NOW)
    assert parse("r", line_of(lifted)) == lifted


def test_a_hold_ends_with_its_time() -> None:
    assert standing([HOLD], NOW + DAY - 1) == (HOLD,)
    assert (standing([HOLD], NOW + DAY), expired([HOLD], NOW + DAY)) == ((), (HOLD,))


def test_one_host_that_has_a_hold_is_enough_and_the_others_are_given_it() -> None:
    with_it, without = survey("h1", HOLD), survey("h2", OTHER)
    known = merged([with_it, without])
    assert known == (OTHER, HOLD)
    assert repairs(with_it, known, NOW) == ((OTHER,), ())
    assert repairs(without, known, NOW) == ((HOLD,), ())
    assert repairs(survey("h3", *known), known, NOW) == ((), ())


def test_a_hold_that_was_lifted_on_one_host_does_not_come_back_from_another() -> None:
    lifted = lift(HOLD, "bob", "it was the database", NOW)
    asleep = survey("h2", HOLD)
    known = merged([asleep, survey("h1", lifted)])
    assert (known, standing(known, NOW)) == ((lifted,), ())
    assert repairs(asleep, known, NOW) == ((lifted,), ())


def test_a_host_whose_hold_is_damaged_is_given_that_of_another() -> None:
    damaged = parse(HOLD.id, "{")
    assert merged([survey("h1", damaged), survey("h2", HOLD)]) == (HOLD,)
    assert repairs(survey("h1", damaged), (HOLD,), NOW) == ((HOLD,), ())
    assert repairs(survey("h2"), (damaged,), NOW) == ((), ())


def test_a_hold_that_is_long_over_is_forgotten_and_not_given_to_anybody() -> None:
    later = NOW + 40 * DAY
    assert repairs(survey("h1", HOLD), (HOLD,), later) == ((), (HOLD.id,))
    assert repairs(survey("h2"), (HOLD,), later) == ((), ())
    assert repairs(survey("h2"), (replace(HOLD, until=later),), later) == ((replace(HOLD, until=later),), ())
