"""Reads a step's output as the runner of GitHub Actions does.

Written after its source (github.com/actions/runner, ``ActionCommand.cs`` and ``ActionCommandManager.cs``): names of
commands have no case, ``::name::`` counts after leading space, ``##[name]`` anywhere in a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_STOP = "stop-commands"
_COMMANDS = {
    *(_STOP, "add-mask", "add-path", "set-env", "set-output", "save-state", "add-matcher", "remove-matcher"),
    *("error", "warning", "notice", "debug", "group", "endgroup", "echo", "internal-set-repo-path"),
}


@dataclass
class PseudoRunner:
    """``obeyed``: the commands that it carried out, as (name, properties, data). ``log``: the lines that it shows."""

    obeyed: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    masked: list[str] = field(default_factory=list)
    stopped: str = ""

    def read(self, output: str) -> PseudoRunner:
        for line in re.split(r"\r\n|\r|\n", output):
            self._line(line)
        return self

    def names(self) -> list[str]:
        return [name for name, _, _ in self.obeyed]

    def told(self, name: str) -> list[str]:
        return [data for each, _, data in self.obeyed if each == name]

    def _line(self, line: str) -> None:
        found = _modern(line) or _old(line)
        known = _COMMANDS | ({self.stopped.lower()} if self.stopped else set())
        if found is None or found[0] not in known:
            self._show(line)
        elif self.stopped:
            if found[0] == self.stopped.lower():
                self.stopped = ""
            else:
                self._show(line)
        elif found[0] == _STOP:
            self.stopped = found[2]
            self.tokens.append(found[2])
        elif found[0] == "add-mask":
            self.masked.append(found[2])
        else:
            self.obeyed.append(found)

    def _show(self, line: str) -> None:
        for secret in self.masked:
            line = line.replace(secret, "***")
        self.log.append(line)


def _modern(line: str) -> tuple[str, dict[str, str], str] | None:
    head, separator, data = line.lstrip().removeprefix("::").partition("::")
    return _parsed(head, ",", data, ":,") if line.lstrip().startswith("::") and separator else None


def _old(line: str) -> tuple[str, dict[str, str], str] | None:
    head, separator, data = line.partition("##[")[2].partition("]")
    return _parsed(head, ";", data, ";]") if separator else None


def _parsed(head: str, between: str, data: str, escaped: str) -> tuple[str, dict[str, str], str]:
    name, _, properties = head.partition(" ")
    pairs = [pair.partition("=") for pair in properties.split(between) if pair.strip()]
    return name.lower(), {key.strip(): _plain(value, escaped) for key, _, value in pairs}, _plain(data, "")


def _plain(text: str, also: str) -> str:
    for character in f"\r\n{also}%":
        text = text.replace(f"%{ord(character):02X}", character)
    return text


def outputs(file: str) -> dict[str, str]:
    """Return a step's outputs, from the lines of the file that GITHUB_OUTPUT names."""
    found: dict[str, str] = {}
    lines = iter(file.split("\n"))
    for line in lines:
        name, heredoc, end = line.partition("<<")
        if heredoc:
            found[name] = "\n".join(_until(lines, end))
        elif line:
            name, _, found[name] = line.partition("=")
    return found


def _until(lines: Iterable[str], end: str) -> Iterable[str]:
    for line in lines:
        if line == end:
            return
        yield line
    raise AssertionError(f"{end} never came: the runner refuses the whole file")
