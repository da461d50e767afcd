"""Turn pydantic's validation errors into messages in the terms of rollback.toml."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

from rollback_ops.config.schema import Check, Environment, Group, Region, Section, Service, Settings, Strategy
from rollback_ops.config.secrets import variable_of
from rollback_ops.core.text import did_you_mean, listed, names_a_secret, one_line, quoted, short

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Location = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_TABLE = "should be a table of keys and values"
_WHOLE_NUMBER = "should be a whole number"
_WORDS = {
    "missing": "is missing",
    "string_type": "should be a string, in quotes",
    "string_unicode": "should be text in UTF-8",
    "tuple_type": 'should be a list of strings, like ["one", "two"]',
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "finite_number": "should be a number",
    "greater_than_equal": "should be at least {ge}",
    "less_than_equal": "should be at most {le}",
}


def problems_in(error: ValidationError, source_of: Callable[[Location], str]) -> list[str]:
    """Return one line for each problem. ``source_of`` names the file or variable that set the value at a place."""
    return [
        f"{source_of(place)}: {problem}"
        for details in error.errors(include_url=False)
        for place, problem in _problems(details)
    ]


def key_path(place: Location) -> str:
    """Return the path of a key as TOML writes it: ``environments.prod.hosts[1]``."""
    path = ""
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else f'"{one_line(short(part))}"'
            path += f".{short(key)}" if path else short(key)
    return path


def _problems(details: ErrorDetails) -> Iterator[tuple[Location, str]]:
    place, value, kind = _without_kind(details["loc"]), details["input"], details["type"]
    if kind == "extra_forbidden":
        yield from _unknown_key(details["loc"], value)
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        yield _wrong_kind(place, value)
    elif place[-1:] == ("[key]",):
        yield place[:-1], f"{key_path(place[:-1])} {_words(details)}"
    elif kind == "missing":
        yield place, f"{key_path(place)} {_words(details)}"
    else:
        yield place, f"{_assignment(place, value)} {_words(details)}"


def _words(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    if details["type"] == "value_error":
        return str(context["error"])
    if details["type"] == "literal_error":
        return _one_of(details["input"], re.findall(r"'([^']*)'", context["expected"]))
    return _WORDS.get(details["type"], "is not a valid value for this key").format_map(context)


def _assignment(place: Location, value: object) -> str:
    shown = quoted(value)
    if shown and any(names_a_secret(str(part)) for part in place[-2:]):
        shown = "(not shown)"
    return f"{key_path(place)} = {shown}" if shown else key_path(place)


def _one_of(value: object, allowed: list[str]) -> str:
    return f"should be one of {listed(allowed)}{did_you_mean(str(value), allowed)}"


def _wrong_kind(place: Location, table: Mapping[str, Any]) -> tuple[Location, str]:
    place = (*place, "kind")
    kinds = list(_CHECKS)
    if "kind" not in table:
        return place, f"{key_path(place)} is missing; it should be one of {listed(kinds)}"
    return place, f"{_assignment(place, table['kind'])} {_one_of(table['kind'], kinds)}"


def _unknown_key(location: Location, value: object) -> Iterator[tuple[Location, str]]:
    place = _without_kind(location)
    secrets = list(_secrets_in(place, value))
    for secret, variable in secrets:
        yield secret, f"{key_path(secret)} is a secret and does not belong in the settings: set the variable {variable}"
    if not secrets:
        known = _keys(_section_at(location[:-1]))
        meant = did_you_mean(str(place[-1]), known)
        yield place, f"{_assignment(place, value)} is not a known key{meant}; allowed: {listed(known)}"


def _secrets_in(place: Location, value: object) -> Iterator[tuple[Location, str]]:
    if variable := variable_of(str(place[-1])):
        yield place, variable
    elif isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _secrets_in((*place, key), below)


# pydantic puts a check's kind into the location: (services, NAME, checks, NAME, KIND, key). The file does not.
_CHECKS: dict[str, type[Section]] = {
    get_args(check.model_fields["kind"].annotation)[0]: check for check in get_args(get_args(Check)[0])
}


def _without_kind(location: Location) -> Location:
    if location[2:3] == ("checks",) and len(location) > 4 and location[4] in _CHECKS:
        return location[:4] + location[5:]
    return location


def _section_at(location: Location) -> type[Section]:
    match location:
        case ("environments", *rest):
            return _section_of_environment(rest)
        case ("groups", _):
            return Group
        case ("services", _):
            return Service
        case ("services", _, "checks", _, kind):
            return _CHECKS[str(kind)]
        case ("services", _, name):
            fields = {field.alias or key: field for key, field in Service.model_fields.items()}
            return _section_in(fields[str(name)].annotation)
    return Settings


def _section_of_environment(rest: list[str | int]) -> type[Section]:
    if rest[1:2] == ["regions"]:
        return Region
    return Strategy if rest[1:2] == ["strategy"] else Environment


def _section_in(annotation: Any) -> type[Section]:
    """Return the section of a field whose value may also be None."""
    section: type[Section] = next(each for each in (*get_args(annotation), annotation) if issubclass(each, Section))
    return section


def _keys(section: type[Section]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]
