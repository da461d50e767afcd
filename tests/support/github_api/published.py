"""GitHub's own description of its API, as GitHub publishes it for its clients: fetched once, kept in the cache."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab.image import cache

PACKAGE, VERSION = "@octokit/openapi", "23.0.2"
INTEGRITY = "sha512-pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg=="
DIALECTS = {"github.com": "api.github.com.json", "enterprise": "ghes-3.19.json"}


def blocker() -> str:
    """Return what is missing for the descriptions; empty when they are here or can be fetched."""
    return "" if _home().is_dir() or shutil.which("npm") else "npm"


def published(dialect: str) -> dict[str, Any]:
    """The description of ``github.com`` or of ``enterprise`` servers. Fetches both (30 MB) where they are not here."""
    if missing := blocker():
        reason = f"GitHub's description of its API cannot be fetched here, {missing} is missing: run `make test`"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    home = _home()
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.is_dir():
            _fetch(home)
    found = json.loads((home / DIALECTS[dialect]).read_bytes())
    assert isinstance(found, dict)
    return found


def _home() -> Path:
    return cache() / f"github-api-{VERSION.replace('.', '-')}"


def _fetch(home: Path) -> None:
    partial = home.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    words = ["npm", "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--pack-destination", str(partial)]
    subprocess.run(words, check=True, capture_output=True, timeout=300, stdin=subprocess.DEVNULL)
    (package,) = partial.iterdir()
    found = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if found != INTEGRITY:
        raise RuntimeError(f"{PACKAGE}@{VERSION} is not the package that was pinned: {found}")
    with tarfile.open(package) as files:
        for name in DIALECTS.values():
            member = files.extractfile(f"package/generated/{name}")
            assert member is not None
            (partial / name).write_bytes(member.read())
    package.unlink()
    partial.rename(home)
