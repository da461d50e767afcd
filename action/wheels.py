"""Reads the lock file, and unpacks wheels whose hashes are in it.

pip takes more than a second to install wheels, although those without scripts and data only need to be unpacked.
"""

import hashlib
import io
import re
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(?:.*\\\n)+?.*(?<!\\)$", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Locked(NamedTuple):
    """A project of the lock file, with the hashes of all files of its version."""

    name: str
    version: str
    hashes: frozenset[str]


def locked_here(lock: str) -> list[Locked]:
    """Return the projects of the lock file that are for this Python. Needs pip, which can read the conditions."""
    from pip._vendor.packaging.requirements import Requirement

    found = [(Requirement(line[0].partition("\\\n")[0]), line[0]) for line in _REQUIREMENT.finditer(lock)]
    here = [(need, text) for need, text in found if not need.marker or need.marker.evaluate()]
    return [Locked(need.name, str(need.specifier)[2:], frozenset(_HASH.findall(text))) for need, text in here]


def is_wheel_of(file: str, project: Locked) -> bool:
    name, _, rest = file.partition("-")
    right = _project(name) == _project(project.name) and rest.partition("-")[0] == project.version
    return right and file.endswith(".whl")


def unpack(lock: str, wheels: Path, made: Path) -> bool:
    """Unpack the wheels into a directory. Return False, with nothing unpacked, unless they are those of the lock file.

    There is one of each project, each has one of the project's hashes, and none has more than modules and metadata.
    """
    allowed: dict[str, set[str]] = {}
    for found in _REQUIREMENT.finditer(lock):
        allowed.setdefault(_project(found[1]), set()).update(_HASH.findall(found[0]))
    files = sorted(wheels.iterdir())
    if sorted(_project(file.name.partition("-")[0]) for file in files) != sorted(allowed):
        return False
    opened = []
    for file in files:
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() not in allowed[_project(file.name.partition("-")[0])]:
            sys.stderr.write(f"{file.name} does not have a hash of the lock file\n")
            return False
        opened.append(zipfile.ZipFile(io.BytesIO(content)))
    if any(".data/" in name for wheel in opened for name in wheel.namelist()):
        return False
    # First, and by one thread: zipfile fails in one of two threads that make the same directory at the same time.
    for place in sorted({made / name.rpartition("/")[0] for wheel in opened for name in wheel.namelist()}):
        place.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda wheel: wheel.extractall(made), opened))
    return True


def _project(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
