"""Groups many hosts that agree, to show them in one line; others are shown by name. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")

# More than this many that agree are shown as one.
FEW = 5


def agreeing(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    """Return the items in groups: many that agree on their key are one group, every other item is one by itself."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return [part for group in groups.values() for part in ([group] if len(group) > FEW else [[each] for each in group])]
