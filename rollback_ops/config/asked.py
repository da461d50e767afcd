"""Reads the values of a request: from an option, else from its ``ROLLBACK_*`` variable."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import get_args

from rollback_ops.config import MessageFormat, types
from rollback_ops.core.errors import UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Trigger
from rollback_ops.core.text import did_you_mean, listed, quoted

# Only `drill` and `schedule run` have these.
_OWN = ("drill", "scheduled")
TRIGGERS: tuple[Trigger, ...] = tuple(trigger for trigger in get_args(Trigger) if trigger not in _OWN)
_FORMATS: tuple[MessageFormat, ...] = get_args(MessageFormat)
_YES = ("true", "yes", "on", "1")
_NO = ("false", "no", "off", "0")


@frozen
class CommandVariables:
    """Reads the values of one command. Raises ``UsageError`` for a value that is blank or not valid."""

    environ: Mapping[str, str]

    def text(self, name: str, option: str | None, *, as_written: bool = False) -> str:
        text = self.environ.get(f"ROLLBACK_{name}", "") if option is None else option
        return text if as_written else text.strip()

    def name(self, name: str, option: str | None, *, typed_as: str = "") -> str:
        """Return a name, or "" when none was given. An empty variable was not given, but an empty option was."""
        text = self.text(name, option)
        if not text and option is not None:
            raise _blank(typed_as or f"--{name.lower().replace('_', '-')}")
        if not text and self.environ.get(f"ROLLBACK_{name}"):
            raise _blank(f"ROLLBACK_{name}")
        return text

    def several(self, name: str, options: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names that were given, each once. A variable has them with commas or spaces between them."""
        if options:
            return tuple(dict.fromkeys(self.name(name, option) for option in options))
        text = self.name(name, None)
        names = text.replace(",", " ").split()
        if text and not names:
            raise _blank(f"ROLLBACK_{name}")
        return tuple(dict.fromkeys(names))

    def count(self, name: str, option: int | None) -> int | None:
        """Return a number that is at least 1; None when none was given."""
        text = self.text(name, None if option is None else str(option))
        if text and not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 1_000_000):
            raise UsageError(f"--{name.lower()} (ROLLBACK_{name}) = {quoted(text)} should be a number from 1 on")
        return int(text) if text else None

    def flag(self, name: str, option: bool | None) -> bool:
        """Return a yes or no: of a variable ``true``, ``yes``, ``on``, ``1``, or their opposites."""
        if option is not None:
            return option
        text = self.text(name, None)
        if text.lower() not in (*_YES, *_NO, ""):
            raise UsageError(f"ROLLBACK_{name} = {quoted(text)} should be true or false")
        return text.lower() in _YES


def plan_hash(text: str) -> str:
    """Return the hash of a plan, or its beginning, in lower case. Fewer characters would approve other plans, too.

    Raises ``UsageError`` for a text that is not a hash.
    """
    if text and not re.fullmatch(r"[0-9a-f]{12,64}", text.lower()):
        hint = "`rollback-ops preview` prints it: 12 to 64 digits and letters from a to f."
        raise UsageError(f"--approved (ROLLBACK_APPROVED) = {quoted(text)} is not the hash of a preview", hint)
    return text.lower()


def _blank(source: str) -> UsageError:
    return UsageError(f"{source} is blank", f"Give a name with {source}, or leave {source} out.")


def environment_name(environment: str) -> str:
    """Return the name of the environment. Raises ``UsageError`` where none was named."""
    if not environment:
        raise UsageError("no environment was named", "Give its name after the command, or in ROLLBACK_ENVIRONMENT.")
    return environment


def seconds_of(source: str, text: str, within: Callable[[float], float]) -> float | None:
    """Return the seconds of an option or its variable; None when neither was given. Raises ``UsageError``."""
    try:
        return within(types.parse_duration(text)) if text else None
    except ValueError as error:
        raise UsageError(f"{source} = {quoted(text)} {error}") from None


def moment(source: str, text: str) -> datetime:
    """Return the time that an option names: a day or a time (ISO 8601, UTC without a zone), or so long ago (``30d``).

    Raises ``UsageError`` for anything else.
    """
    now = datetime.now(UTC)
    with suppress(ValueError, OverflowError):
        return now - timedelta(seconds=types.parse_duration(text.strip()))
    with suppress(ValueError):
        found = datetime.fromisoformat(text.strip())
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    hint = "Give a day (2026-11-01), a time (2026-11-01T14:05Z), or how long ago (30d, 12h)."
    raise UsageError(f"{source} = {quoted(text)} is not a time", hint)


def deployed_at(source: str, text: str) -> float | None:
    """Return when the live release was deployed, in seconds since the epoch; None when nobody said so.

    Raises ``UsageError`` for a text that is not a time, and for one in the future.
    """
    if not text:
        return None
    found = moment(source, text)
    if found > datetime.now(UTC):
        raise UsageError(f"{source} = {quoted(text)} is in the future", "Give the time of a deployment in the past.")
    return found.timestamp()


def trigger_named(text: str) -> Trigger | None:
    """Return the trigger of this name; None where none was named. Raises ``UsageError`` for another word."""
    if not text:
        return None
    if text not in TRIGGERS:
        raise UsageError(f"trigger {quoted(text)} should be one of {listed(TRIGGERS)}{did_you_mean(text, TRIGGERS)}")
    return text


def format_named(text: str) -> MessageFormat | None:
    """Return the message format of this name; None where none was named. Raises ``UsageError`` for another word."""
    if not text:
        return None
    if text not in _FORMATS:
        meant = did_you_mean(text, _FORMATS)
        raise UsageError(f"ROLLBACK_WEBHOOK_FORMAT = {quoted(text)} should be one of {listed(_FORMATS)}{meant}")
    return text
