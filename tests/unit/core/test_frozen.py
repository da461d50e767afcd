from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import dataclass, field
from typing import Any

import pytest

from rollback_ops.core.frozen import frozen


@frozen
class Ours:
    name: str
    number: int = 1
    words: list[str] = field(default_factory=list)
    length: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.name))

    @property
    def shown(self) -> str:
        return f"{self.name} {self.number}"


@dataclass(frozen=True, slots=True)
class Theirs:
    name: str
    number: int = 1
    words: list[str] = field(default_factory=list)
    length: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.name))


@frozen
class Pair:
    left: str
    right: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "a pair"


@pytest.mark.parametrize(
    ("given", "named"), [(("a",), {}), (("a", 2), {}), ((), {"name": "a", "words": ["x"]}), (("a", 3, ["y"]), {})]
)
def test_it_takes_the_arguments_of_a_dataclass(given: tuple[Any, ...], named: dict[str, Any]) -> None:
    ours, theirs = Ours(*given, **named), Theirs(*given, **named)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert repr(ours).removeprefix("Ours") == repr(theirs).removeprefix("Theirs")


@pytest.mark.parametrize(
    ("given", "named"), [((), {}), (("a", 1, [], 4), {}), (("a",), {"other": 1}), (("a",), {"name": "b"})]
)
def test_it_refuses_the_arguments_that_a_dataclass_refuses(given: tuple[Any, ...], named: dict[str, Any]) -> None:
    for kind in (Ours, Theirs):
        with pytest.raises(TypeError):
            kind(*given, **named)


def test_objects_do_not_share_what_a_factory_makes() -> None:
    first, second = Ours("a"), Ours("a")
    first.words.append("x")
    assert second.words == []


def test_equal_fields_of_one_class_are_equal() -> None:
    assert Ours("a") == Ours("a") != Ours("a", 2)
    other: object = Theirs("a")
    assert Ours("a") != other
    assert len({Pair("a"), Pair("a"), Pair("b")}) == 2


def test_nothing_of_it_can_be_changed() -> None:
    made = Ours("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, "name", "b")  # noqa: B010 - mypy knows that it cannot be set
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(made, "name")
    assert made.shown == "a 1"
    assert not hasattr(made, "__dict__")


def test_copies_are_equal() -> None:
    made = Pair("a", ("b",))
    for again in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made)), dataclasses.replace(made)):
        assert again == made
    assert dataclasses.replace(made, left="c") == Pair("c", ("b",))


def test_a_method_of_its_own_stays() -> None:
    assert repr(Pair("a")) == "a pair"


def test_its_fields_can_be_matched() -> None:
    match Pair("a", ("b",)):
        case Pair(left, (right,)):
            assert (left, right) == ("a", "b")
        case _:
            pytest.fail("it did not match")
