"""Validate the names that go to a manager, and parse the numbers that come from it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rollback_ops.core.errors import UsageError

_LONGEST_NUMBER = 10


def checked(key: str, names: Iterable[str], allowed: re.Pattern[str], hint: str) -> tuple[str, ...]:
    """Return the names, each once. Raises ``UsageError`` for one that is not ``allowed``; ``key`` is its setting.

    Quoting is not enough: managers interpret globs and spaces inside one argument, and would stop other units too.
    """
    unique = tuple(dict.fromkeys(names))
    for name in unique:
        if not allowed.fullmatch(name):
            raise UsageError(f"{key}: {name!r} cannot be managed", hint)
    return unique


def number(text: str) -> int:
    """Parse a count or a process id. Return 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else 0
