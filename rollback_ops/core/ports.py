"""The ports: what the engine needs of the outside world. ``hosts`` and ``cli`` implement them; tests bring fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.health import Verification
from rollback_ops.core.model import (
    Armed,
    ArmOrder,
    Hold,
    HostCommand,
    Inspection,
    InstallOutcome,
    Note,
    Opinion,
    ServiceState,
    StepReport,
    Survey,
    SwitchOrder,
    SwitchResult,
    UninstallOutcome,
)

if TYPE_CHECKING:
    from rollback_ops.core.comparison import Comparison
    from rollback_ops.core.record import Record
    from rollback_ops.core.schema import SchemaAnswer


class Stream(Protocol):
    """The part of a connected socket that a client needs."""

    def sendall(self, data: bytes, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def settimeout(self, seconds: float | None, /) -> None: ...
    def close(self) -> None: ...


class Host(Protocol):
    """One server that runs the service.

    Every method may raise ``HostUnreachable`` (nothing happened), ``ConnectionLost`` (unknown what happened)
    or ``BadAnswer``; ``switch`` answers for a lost connection itself.
    """

    @property
    def name(self) -> str:
        """The host as the settings spell it."""

    @property
    def connected(self) -> bool:
        """Whether it has a connection, as far as is known: another operation needs no login."""

    def staying_connected(self) -> AbstractContextManager[None]:
        """Give its connection to no other host while the ``with`` block lasts."""

    def survey(self, *, sizes: bool = False) -> Survey:
        """Read everything that a plan needs; ``sizes`` also measures each release."""

    def inspect(self, release: str, questions: Sequence[HostCommand] = ()) -> Inspection:
        """Compare a release with its manifest, and run the questions' commands inside it."""

    def switch(self, order: SwitchOrder, on_step: Callable[[StepReport], None]) -> SwitchResult:
        """Run the transaction, and report each step as it ends."""

    def ask(self, run: str, questions: Sequence[HostCommand] = ()) -> ServiceState:
        """Observe the service now. Renews the lease of ``run`` (may be empty)."""

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        """Open a TCP connection from this host. Raises ``OSError`` when nothing accepts it."""

    def logs(self) -> Sequence[str]:
        """Return the last lines that the service wrote."""

    def record(self, run: str, notes: Mapping[str, tuple[Note, str]], line: str, hold: Hold | None = None) -> None:
        """Note how releases were found, and why; append a line to the journal, set a hold, and release the lease.

        Raises ``Refused`` when the line could not be written.
        """

    def arm(self, order: ArmOrder) -> Armed:
        """Let the host go back by itself, unless somebody confirms. Raises ``Refused`` when that is not possible."""

    def confirm(self, run: str = "") -> bool:
        """Disarm the host: its live release stays. Returns whether it was armed, by this run where one is given."""

    def schema(self, releases: Sequence[str], timeout: float | None) -> SchemaAnswer:
        """Ask for the database's versions, within ``timeout`` seconds (None: not), and for what releases know."""

    def compare(self, left: str, target: str, seconds: float | None = None) -> Comparison:
        """Compare the release that a rollback leaves with its target.

        Without ``seconds``: lists of files from their manifests, and files of dependencies and settings. With it: all
        files, in the directories, as far as so many seconds allow.
        """

    def write_holds(self, holds: Sequence[Hold], forget: Sequence[str] = ()) -> None:
        """Write holds to the host, and remove others. Raises ``Refused`` when that fails."""

    def journal(self) -> Sequence[str]:
        """Return the journal's lines, oldest first."""

    def mark_as(self, run: str, release: str, opinion: Opinion, reason: str) -> None:
        """Mark a release as a person says, with the reason. Raises ``Refused`` when that is not possible."""

    def seal(self, release: str) -> int:
        """Write the manifest of a release. Returns the number of files in it. Raises ``Refused`` when that fails."""

    def install(self, text: str) -> InstallOutcome:
        """Install the break-glass program. Returns what became of the file that was there."""

    def uninstall(self, text: str, *, purge: bool) -> UninstallOutcome:
        """Remove the break-glass program, which ``text`` is; ``purge`` also removes marks, seals, holds and journal."""

    def stamp(self) -> str:
        """Return the stamp (the second line) of the installed break-glass program; empty where there is none."""

    def close(self) -> None:
        """Close the connection. Never raises."""


class Announcer(Protocol):
    """Tells others of a rollback: the record file, the team, GitHub. Never raises, and delays nothing."""

    def changing(self, provisional: Record, /) -> None:
        """Hosts are about to be changed. The provisional record holds if the program is killed."""

    def at_work(self) -> None:
        """Hosts carry out their orders: work that takes time only on this machine delays none of them now."""

    def changed(self) -> None:
        """Hosts were changed and are being verified: this machine has time for other work."""


class Progress(Protocol):
    """Shows what happens, as it happens. Called from several threads."""

    def phase(self, name: str, detail: str, hosts: int = 0) -> None:
        """A phase of the run begins. ``hosts``: of how many hosts an end is to be expected."""

    def lost(self, host: str, error: RollbackOpsError) -> None:
        """A host cannot be surveyed."""

    def at_work(self) -> None:
        """Hosts carry out their orders; see ``Announcer.at_work``."""

    def step(self, host: str, step: StepReport) -> None:
        """A host finished one step of its transaction."""

    def switched(self, host: str, result: SwitchResult) -> None:
        """A host's transaction ended."""

    def waiting(self, host: str, seconds: float, within: float, missing: str) -> None:
        """A verification has gone on for ``seconds`` of ``within``; ``missing`` says what it waits for."""

    def verified(self, host: str, found: Verification) -> None:
        """A host's verification ended."""

    def logs(self, host: str, lines: Sequence[str]) -> None:
        """The last log lines of an unhealthy service."""


class Silent:
    """A ``Progress`` that shows nothing, for commands that show only their result."""

    def phase(self, name: str, detail: str, hosts: int = 0) -> None:
        pass

    def lost(self, host: str, error: RollbackOpsError) -> None:
        pass

    def at_work(self) -> None:
        pass

    def step(self, host: str, step: StepReport) -> None:
        pass

    def switched(self, host: str, result: SwitchResult) -> None:
        pass

    def waiting(self, host: str, seconds: float, within: float, missing: str) -> None:
        pass

    def verified(self, host: str, found: Verification) -> None:
        pass

    def logs(self, host: str, lines: Sequence[str]) -> None:
        pass
