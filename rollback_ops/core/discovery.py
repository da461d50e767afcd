"""The facts of a host that has no settings yet: trees of releases, and the programs that run from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from pathlib import PurePosixPath

from rollback_ops.core.frozen import frozen


@frozen
class Tree:
    """A root whose link ``current`` leads to the directory ``live``, relative to the root.

    ``marks`` are the files of deployment tools in the root. ``entries`` are the names in the live release, and
    ``linked`` those of them that are links, with where they lead.
    """

    root: str
    current: str
    live: str
    marks: frozenset[str] = frozenset()
    entries: frozenset[str] = frozenset()
    linked: dict[str, str] = field(default_factory=dict)

    def holds(self, path: str) -> bool:
        """Return whether an absolute path lies in the root."""
        return PurePosixPath(path).is_relative_to(self.root)


@frozen
class Program:
    """A unit of systemd, or a program of supervisord, with the words of what it starts.

    ``manager`` is the word of the settings. ``directory`` is where it runs, and ``paths`` are other files it names.
    """

    manager: str
    name: str
    directory: str = ""
    command: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@frozen
class RunningProcess:
    """``group`` is its control group, and ``sockets`` the inodes of its sockets, where we may see them."""

    user: int
    directory: str
    group: str
    sockets: frozenset[int] = frozenset()


@frozen
class Listener:
    """A TCP port that accepts connections, the user whose it is, and the inode of the socket."""

    port: int
    user: int
    inode: int


@frozen
class Discovery:
    """Everything that was found on one host."""

    trees: tuple[Tree, ...] = ()
    programs: tuple[Program, ...] = ()
    processes: tuple[RunningProcess, ...] = ()
    listeners: tuple[Listener, ...] = ()

    def programs_of(self, tree: Tree) -> tuple[Program, ...]:
        """Return the programs that run from a tree: their directory, command or a named file lies there."""
        return tuple(
            each for each in self.programs if any(map(tree.holds, (each.directory, *each.command, *each.paths)))
        )

    def ports_of(self, program: Program, tree: Tree) -> tuple[int, ...]:
        """Return the ports of a program, the lowest first.

        They are those of its processes; where their sockets cannot be seen, those of the user that they run as.
        """
        own = [each for each in self.processes if _belongs(each, program, tree)]
        sockets = frozenset[int]().union(*(each.sockets for each in own))
        users = {each.user for each in own} - {0}
        seen = {each.port for each in self.listeners if each.inode in sockets}
        return tuple(sorted(seen or {each.port for each in self.listeners if each.user in users}))


def _belongs(process: RunningProcess, program: Program, tree: Tree) -> bool:
    if program.manager in ("systemd", "systemd-user"):
        return f"/{program.name}.service" in process.group
    return tree.holds(process.directory)


def words_in(tree: Tree, program: Program) -> Iterator[str]:
    """Yield the files of the live release that are in a program's command line, relative to the release."""
    current = PurePosixPath(tree.root, tree.current)
    for word in program.command:
        path = PurePosixPath(word)
        if path.is_relative_to(current) and path != current:
            yield str(path.relative_to(current))
        elif program.directory and PurePosixPath(program.directory) == current and word in tree.entries:
            yield word
