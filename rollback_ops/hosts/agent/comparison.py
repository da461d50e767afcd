"""Parses a host's comparison of two releases (sh/compare.sh). Answers are untrusted: each field is bounded."""

from __future__ import annotations

import binascii
import zlib
from base64 import b64decode

from rollback_ops.core.comparison import Comparison, Files, FilesSource, Keys, LockFile, files_of
from rollback_ops.core.errors import BadAnswer
from rollback_ops.hosts.agent.protocol import Answer, clean

_SOURCES: dict[str, FilesSource] = {"manifests": "manifests", "directories": "directories"}
_MOST_FILES = 20_000
# Bytes of one file of dependencies, unpacked.
_LONGEST = 4_000_000


def parse(answer: Answer) -> Comparison:
    """Return the comparison. Raises ``BadAnswer`` where the host does not compare."""
    if answer.status != 0:
        raise BadAnswer("the releases could not be compared on the host")
    return Comparison(_files(answer), tuple(_locks(answer)), tuple(_settings(answer)))


def _files(answer: Answer) -> Files:
    source = next((word for fields in answer.of("listed", 1) if (word := _SOURCES.get(fields[0]))), None)
    if source is None:
        why = next((clean(fields[0]) for fields in answer.of("unlisted", 1)), "")
        return Files(why=why)
    had, has = ([clean(fields[0]) for fields in answer.of(tag, 1)][:_MOST_FILES] for tag in ("had", "has"))
    return files_of(had, has, source, cut=_MOST_FILES in (len(had), len(has)))


def _locks(answer: Answer) -> list[LockFile]:
    packed: dict[str, dict[str, list[str]]] = {}
    path = ""
    for tag, *fields in answer.lines:
        if tag == "lock" and fields:
            path = clean(fields[0])
            packed[path] = {}
        elif tag in ("old", "new") and fields and path:
            packed[path].setdefault(tag, []).append(fields[0])
    return [LockFile(path, _text(found.get("old")), _text(found.get("new"))) for path, found in packed.items()]


def _text(lines: list[str] | None) -> str | None:
    try:
        unpacked = zlib.decompressobj(wbits=31).decompress(b64decode("".join(lines or ()), validate=True), _LONGEST)
        return unpacked.decode() if lines else None
    except (binascii.Error, ValueError, zlib.error):
        return None


def _settings(answer: Answer) -> list[Keys]:
    found: dict[str, list[list[str]]] = {}
    path = ""
    for tag, *fields in answer.lines:
        if tag == "settings" and fields:
            path = clean(fields[0])
            found[path] = []
        elif tag == "key" and fields and path:
            found[path].append([*fields, ""])
    return [_keys(path, lines) for path, lines in found.items()]


def _keys(path: str, lines: list[list[str]]) -> Keys:
    if any(how == "unread" for how, *_ in lines):
        return Keys(path, readable=False)

    def named(how: str) -> tuple[str, ...]:
        return tuple(clean(key, 200) for word, key, *_ in lines if word == how and key)

    return Keys(path, named("added"), named("removed"), named("changed"))
