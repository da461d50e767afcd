"""Checks that a directory of libraries still has all its files: runners delete old files, and rollbacks are rare."""

import os
from pathlib import Path

_SEAL = "files"


def seal(libraries: Path) -> None:
    (libraries / _SEAL).write_text(str(_count(libraries)))


def is_whole(libraries: Path) -> bool:
    try:
        return int((libraries / _SEAL).read_text()) == _count(libraries)
    except (OSError, ValueError):
        return False


def _count(libraries: Path) -> int:
    """Count the files, without the seal and without those that Python compiles by itself."""
    files = (len(names) for directory, _, names in os.walk(libraries) if not directory.endswith("__pycache__"))
    return sum(files) - (libraries / _SEAL).exists()
