"""How revisions are spelled: some tools note only the beginning of a commit."""

from __future__ import annotations

import pytest

from rollback_ops.core.revision import spelled_out

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
        (["v1.2", "v1.2.3"], {}),
        ([], {}),
    ],
)
def test_a_beginning_is_spelled_out_where_it_means_one_commit(revisions: list[str], longer: dict[str, str]) -> None:
    assert spelled_out(revisions) == longer
    assert spelled_out(reversed(revisions)) == longer
