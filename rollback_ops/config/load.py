"""Read rollback.toml, apply the ``ROLLBACK_*`` variables, and report all problems in one message."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rollback_ops.config.env import Variables
from rollback_ops.config.naming import unknown_services
from rollback_ops.config.problems import problems_in
from rollback_ops.config.schema import Settings
from rollback_ops.config.sharing import shared_links
from rollback_ops.core.errors import UsageError
from rollback_ops.core.text import holds_a_secret, names_a_secret, one_line, short

DEFAULT_PATH = Path("rollback.toml")

_MOST_PROBLEMS = 10
_MOST_BYTES = 256 * 1024
_TOML_ERROR = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)


def settings_path(environ: Mapping[str, str], option: Path | None = None) -> Path:
    """Return the file to read: ``--config``, else ``ROLLBACK_CONFIG``, else rollback.toml in the current directory."""
    return option or Path(environ.get("ROLLBACK_CONFIG") or DEFAULT_PATH)


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Load the settings from a file and from the nested ``ROLLBACK_*`` variables; the variables win.

    Raises ``UsageError``, with up to ten problems in one message, when the settings are not valid.
    """
    shown = one_line(str(path))
    try:
        return _load(path, shown, environ)
    except RecursionError:
        raise UsageError(f"{shown}: the settings are nested too deeply") from None


def _load(path: Path, shown: str, environ: Mapping[str, str]) -> Settings:
    document = _parse(_read(path, shown), shown)
    variables = Variables.read(environ)
    try:
        settings = Settings.model_validate(variables.over(document), by_alias=True, by_name=False)
    except ValidationError as error:
        problems = problems_in(error, lambda place: variables.source_of(place, document, shown))
        raise UsageError(_summary(problems)) from None
    if problems := [*shared_links(settings), *unknown_services(settings)]:
        raise UsageError(f"{shown}: {_summary(problems)}")
    return settings


def _read(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise UsageError(f"{shown}: is too large for settings: the limit is {_MOST_BYTES // 1024} KiB")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(
            f"{shown}: there is no such file",
            "Start the command in the directory of rollback.toml, or name the file with --config or ROLLBACK_CONFIG.",
        ) from None
    except IsADirectoryError:
        raise UsageError(f"{shown}: is a directory, not a file") from None
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{shown}: line {line} is not UTF-8; save the file as UTF-8") from None
    except ValueError:
        raise UsageError(f"{shown}: is not a valid file name") from None


def _parse(text: str, shown: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise UsageError(f"{shown}: {_syntax_error(text, str(error))}") from None


def _syntax_error(text: str, message: str) -> str:
    found = _TOML_ERROR.fullmatch(message)
    if found is None:
        return "not valid TOML: a number has too many digits"
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
    shown = problems[:_MOST_PROBLEMS]
    more = [f"and {len(problems) - len(shown)} more"] if len(problems) > len(shown) else []
    return "\n  ".join([f"the settings have {len(problems)} problems:", *shown, *more])
