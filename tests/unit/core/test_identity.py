"""When two releases are one: names are used again, and count on each host."""

from __future__ import annotations

import pytest

from rollback_ops.core.identity import Identity


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Identity("4"), Identity("4"), True),
        (Identity("4", "aaa"), Identity("4", "aaa"), True),
        (Identity("4", "aaa"), Identity("4", "bbb"), False),
        (Identity("4", "a" * 7), Identity("4", "a" * 40), True),
        (Identity("4", "aaa"), Identity("9", "aaa"), False),
        (Identity("4", "aaa", 7.0), Identity("4", "aaa", 8.0), True),
        (Identity("4", "", 7.0), Identity("4", "", 8.0), False),
        (Identity("4", "", 7.0), Identity("4", "", 7.0), True),
        (Identity("4", "", 7.0), Identity("4"), True),
        (Identity("4", "aaa", 7.0), Identity("4", "", 8.0), False),
        (Identity("4", "aaa"), Identity("4"), True),
        (Identity("4"), Identity("5"), False),
    ],
)
def test_what_is_known_tells_whether_two_releases_are_one(one: Identity, other: Identity, same: bool) -> None:
    assert (one.is_same_as(other), other.is_same_as(one)) == (same, same)
