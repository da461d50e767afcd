"""Looks at a host that has no settings yet. It only reads."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rollback_ops.core.discovery import Discovery, Listener, Program, RunningProcess, Tree
from rollback_ops.core.errors import BadAnswer
from rollback_ops.hosts.transport import Transport

_WITHIN = 20.0
_LOOK = Path(__file__).with_name("look.sh")
_ARGV = re.compile(r"argv\[\]=(.*?) ; ")
_SECTION = re.compile(r"\[program:(.+)\]")


def discover(transport: Transport, root: str = "") -> Discovery:
    """Return the facts of a host. ``root`` is the root to look at; empty: every usual place.

    Raises ``HostUnreachable``, ``ConnectionLost``, and ``BadAnswer`` when the answer is not complete.
    """
    lines: list[str] = []
    command = " ".join(map(shlex.quote, ("sh", "-c", _LOOK.read_text(), "rollback-ops", root)))
    completed = transport.execute(command, lines.append, _WITHIN)
    if not lines or lines[-1] != "end":
        raise BadAnswer(f"{transport.name}: the search for services was not finished: {completed.stderr.strip()}")
    return parse(lines)


def parse(lines: Iterable[str]) -> Discovery:
    """Read the output of ``look.sh``. Lines that cannot be read are left out."""
    facts: dict[str, list[list[str]]] = defaultdict(list)
    trees: list[Tree] = []
    for line in lines:
        kind, *parts = line.split("\t")
        match kind, parts:
            case "tree", [root, current, live]:
                trees.append(Tree(root, current, live))
            case (("mark" | "entry" | "linked"), [name, *target]) if trees:
                trees[-1] = _with(trees[-1], kind, name, "".join(target))
            case _:
                facts[kind].append(parts)
    return Discovery(
        tuple(trees),
        (
            *_units("systemd", facts["systemd"]),
            *_units("systemd-user", facts["systemd-user"]),
            *_programs(facts["supervisor"]),
            *_apps(facts["pm2"]),
        ),
        tuple(_processes(facts["process"])),
        tuple(_listeners(facts["port"])),
    )


def _with(tree: Tree, kind: str, name: str, target: str) -> Tree:
    if kind == "mark":
        return replace(tree, marks=tree.marks | {name})
    linked = tree.linked | {name: target} if kind == "linked" else tree.linked
    return replace(tree, entries=tree.entries | {name}, linked=linked)


def _units(manager: str, facts: list[list[str]]) -> Iterator[Program]:
    """Yield the service units of ``systemctl show``, whose blocks end with an empty line."""
    block: dict[str, str] = {}
    for parts in [*facts, [""]]:
        key, _, value = parts[0].partition("=") if parts else ("", "", "")
        if key:
            block[key] = f"{block[key]} {value}" if key in block else value
        elif block:
            if unit := _unit(manager, block):
                yield unit
            block = {}


def _unit(manager: str, block: dict[str, str]) -> Program | None:
    name = block.get("Id", "").removesuffix(".service")
    found = _ARGV.search(block.get("ExecStart", ""))
    if not name or not found:
        return None
    files = [word for word in block.get("EnvironmentFiles", "").split() if word.startswith("/")]
    # WorkingDirectory may begin with "!" or "~" (systemd.exec(5)).
    directory = block.get("WorkingDirectory", "").lstrip("!")
    return Program(manager, name, directory, tuple(found[1].split()), tuple(files))


def _programs(facts: list[list[str]]) -> Iterator[Program]:
    name, keys = "", dict[str, str]()
    for parts in [*facts, ["[end:]"]]:
        line = parts[0] if parts else ""
        if not line.startswith("["):
            key, _, value = line.partition("=")
            keys[key.strip()] = value.strip()
            continue
        if name:
            yield Program("supervisor", name, keys.get("directory", ""), tuple(keys.get("command", "").split()))
        section = _SECTION.fullmatch(line)
        name, keys = section[1] if section else "", {}


def _apps(facts: list[list[str]]) -> Iterator[Program]:
    """Yield the programs of pm2, each once, however many processes it has."""
    for parts in dict.fromkeys(map(tuple, facts)):
        match parts:
            case (name, directory, file):
                yield Program("pm2", name, directory, (file,))


def _processes(facts: list[list[str]]) -> Iterator[RunningProcess]:
    for parts in facts:
        match parts:
            case [_, user, directory, group, sockets] if user.isdecimal():
                inodes = frozenset(int(word) for word in sockets.split() if word.isdecimal())
                yield RunningProcess(int(user), directory, group, inodes)


def _listeners(facts: list[list[str]]) -> Iterator[Listener]:
    for parts in facts:
        match parts:
            case [port, user, inode] if re.fullmatch("[0-9A-F]{1,4}", port) and (user + inode).isdecimal():
                yield Listener(int(port, 16), int(user), int(inode))
