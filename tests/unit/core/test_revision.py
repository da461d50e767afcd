"""How revisions are spelled: some tools note only the beginning of a commit."""

from __future__ import annotations

import pytest

from rollback_ops.core.revision import all_same, same, spelled_out

A, B = "a" * 40, "a" * 20 + "b" * 20


@pytest.mark.parametrize(
    ("revisions", "longer"),
    [
        ([A[:7], A], {A[:7]: A}),
        ([A[:7], A[:12], A], {A[:7]: A, A[:12]: A}),
        ([A[:7], A, B], {}),
        ([A[:30], A[:7], A, B], {A[:30]: A}),
        ([A, B], {}),
        (["aaa", A], {}),
        (["1234567", "12345678"], {}),
        (["1234567", "1234567" + A[:33]], {"1234567": "1234567" + A[:33]}),
        (["1234567", "12345678", "1234567" + A[:33]], {"1234567": "1234567" + A[:33]}),
        (["v1.2", "v1.2.3"], {}),
        ([], {}),
    ],
)
def test_a_beginning_is_spelled_out_where_it_means_one_commit(revisions: list[str], longer: dict[str, str]) -> None:
    assert spelled_out(revisions) == longer
    assert spelled_out(reversed(revisions)) == longer


@pytest.mark.parametrize(
    ("one", "two", "are_same"),
    [
        (A, A[:7], True),
        (A[:7].upper(), A, True),
        (A[:6], A, False),
        (A, B, False),
        ("1234567", "1234567", True),
        ("1234567", "12345678", False),
        ("1234567", "1234567" + A[:5], True),
        ("1234567", "1234567890" * 4, True),
        ("v1.2", "v1.2", True),
        ("v1.2.3-rc", "v1.2.3-rc1", False),
        ("", "", False),
        ("", A, False),
    ],
)
def test_revisions_are_the_same_when_equal_or_when_one_begins_a_commit(one: str, two: str, are_same: bool) -> None:
    assert (same(one, two), same(two, one)) == (are_same, are_same)


@pytest.mark.parametrize(
    ("revisions", "are_same"),
    [([A, A[:7], A[:12]], True), ([A[:7], A, B], False), (["7", "7"], True), ([A], True)],
)
def test_several_are_one_revision_when_each_two_are_the_same(revisions: list[str], are_same: bool) -> None:
    assert all_same(revisions) is are_same
