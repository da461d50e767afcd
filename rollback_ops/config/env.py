"""Variables ``ROLLBACK_SERVICES__…`` and ``ROLLBACK_ENVIRONMENTS__…``, which override keys of the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollback_ops.config.problems import Location
from rollback_ops.config.schema import Settings
from rollback_ops.core.errors import UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.text import did_you_mean, one_line

_PREFIX = "ROLLBACK_"


@frozen
class Variables:
    """``values``: the settings in the variables, as nested tables. ``names``: the variable that sets each place."""

    values: dict[str, Any]
    names: Mapping[Location, str]

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Variables:
        """Read the variables. Raises ``UsageError`` for a nested variable that names no setting."""
        names = _names(environ)
        if not names:
            return cls({}, {})
        # Imported late: pydantic-settings takes 25 ms, a twentieth of a rollback.
        from rollback_ops.config.env_source import VariablesSource

        return cls(VariablesSource(environ)(), names)

    def over(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the document with the values of the variables in it."""
        return _over(document, self.values)

    def source_of(self, place: Location, document: dict[str, Any], file: str) -> str:
        """Return the file or the variable that set the value at a place of the settings."""
        if not _reaches(self.values, place):
            parent = place[:-1]
            only_here = _reaches(self.values, parent) and not _reaches(document, parent)
            return self.source_of(parent, document, file) if only_here else file
        loose = tuple(_loose(part) for part in place)
        above = [self.names[loose[:length]] for length in range(len(loose), 0, -1) if loose[:length] in self.names]
        below = [name for where, name in self.names.items() if where[: len(loose)] == loose]
        name = one_line((above or below)[0])
        return f"{file} with {name}" if not above and _reaches(document, place) else name


def _names(environ: Mapping[str, str]) -> dict[Location, str]:
    names: dict[Location, str] = {}
    for variable, value in environ.items():
        head, *rest = variable.lower().removeprefix(_PREFIX.lower()).split("__")
        if not value or not variable.upper().startswith(_PREFIX):
            continue
        if head in Settings.model_fields:
            names[tuple(_loose(part) for part in (head, *rest))] = variable
        elif rest:
            known = [f"{_PREFIX}{name.upper()}__" for name in Settings.model_fields]
            meant = did_you_mean(f"{_PREFIX}{head.upper()}__", known)
            raise UsageError(f"{one_line(variable)}: is not a setting{meant}; settings begin with {' or '.join(known)}")
    return names


def _loose(key: str | int) -> str | int:
    """Normalize a key for comparison with the name of a variable, which has neither case nor dashes."""
    return key.lower().replace("-", "_") if isinstance(key, str) else key


def _over(document: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Merge values into a document. A key that the document already has keeps the document's spelling."""
    spelling = {_loose(key): key for key in document}
    merged = dict(document)
    for written, value in values.items():
        key = written if written in document else spelling.get(_loose(written), written)
        below = merged.get(key)
        merged[key] = _over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _reaches(tree: Any, place: Location) -> bool:
    for part in place:
        if isinstance(tree, dict):
            branches = {_loose(key): value for key, value in tree.items()}
            if _loose(part) not in branches:
                return False
            tree = branches[_loose(part)]
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            return False
    return True
