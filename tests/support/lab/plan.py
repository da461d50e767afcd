"""The service that a test wants deployed, and its place."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path
from typing import Literal

OWNERS = {"root": 0, "deploy": 2000, "admin": 2001, "plain": 2002}
THREE_HEALTHY = {f"backup_2024010{day}_120000": "healthy" for day in (1, 2, 3)}

Owner = Literal["root", "deploy", "admin", "plain"]
Layout = Literal["backups", "releases"]
ManagerName = Literal["systemd", "systemd-user", "supervisor"]


def revision(number: int) -> str:
    """The commit of the ``number``th release of a plan: looks like one, and is always the same."""
    return sha1(f"release {number}".encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Plan:
    """One service. ``releases`` names the behaviour of each release, oldest first.

    ``live`` is what ``current`` points at (the newest when empty). ``files`` are further files, by
    their path under the root. ``options`` are further lines of a unit's ``[Service]`` section (or
    of a program's section). Unit number n listens on ``port + n``.
    """

    name: str
    port: int
    layout: Layout = "backups"
    manager: ManagerName = "systemd"
    owner: Owner = "root"
    releases: Mapping[str, str] = field(default_factory=lambda: THREE_HEALTHY)
    live: str = ""
    units: int = 1
    start: bool = True
    files: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()

    @property
    def uid(self) -> int:
        return OWNERS[self.owner]

    @property
    def root(self) -> str:
        return f"/srv/{self.name}"

    @property
    def releases_directory(self) -> Path:
        return Path(self.root, "backups/prod" if self.layout == "backups" else "releases")

    @property
    def first(self) -> str:
        """The release that is live at first."""
        return self.live or list(self.releases)[-1]

    @property
    def programs(self) -> dict[str, str]:
        """The command line of each unit."""
        names = [self.name if n == 0 else f"{self.name}-worker{n}" for n in range(self.units)]
        program = f"/usr/bin/python3 -ISB {self.root}/current/service.py"
        return {name: f"{program} {self.port + n}" for n, name in enumerate(names)}


class Names:
    """Names that no other service of the lab has, and ports that belong to a name on every host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._ports: dict[str, int] = {}

    def new(self) -> str:
        return f"svc{next(self._numbers)}"

    def port(self, name: str) -> int:
        with self._lock:
            return self._ports.setdefault(name, 20000 + 10 * len(self._ports))
