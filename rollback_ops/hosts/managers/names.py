"""Names and numbers that the managers share: checked on the way out, read with care on the way in."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rollback_ops.core.errors import UsageError

_LONGEST_NUMBER = 10


def checked(key: str, names: Iterable[str], allowed: re.Pattern[str], hint: str) -> tuple[str, ...]:
    """The names, each once. Raises ``UsageError`` for one that is not ``allowed``; ``key`` is where it was set.

    Quoting alone would not do: tools read globs and spaces inside one argument, and would stop more than was meant.
    """
    unique = tuple(dict.fromkeys(names))
    for name in unique:
        if not allowed.fullmatch(name):
            raise UsageError(f"{key}: {name!r} cannot be managed", hint)
    return unique


def number(text: str) -> int:
    """A count or a process id, and 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else 0
