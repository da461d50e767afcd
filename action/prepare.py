"""Chooses the paths for one use of the action, and sets them as outputs of the step.

Needs the standard library only, of Python 3.11 or later. To be run with ``-I -S``.
"""

import hashlib
import os
import platform
import re
import stat
import sys
import sysconfig
from itertools import count
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from contents import is_whole

_RECORDED = ("rollback", "resume", "guard", "merge")


def main() -> None:
    environ = os.environ
    temporary = Path(environ["RUNNER_TEMP"])
    key = _key((Path(__file__).parent / "requirements.lock").read_bytes())
    libraries = _store(Path(environ.get("RUNNER_TOOL_CACHE") or temporary), temporary) / key
    _put_away(libraries)
    recorded = environ["ROLLBACK_COMMAND"] in _RECORDED
    number, own = _own_directory(temporary, "record" if recorded else "look")
    outputs = {
        "python": sys.executable,
        "key": key,
        "libraries": libraries,
        "ready": str(libraries.is_dir()).lower(),
        "wheels": temporary / "rollback-ops" / "wheels",
        "temporary": own / "temporary",
        "record": own / "rollback-record.json" if recorded else "",
        "artifact": _artifact_name(number),
    }
    with open(environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in outputs.items())


def _key(lock: bytes) -> str:
    """Return a key of everything that the installed libraries depend on."""
    of_lock = hashlib.sha256(lock).hexdigest()[:16]
    return f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}-{platform.machine()}-{_libc()}-{of_lock}"


def _libc() -> str:
    """Return the C library: wheels for Alpine (musl) differ from those for Debian (glibc)."""
    return "-".join(platform.libc_ver()[:1]) or "other"


def _store(cache: Path, temporary: Path) -> Path:
    """Return a directory that outlives the job, if there is one to which only we and root can write."""
    try:
        store = cache / "rollback-ops"
        store.mkdir(parents=True, exist_ok=True, mode=0o755)
        state = store.lstat()
        ours = stat.S_ISDIR(state.st_mode) and state.st_uid in (0, os.geteuid()) and not state.st_mode & 0o022
        if ours and os.access(store, os.W_OK):
            return store
    except OSError:
        pass
    return temporary / "rollback-ops" / "libraries"


def _put_away(libraries: Path) -> None:
    """Rename libraries that have lost files, so that they are made anew; ``install.py`` deletes the old ones later."""
    if libraries.is_dir() and not is_whole(libraries):
        try:
            libraries.rename(libraries.with_name(f".making-{os.getpid()}-{libraries.name}"))
        except OSError:
            return  # another job has just done so


def _own_directory(temporary: Path, kind: str) -> tuple[int, Path]:
    """Make a directory for this use of the action. Returns its number: uses with and without a record count from 1."""
    base = temporary / "rollback-ops"
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in count(1):
        own = base / f"{kind}-{number}"
        try:
            own.mkdir(mode=0o700)
        except FileExistsError:
            continue
        (own / "temporary").mkdir(mode=0o700)
        return number, own
    raise AssertionError


def _artifact_name(number: int) -> str:
    """Return a name that is unique in the run. Characters that a name must not have become dashes."""
    parts = [os.environ.get(name) for name in ("ROLLBACK_ENVIRONMENT", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT")]
    ours = "-".join(filter(None, ("rollback", *parts, str(number) if number > 1 else "")))
    return re.sub(r"[^A-Za-z0-9._-]", "-", os.environ["ROLLBACK_ARTIFACT_NAME"].strip() or ours)[-200:]


main()
