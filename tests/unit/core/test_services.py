"""The order of the services of a group: a table, and what holds for any group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.core.services import change_steps, start_steps

SHOP = ("db-proxy", "api", "web")


@pytest.mark.parametrize(
    ("services", "after", "steps"),
    [
        (SHOP, None, (("db-proxy",), ("api",), ("web",))),
        (SHOP, {}, (SHOP,)),
        (SHOP, {"web": ["api"]}, (("db-proxy", "api"), ("web",))),
        (SHOP, {"web": ["api"], "api": ["db-proxy"]}, (("db-proxy",), ("api",), ("web",))),
        (SHOP, {"db-proxy": ["web"]}, (("api", "web"), ("db-proxy",))),
        (SHOP, {"web": ["api", "api"], "api": []}, (("db-proxy", "api"), ("web",))),
        (("a", "b", "c", "d"), {"b": ["a"], "c": ["a"], "d": ["b", "c"]}, (("a",), ("b", "c"), ("d",))),
        (("a", "b", "c", "d"), {"b": ["a"], "d": ["c"]}, (("a", "c"), ("b", "d"))),
        (("a", "b"), None, (("a",), ("b",))),
    ],
)
def test_services_start_in_steps(
    services: Sequence[str], after: Mapping[str, Sequence[str]] | None, steps: tuple[tuple[str, ...], ...]
) -> None:
    assert start_steps(services, after) == steps


@pytest.mark.parametrize(
    ("after", "cycle"),
    [
        ({"a": ["a"]}, {"a"}),
        ({"a": ["b"], "b": ["a"]}, {"a", "b"}),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, {"a", "b", "c"}),
        ({"b": ["c"], "c": ["b"], "a": []}, {"b", "c"}),
    ],
)
def test_a_cycle_is_named(after: Mapping[str, Sequence[str]], cycle: set[str]) -> None:
    with pytest.raises(ValueError, match="→") as caught:
        start_steps(("a", "b", "c"), after)
    names = str(caught.value).split(" → ")
    assert set(names) == cycle
    assert names[0] == names[-1]


def test_a_rollback_changes_dependents_first_and_the_way_forward_changes_them_last() -> None:
    start = start_steps(SHOP, {"web": ["api"]})
    assert change_steps(start, forward=False) == (("web",), ("db-proxy", "api"))
    assert change_steps(start, forward=True) == start


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[str], dict[str, list[str]]]:
    """Services in any order, each after some of those before it in another order: there is no cycle."""
    names = [f"s{number}" for number in range(draw(st.integers(2, 8)))]
    hidden = draw(st.permutations(names))
    after = {
        name: draw(st.lists(st.sampled_from(hidden[:i]), unique=True)) if i else [] for i, name in enumerate(hidden)
    }
    return draw(st.permutations(names)), after


@given(orders())
def test_every_service_is_changed_once_and_never_before_what_it_waits_for(
    order: tuple[list[str], dict[str, list[str]]],
) -> None:
    services, after = order
    start = start_steps(services, after)
    assert sorted(name for step in start for name in step) == sorted(services)
    at = {name: number for number, step in enumerate(start) for name in step}
    assert all(at[other] < at[name] for name, others in after.items() for other in others)
    # Nothing waits longer than for those that it names.
    assert all(at[n] == 1 + max((at[o] for o in after.get(n, [])), default=-1) for n in services)
    back = {name: number for number, step in enumerate(change_steps(start, forward=False)) for name in step}
    assert all(back[other] > back[name] for name, others in after.items() for other in others)
