"""When two releases are one: names are used again, and count on each host."""

from __future__ import annotations

import pytest

from rollback_ops.core.identity import ReleaseIdentity


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (ReleaseIdentity("4"), ReleaseIdentity("4"), True),
        (ReleaseIdentity("4", "aaa"), ReleaseIdentity("4", "aaa"), True),
        (ReleaseIdentity("4", "aaa"), ReleaseIdentity("4", "bbb"), False),
        (ReleaseIdentity("4", "a" * 7), ReleaseIdentity("4", "a" * 40), True),
        (ReleaseIdentity("4", "aaa"), ReleaseIdentity("9", "aaa"), False),
        (ReleaseIdentity("4", "aaa", 7.0), ReleaseIdentity("4", "aaa", 8.0), True),
        (ReleaseIdentity("4", "", 7.0), ReleaseIdentity("4", "", 8.0), False),
        (ReleaseIdentity("4", "", 7.0), ReleaseIdentity("4", "", 7.0), True),
        (ReleaseIdentity("4", "", 7.0), ReleaseIdentity("4"), True),
        (ReleaseIdentity("4", "aaa", 7.0), ReleaseIdentity("4", "", 8.0), False),
        (ReleaseIdentity("4", "aaa"), ReleaseIdentity("4"), True),
        (ReleaseIdentity("4"), ReleaseIdentity("5"), False),
    ],
)
def test_what_is_known_tells_whether_two_releases_are_one(
    one: ReleaseIdentity, other: ReleaseIdentity, same: bool
) -> None:
    assert (one.is_same_as(other), other.is_same_as(one)) == (same, same)
