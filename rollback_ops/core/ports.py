"""What the story needs of the outside world. Real ones live in the rooms; tests bring their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.health import Verification
from rollback_ops.core.model import (
    Inspection,
    Installed,
    Mark,
    Observation,
    Question,
    StepReport,
    Survey,
    SwitchOrder,
    SwitchResult,
)

if TYPE_CHECKING:
    from rollback_ops.core.record import Record


class Stream(Protocol):
    """As much of a connected socket as a client needs."""

    def sendall(self, data: bytes, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def settimeout(self, seconds: float | None, /) -> None: ...
    def close(self) -> None: ...


class Host(Protocol):
    """One server that runs the service.

    Every method may raise ``HostUnreachable`` (nothing happened), ``ConnectionLost`` (not known what did)
    or ``BadAnswer``; ``switch`` answers for a lost connection itself.
    """

    @property
    def name(self) -> str:
        """The host as people wrote it in the settings."""

    def survey(self, *, sizes: bool = False) -> Survey:
        """Look at everything that a plan needs; ``sizes`` also measures each release."""

    def inspect(self, release: str, questions: Sequence[Question] = ()) -> Inspection:
        """Compare a release with its manifest, and ask the questions inside it."""

    def switch(self, order: SwitchOrder, on_step: Callable[[StepReport], None]) -> SwitchResult:
        """Carry the transaction out, telling each step as it ends."""

    def ask(self, run: str, questions: Sequence[Question] = ()) -> Observation:
        """How the service is now; keeps the lease of ``run`` (may be empty) alive."""

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        """A TCP connection as this host sees it. Raises ``OSError`` where nothing accepts."""

    def logs(self) -> Sequence[str]:
        """The last lines that the service wrote."""

    def record(self, run: str, marks: Mapping[str, Mark], line: str) -> None:
        """Mark releases, append a line to the journal, and let the lease of ``run`` go."""

    def journal(self) -> Sequence[str]:
        """The journal's lines, oldest first."""

    def seal(self, release: str) -> int:
        """Write the manifest of a release; the number of files in it."""

    def install(self, text: str) -> Installed:
        """Put the program there for people on the host; what became of the file that was there."""

    def stamp(self) -> str:
        """The second line of the program that is installed there; empty where none is."""

    def close(self) -> None:
        """Let go of the connection. Never raises."""


class Progress(Protocol):
    """Who is told what happens, as it happens. Called from several threads."""

    def phase(self, name: str, detail: str) -> None:
        """A part of the story begins."""

    def changing(self, provisional: Record, /) -> None:
        """Hosts are about to be changed; this is the record if nobody is left to write another."""

    def changed(self) -> None:
        """What was to be done on the hosts is done: what needs time of this machine may begin."""

    def lost(self, host: str, error: RollbackOpsError) -> None:
        """A host cannot take part."""

    def step(self, host: str, step: StepReport) -> None:
        """A host finished one step of its transaction."""

    def switched(self, host: str, result: SwitchResult) -> None:
        """A host's transaction ended."""

    def verified(self, host: str, found: Verification) -> None:
        """A host's verification ended."""

    def logs(self, host: str, lines: Sequence[str]) -> None:
        """The last lines of a service that is not well."""
