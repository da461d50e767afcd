"""Frozen dataclasses whose methods are made when they are first needed.

``dataclass`` compiles six methods for each class, used or not. For all classes together that took longer than a login.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a dataclass, as ``dataclass(frozen=True, slots=True)`` does, with all fields in ``repr`` and ``==``.

    ``dataclasses.fields``, ``replace`` and ``asdict`` take its objects.
    """
    # Without a docstring, dataclass writes one, from the signature.
    cls.__doc__ = cls.__doc__ or cls.__name__
    for name, method in _METHODS.items():
        if name not in cls.__dict__:
            setattr(cls, name, method)
    made = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    # Dataclasses that inherit have to be frozen, too.
    getattr(made, "__dataclass_params__").frozen = True  # noqa: B009 - mypy does not know it
    setattr(made, "__init__", _compiled_later(made))  # noqa: B010 - mypy forbids the assignment
    return made


@contextmanager
def frozen_by_libraries() -> Iterator[None]:
    """Make the frozen dataclasses of libraries that are imported meanwhile as ``frozen`` makes ours."""
    real = dataclasses.dataclass

    def quicker(cls: type[Any] | None = None, /, **options: bool) -> Any:
        if options != {"frozen": True, "slots": True}:
            return real(cls, **options)
        return frozen(cls) if cls else frozen

    setattr(dataclasses, "dataclass", quicker)  # noqa: B010 - mypy forbids the assignment
    try:
        yield
    finally:
        setattr(dataclasses, "dataclass", real)  # noqa: B010


def _compiled_later(cls: type[Any]) -> Callable[..., None]:
    """Return an ``__init__`` that replaces itself when the first object is made."""

    def init(self: Any, /, *args: Any, **named: Any) -> None:
        cls.__init__ = _init_of(cls)
        cls.__init__(self, *args, **named)

    return init


def _init_of(cls: type[Any]) -> Callable[..., None]:
    """Compile the ``__init__`` that ``dataclass`` would have made."""
    scope: dict[str, Any] = {"_set": object.__setattr__, "_missing": MISSING}
    parameters, body = ["_self"], []
    for each in fields(cls):
        given = each.name
        if each.default_factory is not MISSING:
            scope[f"_new_{each.name}"] = each.default_factory
            parameters.append(f"{each.name}=_missing")
            given = f"_new_{each.name}() if {each.name} is _missing else {each.name}"
        elif each.default is not MISSING:
            scope[f"_default_{each.name}"] = each.default
            parameters.append(f"{each.name}=_default_{each.name}")
        elif each.init:
            parameters.append(each.name)
        if each.init:
            body.append(f" _set(_self, {each.name!r}, {given})")
    if hasattr(cls, "__post_init__"):
        body.append(" _self.__post_init__()")
    exec("\n".join([f"def __init__({', '.join(parameters)}):", *body, " pass"]), scope)  # noqa: S102 - names of fields
    made: Callable[..., None] = scope["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__dataclass_fields__])


def _repr(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
    return f"{type(self).__qualname__}({shown})"


def _equals(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _set(self: Any, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(self: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _restore(self: Any, values: tuple[Any, ...]) -> None:
    """Fill the copy of an object (``copy``, ``pickle``)."""
    for name, value in zip(self.__dataclass_fields__, values, strict=True):
        object.__setattr__(self, name, value)


_METHODS: dict[str, Callable[..., object]] = {
    "__repr__": _repr,
    "__eq__": _equals,
    "__hash__": _hash,
    "__setattr__": _set,
    "__delattr__": _delete,
    "__getstate__": _values,
    "__setstate__": _restore,
}
