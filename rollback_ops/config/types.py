"""Types of the values in the settings. They decide which text is safe to pass to a host.

A type rejects a value with a ``ValueError`` whose text follows the name of the key: "root should be …".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from rollback_ops.config import mask_pattern
from rollback_ops.config.addresses import each_host_once
from rollback_ops.core.text import did_you_mean, listed

_DURATION = re.compile(r"(?P<amount>[0-9]+(?:\.[0-9]+)?)(?P<unit>ms|s|m|h|d)")
# As it is written: seconds, or text. Python names groups in a way that JSON Schema does not know.
_WRITTEN = WithJsonSchema(
    {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"}]},
    mode="validation",
)
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_WORDS = 'should be a duration, a number with its unit: "500ms", "20s", "2m", "24h" or "7d"'

# Braces of the shell and of other templates (${x}, %{x}, {{x}}) are not placeholders.
_PLACEHOLDER = re.compile(r"(?<![$%{])\{([a-z_]+)\}(?!\})")
_FOR_CHECKS = ("environment", "release")
_TEAM = re.compile(r"@[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)

# Roles in a repository, from the fewest rights to the most.
Role = Literal["read", "triage", "write", "maintain", "admin"]
_HOST = r"(?:\[[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9._-]+)?\]|[A-Za-z0-9_][A-Za-z0-9._-]*)"
_PORT = r"(?P<port>\d{1,5})"


class After:
    """Checks a value after pydantic did. pydantic's ``AfterValidator`` takes longer: it inspects the function."""

    def __init__(self, check: Callable[[Any], Any]) -> None:
        self._check = check

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))


class Before:
    """Converts a value before pydantic checks it; see ``After``."""

    def __init__(self, convert: Callable[[Any], Any]) -> None:
        self._convert = convert

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._convert, handler(source))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Fill in the placeholders that ``values`` names. Other placeholders stay."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def parse_duration(value: object) -> float:
    """Convert text like ``500ms``, ``20s`` or ``2m`` to seconds. A plain number is in seconds already.

    Raises ``ValueError`` for anything else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(_DURATION_WORDS)
    return float(match["amount"]) * _UNIT_SECONDS[match["unit"]]


def within_an_hour(seconds: float) -> float:
    if not 0 <= seconds <= 3600:
        raise ValueError("should be from 0 seconds to one hour")
    return seconds


def within_a_month(seconds: float) -> float:
    if not 0 < seconds <= 30 * 86400:
        raise ValueError("should be longer than 0 seconds, and at most 30 days")
    return seconds


def within_a_year(seconds: float) -> float:
    if not 0 < seconds <= 366 * 86400:
        raise ValueError("should be longer than 0 seconds, and at most 366 days")
    return seconds


def _positive(seconds: float) -> float:
    if seconds == 0:
        raise ValueError("should be longer than 0 seconds")
    return seconds


def _only(text: str, allowed: tuple[str, ...]) -> str:
    for name in _PLACEHOLDER.findall(text):
        if name not in allowed:
            known = listed(f"{{{each}}}" for each in allowed)
            raise ValueError(f"has an unknown placeholder {{{name}}}{did_you_mean(name, allowed)}; allowed: {known}")
    return text


def _placeholders(*allowed: str) -> After:
    return After(lambda text: _only(text, allowed))


def _shape(pattern: str, words: str, *placeholders: str) -> After:
    """Accept text that matches a pattern. A placeholder counts as one letter; the group ``port`` must be 1 to 65535."""

    def check(text: str) -> str:
        # Compiled when it is first needed: most settings have few of these types.
        match = re.fullmatch(pattern, _PLACEHOLDER.sub("x", _only(text, placeholders)), re.ASCII)
        port = match.groupdict().get("port") if match else None
        if match is None or (port and not 0 < int(port) < 65536):
            raise ValueError(words)
        return text

    return After(check)


def _without_dots(path: str) -> str:
    if {".", ".."} & set(path.split("/")):
        raise ValueError('should not have "." or ".." in it')
    return path


def _line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("should be one line, not blank, and without tabs or control characters")
    return text


def _placeholders_inside(value: Any) -> Any:
    """Check the placeholders in every string of the expected JSON."""
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _placeholders_inside(each)
    return _only(value, _FOR_CHECKS) if isinstance(value, str) else value


def _not_empty(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("should have at least one entry")
    return values


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"names {listed(twice)} more than once")
    return values


def _permission(text: str) -> str:
    roles = get_args(Role)
    if text and text not in roles and not _TEAM.fullmatch(text):
        wanted = f"should be one of {listed(roles)}, or a team like @org/team"
        raise ValueError(f"{wanted}{did_you_mean(text, roles)}")
    return text


_PATH = r"[A-Za-z0-9._@+=:,-]+"
_PATH_WORDS = "made of letters, digits and . _ - @ + = : ,"
_RELATIVE = rf"(?!-){_PATH}(?:/{_PATH})*"
_URL = rf"https?://{_HOST}(?::{_PORT})?(?:[/?#][!-~]*)?"
_URL_WORDS = "should be a URL like http://localhost:8080/health (http or https, no user, no spaces)"
_HOST_WORDS = (
    "should be a host, like deploy@bot1.example.org, bot1:2222 or deploy@[2001:db8::1]:22 "
    "(IPv6 in brackets, no spaces, no leading dash)"
)
_NAME_WORDS = 'should be a name: letters, digits, ".", "_" and "-", starting with a letter or a digit, at most 64'
_PATTERN_WORDS = 'should be a pattern for names, like "backup_*": no slash, no space, no leading dash'
_one_line = After(_line)
_no_dots = After(_without_dots)
_unique = After(_each_once)

Seconds = Annotated[float, Before(parse_duration), After(within_an_hour), _WRITTEN]
HoldSpan = Annotated[float, Before(parse_duration), After(within_a_month), _WRITTEN]
Limit = Annotated[Seconds, After(_positive)]

Name = Annotated[str, _shape(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", _NAME_WORDS)]
Root = Annotated[
    str,
    _shape(rf"(?:/{_PATH})+/?", f"should be an absolute path, {_PATH_WORDS}", "environment"),
    _no_dots,
    After(lambda path: path.rstrip("/")),
]
PathInRoot = Annotated[str, _shape(_RELATIVE, f"should be a relative path, {_PATH_WORDS}", "environment"), _no_dots]
PathInRelease = Annotated[str, _shape(_RELATIVE, f"should be a relative path, {_PATH_WORDS}"), _no_dots]
# A marker with the release's name does not mark releases that are copied from it.
RequiredPath = Annotated[str, _shape(_RELATIVE, f"should be a relative path, {_PATH_WORDS}", "release"), _no_dots]
_GLOB = r"[A-Za-z0-9._+:@~=,*?\[\]!^-]+"
MigrationPattern = Annotated[
    str,
    _shape(rf"(?!-){_GLOB}(?:/{_GLOB})*", 'should be a pattern for files in a release, like "db/migrate/*.rb"'),
    _no_dots,
]
Pattern = Annotated[str, _shape(r"(?!-)[A-Za-z0-9._+:@~=,*?\[\]!^-]+", _PATTERN_WORDS, "environment")]
Unit = Annotated[
    str, _shape(r"[A-Za-z0-9_][A-Za-z0-9:_.@+*\\-]*", "should be the name of a unit, like cytube-bot", "environment")
]
Units = Annotated[tuple[Unit, ...], _unique]
_TRUSTED_WORDS = 'should be a user, like "deploy" or "1001", or a group, like "%deployers" or "%127"'
Trusted = Annotated[str, _shape(r"%?(?:[A-Za-z_][A-Za-z0-9_.@-]*\$?|[0-9]{1,10})", _TRUSTED_WORDS, "environment")]
Project = Annotated[
    str, _shape(r"[a-z0-9][a-z0-9_-]*", "should be lower-case letters, digits, dashes and underscores", "environment")
]
PageUrl = Annotated[str, _shape(_URL, _URL_WORDS, "environment")]
SecureUrl = Annotated[
    str,
    _shape(
        rf"https://{_HOST}(?::{_PORT})?(?:/[!-~]*)?",
        "should be an https URL like https://models.example.org/v1 (no user, no spaces)",
    ),
]
ModelName = Annotated[str, _shape(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}", "should be the name of a model")]
CheckUrl = Annotated[str, _shape(_URL, _URL_WORDS, *_FOR_CHECKS)]
_ENDPOINT_WORDS = "should be host:port, like localhost:5432 or [::1]:5432, or the path of a socket, like /run/db.sock"
Endpoint = Annotated[str, _shape(rf"{_HOST}:{_PORT}|(?:/[A-Za-z0-9._@+=:,-]+)+", _ENDPOINT_WORDS, *_FOR_CHECKS)]
Address = Annotated[str, _shape(rf"(?:[A-Za-z0-9_][A-Za-z0-9_.$+-]*@)?{_HOST}(?::{_PORT})?", _HOST_WORDS)]
Addresses = Annotated[tuple[Address, ...], After(each_host_once)]
Permission = Annotated[str, After(_permission)]
Command = Annotated[str, _placeholders("environment"), _one_line]
CheckLine = Annotated[str, _placeholders(*_FOR_CHECKS), _one_line]
LogFile = Annotated[
    str,
    _shape(rf"/?{_RELATIVE}", f"should be a file's path, under root or absolute, {_PATH_WORDS}", "environment"),
    _no_dots,
]
SecretPattern = Annotated[str, After(mask_pattern.checked)]
LinePatterns = Annotated[tuple[CheckLine, ...], After(_not_empty)]
ExpectedText = Annotated[str, _placeholders(*_FOR_CHECKS)]
ExpectedJson = Annotated[Any, After(_placeholders_inside)]
HeaderName = Annotated[str, _shape(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "should be the name of a header")]
HeaderValue = Annotated[str, _shape(r"[ -~]*", "should be one line of ASCII", "environment")]
