"""The blocks of a document: settings, scripts, and the commands of ours with their outputs."""

from __future__ import annotations

import re
from pathlib import Path


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def command_lines(page: Path) -> list[str]:
    """Return the commands of ours, in the order of the page."""
    lines = [block.splitlines()[0].removeprefix("$ ") for block in blocks(page, "console")]
    return [line for line in lines if line.startswith("rollback-ops ")]
