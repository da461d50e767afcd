"""Modules that stand in for others, which libraries import and nothing here uses."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from importlib.machinery import ExtensionFileLoader
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


def import_lean(module: str, packages: Collection[str], *meanwhile: AbstractContextManager[None]) -> None:
    """Import a module within ``meanwhile``; without it, where a version of its ``packages`` needs what that replaces.

    Compiled modules of the packages stay as they are: they cannot be imported twice.
    """
    try:
        with ExitStack() as stack:
            for each in meanwhile:
                stack.enter_context(each)
            import_module(module)
    except Exception:
        for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
            if not _is_compiled(sys.modules[name]):
                del sys.modules[name]
        import_module(module)


def _is_compiled(module: ModuleType) -> bool:
    return module.__spec__ is not None and isinstance(module.__spec__.loader, ExtensionFileLoader)


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
