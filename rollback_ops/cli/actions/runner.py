"""The interface of the GitHub Actions runner: commands in a step's output, and the files that it names.

Its two ways to write a command (github.com/actions/runner, ``ActionCommand``): ``::name properties::data`` at the
start of a line, after any space, and ``##[name properties]data`` anywhere in one.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TextIO

from rollback_ops.core.text import one_line, short

Level = Literal["error", "warning", "notice"]

# Masking shorter secrets would hide half of the log.
_SHORTEST_MASK = 4
_LONGEST_MESSAGE = 2_000
_LONGEST_TITLE = 200
_PEM = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]+-----")
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def command(name: str, data: str = "", **properties: str) -> str:
    """Format one command as one line, whatever its data holds."""
    told = ",".join(f"{key}={value.translate(_PROPERTY)}" for key, value in properties.items())
    return f"::{name}{' ' if told else ''}{told}::{data.translate(_DATA)}"


def harmless(line: str) -> str:
    """Put a backslash before what the runner, or GitHub's view of a log, would read as a command."""
    line = line.replace("##[", "##\\[")
    text = line.lstrip()
    return f"{line[: len(line) - len(text)]}\\{text}" if text.startswith("::") else line


def masks(known: Iterable[str]) -> list[str]:
    """Return an ``add-mask`` command for each line of each secret: the runner masks single lines only."""
    lines = [line.strip() for secret in known for line in re.split(r"[\r\n]", secret)]
    return [
        command("add-mask", line)
        for line in dict.fromkeys(lines)
        if len(line) >= _SHORTEST_MASK and not _PEM.fullmatch(line)
    ]


def annotation(level: Level, title: str, lines: Iterable[str]) -> str:
    """Format an annotation, which stands at the top of the run's page, as plain text."""
    message = "\n".join(harmless(one_line(part)) for line in lines for part in line.split("\n"))
    return command(level, short(message, _LONGEST_MESSAGE), title=short(harmless(one_line(title)), _LONGEST_TITLE))


class StepLog:
    """A step's output as the runner reads it: our commands, and everything else inside a fence.

    The runner stops to look for commands until it reads a token that nobody can guess, a new one each time. A command
    of ours leaves the fence and is back in it with one write, so that no other thread comes between. ``before`` is
    the other output, which is written out first where the two are one.
    """

    def __init__(self, stream: TextIO, before: TextIO) -> None:
        self._stream = stream
        self._before = before
        self._token = ""
        self._in_group = False
        self._lock = threading.Lock()

    def begin(self, known: Iterable[str]) -> None:
        """Mask the secrets, and close the fence."""
        self.tell(*masks(known))

    def group(self, title: str) -> None:
        """Begin a group of the log with this title. The page can fold it."""
        opened = command("group", short(harmless(one_line(title)), _LONGEST_TITLE))
        self._write([*self._left_group(), opened], fenced=True)
        self._in_group = True

    def ungroup(self) -> None:
        self._write(self._left_group(), fenced=True)

    def tell(self, *commands: str) -> None:
        self._write([*self._left_group(), *commands], fenced=True)

    def end(self, *commands: str) -> None:
        """Leave the fence for the last time."""
        self._write([*self._left_group(), *commands], fenced=False)

    def _left_group(self) -> list[str]:
        left = [command("endgroup")] if self._in_group else []
        self._in_group = False
        return left

    def _write(self, commands: list[str], *, fenced: bool) -> None:
        with self._lock:
            opened = [command(self._token)] if self._token else []
            self._token = secrets.token_hex(24) if fenced else ""
            closed = [command("stop-commands", self._token)] if fenced else []
            self._before.flush()
            self._stream.write("".join(f"{line}\n" for line in (*opened, *commands, *closed)))
            self._stream.flush()


def write_outputs(environ: Mapping[str, str], values: Mapping[str, str], delimiter: str = "") -> list[str]:
    """Set the step's outputs. Returns the problems. Without the runner's file nothing happens.

    A value that contains the delimiter could go on with outputs of its own: it is left out.
    """
    delimiter = delimiter or f"end-{secrets.token_hex(24)}"
    forged = [name for name, value in values.items() if delimiter in value]
    text = "".join(
        f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in values.items() if name not in forged
    )
    problems = [f"the output {name} was left out: its value contains the delimiter" for name in forged]
    return problems + _append(environ, "GITHUB_OUTPUT", text, "the outputs were not set")


def write_summary(environ: Mapping[str, str], markdown: str) -> list[str]:
    """Add to the summary of the job. Returns the problems."""
    return _append(environ, "GITHUB_STEP_SUMMARY", markdown, "the summary was not written")


def _append(environ: Mapping[str, str], variable: str, text: str, problem: str) -> list[str]:
    path = Path(environ.get(variable, ""))
    try:
        if path.is_file():
            with path.open("a", encoding="utf-8", errors="backslashreplace", newline="") as file:
                file.write(text)
    except (OSError, ValueError) as error:
        return [f"{problem}: {getattr(error, 'strerror', None) or 'the name of its file is not valid'}"]
    return []


def repository_url(environ: Mapping[str, str]) -> str:
    """Return the page of the repository; empty where it is unknown or not a plain address."""
    url = f"{environ.get('GITHUB_SERVER_URL', '')}/{environ.get('GITHUB_REPOSITORY', '')}"
    return url if re.fullmatch(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?/[\w.-]+/[\w.-]+", url, re.ASCII) else ""
