"""The wheels of the lock file: in parts to be downloaded at once, and unpacked where every hash is right.

pip takes more than a second for what is, of wheels without scripts and data, to unpack them.
"""

import hashlib
import io
import re
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(?:.*\\\n)+?.*(?<!\\)$", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def parts_of(lock: str, count: int) -> list[str]:
    """Divide the requirements of a lock file into so many lock files."""
    requirements = [found[0] for found in _REQUIREMENT.finditer(lock)]
    return ["\n".join(part) + "\n" for number in range(count) if (part := requirements[number::count])]


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
            sys.stderr.write(f"{file.name} is not what the lock file names\n")
            return False
        opened.append(zipfile.ZipFile(io.BytesIO(content)))
    if any(".data/" in name for wheel in opened for name in wheel.namelist()):
        return False
    # First, and by one thread: of two that make the same directory at the same time, zipfile lets one fail.
    for place in sorted({made / name.rpartition("/")[0] for wheel in opened for name in wheel.namelist()}):
        place.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda wheel: wheel.extractall(made), opened))
    return True


def _project(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
