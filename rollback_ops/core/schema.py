"""Compares the migrations of the database with those that a release knows. Pure.

A database is ahead of a release when it has a version that the release does not know: the release would run on a schema
that it was not written for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rollback_ops.core.frozen import frozen
from rollback_ops.core.order import natural

# At most this many versions are named.
_MOST_NAMED = 5
_ENDS = ("_", "-", ".")


@frozen
class KnownSchema:
    """The versions that one release knows: the paths of its migrations, or the lines of its file of versions.

    ``readable``: False when the release, or its file, does not exist.
    """

    lines: tuple[str, ...] = ()
    readable: bool = True


@frozen
class SchemaAnswer:
    """The answer of a host: the versions that the database has, and those that each release knows, by name.

    ``versions`` is None when they are unknown; ``why`` then says what went wrong.
    """

    versions: tuple[str, ...] | None
    known: dict[str, KnownSchema]
    why: str = ""


def unknown_to(known: KnownSchema, versions: Iterable[str], *, by_file: bool) -> tuple[str, ...]:
    """Return the versions that a release does not know. ``by_file``: it lists versions and ranges, not migrations."""
    knows = _understands if by_file else _has_migration
    return tuple(version for version in versions if not any(knows(line, version) for line in known.lines))


def _has_migration(path: str, version: str) -> bool:
    """Return whether the name of a migration's file is this version, or begins with it.

    ``0002_price`` and ``0002`` are ``0002_price.sql``; ``shop/migrations/0002_price`` is a file of that directory.
    """
    where, _, wanted = version.rpartition("/")
    place, _, name = path.rpartition("/")
    if where and place != where and not place.endswith(f"/{where}"):
        return False
    return name == wanted or (name.startswith(wanted) and name[len(wanted)] in _ENDS)


def _understands(line: str, version: str) -> bool:
    """Return whether a line is this version or a range with it: ``3``, ``1..4``, ``..4`` or ``20260101..``."""
    text = line.partition("#")[0].strip()
    if ".." not in text:
        return text == version
    first, _, last = (part.strip() for part in text.partition(".."))
    key = natural(version)
    return (not first or natural(first) <= key) and (not last or key <= natural(last))


def named(versions: Sequence[str]) -> str:
    """Name versions in a bounded line, the first ones first."""
    more = len(versions) - _MOST_NAMED
    return f"{', '.join(versions[:_MOST_NAMED])}{f' and {more} more' if more > 0 else ''}"
