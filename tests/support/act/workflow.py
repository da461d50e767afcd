"""Workflows as act can run them."""

from __future__ import annotations

import re
from pathlib import Path

# What GitHub knows and act does not.
_UNKNOWN = tuple(re.compile(line, re.MULTILINE) for line in (r"^ *deployment: (?:true|false).*\n", r"^ *queue: .*\n"))
_USES = re.compile(r"^\s*(?:- )?uses: ([^\s#]+)", re.MULTILINE)


def for_act(text: str) -> tuple[str, list[str]]:
    """The workflow without what act does not understand, and the lines that were left out."""
    left_out = [line.strip() for pattern in _UNKNOWN for line in pattern.findall(text)]
    for pattern in _UNKNOWN:
        text = pattern.sub("", text)
    return text, left_out


def used(*files: Path) -> set[str]:
    """The actions of other repositories that these workflows and actions use: ``owner/name@ref``."""
    found = {name for file in files for name in _USES.findall(file.read_text())}
    return {name for name in found if not name.startswith("./")}
