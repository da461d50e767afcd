"""Shell functions that a manager's command lines share: they are sent to the host once."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path

# Before a command line that calls one of the functions.
LIBRARY = 'eval "$ROLLBACK_FUNCTIONS"; '


def library(values: Mapping[str, str], *files: str) -> str:
    """Return the functions of shell files beside this module, after the variables that they read."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items()) + _functions(*files)


@cache
def _functions(*files: str) -> str:
    """Return the functions without comments and indentation, which the host does not need."""
    texts = (Path(__file__).with_name(file).read_text("utf-8") for file in files)
    lines = (line.lstrip(" ") for text in texts for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and (not line.startswith("#") or "shellcheck" in line))
