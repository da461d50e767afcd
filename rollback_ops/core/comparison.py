"""The changes of a rollback in the files of a service: names of files, dependencies and settings. Pure.

Everything is shown in the direction of the rollback: what is *added* comes back, what is *removed* leaves the hosts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Literal

from rollback_ops.core.frozen import frozen

FilesSource = Literal["", "manifests", "commits", "directories"]

# Where common tools keep migrations. Directories of any depth may stand before.
_MIGRATIONS = (
    "db/migrate/*.rb",
    "migrations/*.py",
    "migrations/*.sql",
    "migrations/*.php",
    "migrations/*.js",
    "migrations/*.ts",
    "migrations/*/*.sql",
    "db/migration/V*",
    "alembic/versions/*.py",
    "database/migrations/*",
)


@frozen
class Files:
    """Names of files. ``source``: what was compared; empty: nothing, and ``why`` says why.

    ``cut``: there are more, which are not listed.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    source: FilesSource = ""
    why: str = ""
    cut: bool = False

    @property
    def known(self) -> bool:
        return bool(self.source)

    def by_directory(self) -> list[DirectoryChange]:
        """Return how many files change in each directory at the top, most changes first. ``.``: the top itself."""
        counts = [Counter(map(_directory, names)) for names in (self.added, self.removed, self.changed)]
        places = sorted(set().union(*counts), key=lambda place: (-sum(count[place] for count in counts), place))
        return [DirectoryChange(place, *(count[place] for count in counts)) for place in places]

    def migrations(self, patterns: Sequence[str] = ()) -> list[str]:
        """Return the files that leave and are migrations: by the patterns of the settings, else of common tools."""
        wanted = patterns or _MIGRATIONS
        return [name for name in self.removed if any(_fits(name, pattern, bool(patterns)) for pattern in wanted)]


@frozen
class DirectoryChange:
    directory: str
    added: int
    removed: int
    changed: int


def _directory(name: str) -> str:
    first, slash, _ = name.partition("/")
    return first if slash else "."


def _fits(name: str, pattern: str, whole: bool) -> bool:
    """Return whether a path matches a pattern, whose ``*`` matches within one directory only."""
    parts, wanted = name.split("/"), pattern.split("/")
    if len(parts) < len(wanted) or (whole and len(parts) != len(wanted)) or parts[-1].startswith("__init__."):
        return False
    return all(map(fnmatchcase, parts[-len(wanted) :], wanted))


@frozen
class LockFile:
    """A file with the versions of dependencies, in both releases. None: it does not exist, or cannot be read."""

    path: str
    left: str | None
    target: str | None


@frozen
class Keys:
    """Names of keys in one file of settings. Their values stay on the host. ``readable``: its form was understood."""

    path: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    readable: bool = True


@frozen
class Comparison:
    """A host's comparison of the release that a rollback leaves with its target."""

    files: Files = field(default_factory=Files)
    locks: tuple[LockFile, ...] = ()
    settings: tuple[Keys, ...] = ()


def files_of(had: Iterable[str], has: Iterable[str], source: FilesSource, *, cut: bool = False) -> Files:
    """Return the difference of two releases. ``had``: files that only the live one has, or has like this."""
    left, target = dict.fromkeys(had), dict.fromkeys(has)
    return Files(
        added=tuple(name for name in target if name not in left),
        removed=tuple(name for name in left if name not in target),
        changed=tuple(name for name in left if name in target),
        source=source,
        cut=cut,
    )
