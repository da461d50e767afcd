"""Versions of dependencies in the files of package managers, and how two of these files differ. Pure.

Each parser returns a version by name; several versions of one package are joined.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from rollback_ops.core.comparison import LockFile
from rollback_ops.core.frozen import frozen
from rollback_ops.core.text import one_line, short

Pairs = Iterable[tuple[str, str]]


@frozen
class Package:
    """One package in both releases; an empty version: it is not there. ``left`` leaves, ``target`` comes back."""

    name: str
    left: str
    target: str


@frozen
class DependencyFile:
    """How one file differs. ``readable``: False where its packages could not be parsed."""

    path: str
    packages: tuple[Package, ...] = ()
    readable: bool = True


def changes(file: LockFile) -> DependencyFile:
    """Compare the packages in both texts of a file. A text that cannot be parsed counts as changed."""
    parse = _parser(file.path.rpartition("/")[2])
    if parse is None:
        return DependencyFile(file.path, readable=False)
    try:
        left, target = ({} if text is None else _versions(parse(text)) for text in (file.left, file.target))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return DependencyFile(file.path, readable=False)
    names = sorted({*left, *target}, key=str.lower)
    differing = [Package(name, left.get(name, ""), target.get(name, "")) for name in names]
    return DependencyFile(file.path, tuple(each for each in differing if each.left != each.target))


def is_lock(path: str) -> bool:
    """Return whether a file has the versions of dependencies, by its name."""
    name = path.rpartition("/")[2]
    return _parser(name) is not None or name in _UNREAD


def _versions(pairs: Pairs) -> dict[str, str]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, version in pairs:
        found[_shown(name)].add(_shown(version))
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _shown(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError("a name or a version is not text")
    return one_line(short(text, 100))


def _parser(name: str) -> Callable[[str], Pairs] | None:
    return next((parse for pattern, parse in _PARSERS.items() if fnmatchcase(name, pattern)), None)


_REQUIREMENT = re.compile(
    r"""([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^]]*\])?\s*  # the name, and extras
    (?:@\s*(\S+)|([=~<>!][^;#\\]*?)(?:\s--|[;#\\]|$))?""",
    re.VERBOSE,
)


def _requirements(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        found = _REQUIREMENT.match(line.strip())
        if found:
            name, url, version = found.groups()
            yield (
                re.sub(r"[-_.]+", "-", name).lower(),
                _bare(url) if url else "".join((version or "").split()).removeprefix("=="),
            )


def _bare(url: str) -> str:
    """Return a URL without the parts that may be secret: user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def _toml_packages(text: str) -> Iterator[tuple[str, str]]:
    for package in tomllib.loads(text).get("package", []):
        yield package["name"], package.get("version", "")


def _npm(text: str) -> Iterator[tuple[str, str]]:
    found = json.loads(text)
    if "packages" in found:
        for place, package in found["packages"].items():
            if "node_modules/" in place and not package.get("link"):
                yield place.rpartition("node_modules/")[2], package.get("version", "")
    else:
        yield from _nested(found.get("dependencies", {}))


def _nested(dependencies: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, package in dependencies.items():
        yield name, package.get("version", "")
        yield from _nested(package.get("dependencies", {}))


def _pipfile(text: str) -> Iterator[tuple[str, str]]:
    found = json.loads(text)
    for group in ("default", "develop"):
        for name, package in found.get(group, {}).items():
            yield name, package.get("version", "").removeprefix("==")


def _composer(text: str) -> Iterator[tuple[str, str]]:
    found = json.loads(text)
    for group in ("packages", "packages-dev"):
        for package in found.get(group, []):
            yield package["name"], package.get("version", "")


def _bundler(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if found := re.fullmatch(r" {4}(\S+) \(([^()]+)\)", line):
            yield found[1], found[2]


def _go_mod(text: str) -> Iterator[tuple[str, str]]:
    inside = False
    for line in text.splitlines():
        words = line.partition("//")[0].split()
        if words[:1] == ["require"] and words[1:] != ["("]:
            words = words[1:]
        elif not inside or words == [")"]:
            inside = words == ["require", "("]
            continue
        if len(words) == 2:
            yield words[0], words[1]


def _go_sum(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and not words[1].endswith("/go.mod"):
            yield words[0], words[1]


_PARSERS: dict[str, Callable[[str], Pairs]] = {
    "requirements*.txt": _requirements,
    "uv.lock": _toml_packages,
    "poetry.lock": _toml_packages,
    "pdm.lock": _toml_packages,
    "Cargo.lock": _toml_packages,
    "package-lock.json": _npm,
    "npm-shrinkwrap.json": _npm,
    "Pipfile.lock": _pipfile,
    "composer.lock": _composer,
    "Gemfile.lock": _bundler,
    "go.mod": _go_mod,
    "go.sum": _go_sum,
}
_UNREAD = ("yarn.lock", "pnpm-lock.yaml")
