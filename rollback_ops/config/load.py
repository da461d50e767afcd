"""Reads rollback.toml, lays the ``ROLLBACK_*`` variables over it, and says in one message all that is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rollback_ops.config.env import Variables
from rollback_ops.config.problems import complaints
from rollback_ops.config.schema import Settings
from rollback_ops.core.errors import UsageError
from rollback_ops.core.text import holds_a_secret, names_a_secret, one_line, short

DEFAULT_PATH = Path("rollback.toml")

_MOST_COMPLAINTS = 10
_MOST_BYTES = 256 * 1024
_MOST_DOTS = 200
_TOO_DEEP = "the settings are nested too deeply"
_TOML_ERROR = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)


def settings_path(environ: Mapping[str, str], option: Path | None = None) -> Path:
    """The file to read: ``--config``, else ``ROLLBACK_CONFIG``, else rollback.toml where the command was started."""
    return option or Path(environ.get("ROLLBACK_CONFIG") or DEFAULT_PATH)


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of a file and of the nested ``ROLLBACK_*`` variables, of which the variables win.

    Raises ``UsageError``, with up to ten problems in one message, when anything is wrong with them.
    """
    shown = one_line(str(path))
    try:
        return _load(path, shown, environ)
    except RecursionError:
        raise UsageError(f"{shown}: {_TOO_DEEP}") from None


def _load(path: Path, shown: str, environ: Mapping[str, str]) -> Settings:
    document = _parse(_read(path, shown), shown)
    variables = Variables.read(environ)
    try:
        return Settings.model_validate(variables.over(document), by_alias=True, by_name=False)
    except ValidationError as error:
        problems = complaints(error, lambda place: variables.source_of(place, document, shown))
        raise UsageError(_summary(problems)) from None


def _read(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise UsageError(f"{shown}: has more than {_MOST_BYTES // 1024} KiB, and settings never do")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(
            f"{shown}: there is no such file",
            "Start the command where rollback.toml is, or name the file with --config or ROLLBACK_CONFIG.",
        ) from None
    except IsADirectoryError:
        raise UsageError(f"{shown}: is a directory, not a file") from None
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{shown}: line {line} is not UTF-8, which TOML has to be") from None
    except ValueError:
        raise UsageError(f"{shown}: is not the name of a file") from None


def _parse(text: str, shown: str) -> dict[str, Any]:
    # A key of n parts costs the parser n² of time and memory.
    if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
        raise UsageError(f"{shown}: {_TOO_DEEP}")
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise UsageError(f"{shown}: {_syntax_error(text, str(error))}") from None


def _syntax_error(text: str, message: str) -> str:
    found = _TOML_ERROR.fullmatch(message)
    if found is None:
        return "not TOML: a number in it has too many digits"
    lines = text.replace("\r\n", "\n").split("\n")
    number = int(found["line"] or len(lines))
    line = lines[number - 1].rstrip()
    column = int(found["column"] or len(line) + 1)
    secret = "-----BEGIN" in text or names_a_secret(line) or holds_a_secret(line)
    excerpt = "(not shown: it may hold a secret)" if secret else one_line(short(line, 100))
    return f"line {number}, column {column}: {one_line(short(found['what'], 200))}\n  {number} | {excerpt}"


def _summary(problems: list[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    shown = problems[:_MOST_COMPLAINTS]
    more = [f"and {len(problems) - len(shown)} more"] if len(problems) > len(shown) else []
    return "\n  ".join([f"the settings have {len(problems)} problems:", *shown, *more])
