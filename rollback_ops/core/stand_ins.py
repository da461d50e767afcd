"""Modules that stand in for others, which libraries import and nothing here uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class StandIn(ModuleType):
    """A module with the given attributes. Every other attribute is None."""

    def __init__(self, name: str, **has: object) -> None:
        super().__init__(name)
        self.__dict__.update(has)

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


@contextmanager
def standing_in(*modules: StandIn) -> Iterator[None]:
    """Let imports in the ``with`` block find these modules. A module that was imported before stays as it is."""
    placed = [module.__name__ for module in modules if sys.modules.setdefault(module.__name__, module) is module]
    try:
        yield
    finally:
        for name in placed:
            del sys.modules[name]


class _Plain:
    """Stands in for ``TypedDict``: while a program runs, its objects are dictionaries."""

    def __init_subclass__(cls, **_: bool) -> None:
        """Take ``total``."""

    def __new__(cls, *values: Any, **named: Any) -> Any:
        return dict(*values, **named)


@contextmanager
def plain_typed_dicts() -> Iterator[None]:
    """Let what is imported meanwhile have no typed dictionaries: Python compiles the type of each of their keys."""
    import typing

    import typing_extensions

    places: tuple[Any, ...] = (typing, typing_extensions)
    real = [place.TypedDict for place in places]
    for place in places:
        place.TypedDict = _Plain
    try:
        yield
    finally:
        for place, each in zip(places, real, strict=True):
            place.TypedDict = each
