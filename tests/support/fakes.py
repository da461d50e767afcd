"""Servers and a listener that are made up: they implement our ports, and do what a test tells them to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Literal

from rollback_ops.core.comparison import Comparison
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.health import CheckResult, Finding, Verification
from rollback_ops.core.model import (
    Armed,
    ArmOrder,
    CommandResult,
    Hold,
    HostCommand,
    Inspection,
    InstallOutcome,
    Lease,
    Live,
    Mark,
    Note,
    OpenDrill,
    OpenTransaction,
    Opinion,
    Release,
    ServiceState,
    StepReport,
    Survey,
    SwitchOrder,
    SwitchOutcome,
    SwitchResult,
    UninstallOutcome,
    Unit,
)
from rollback_ops.core.ports import Stream
from rollback_ops.core.record import Record
from rollback_ops.core.schema import KnownSchema, SchemaAnswer

Events = list[tuple[str, str, str]]
ROOT = "/srv/bot"
NOWHERE = Live("missing")


def releases(*names: str, sealed: bool = False, **marks: Mark) -> tuple[Release, ...]:
    """Releases that were live once."""
    return tuple(
        Release(name, mark=marks.get(name, ""), revision=f"sha-{name}", sealed=sealed, live_since=0.0) for name in names
    )


def live_at(name: str) -> Live:
    return Live("release", name, f"{ROOT}/releases/{name}", f"sha-{name}")


def verification(*, healthy: bool, seconds: float = 1.0) -> Verification:
    """The verification of a host whose one check passed or failed."""
    finding = Finding("passed" if healthy else "failed")
    return Verification(healthy, seconds, (CheckResult("health", "http", finding, 0.0),))


def raising(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def hanging(until: threading.Event) -> Callable[[], None]:
    """Never answers, as long as the test lasts; the event lets go of the thread in the end."""

    def act() -> None:
        until.wait(30)

    return act


def _noted(run: str, release: Release, note: Note | Literal[""], why: str) -> Release:
    if note == "left":
        return replace(release, left_by=run, left_why=why)
    if note == "good":
        release = replace(release, left_by="", left_why="")
    return replace(release, mark=note, marked_by=run, marked_why=why) if note else release


@dataclass
class FakeHost:
    """A server that keeps its releases in memory.

    ``before`` is what happens when an operation arrives, before it does anything: it may raise, hang, or send a
    signal. ``ends`` is how a switch ends (``locked``: another run had the lock), ``broken`` which releases are not
    what was sealed, ``says`` the exit status of every question but those in ``answers``.
    ``events`` may be shared by several hosts and a listener: who did what, in order.
    """

    name: str = "h1"
    releases: tuple[Release, ...] = ()
    live: Live = NOWHERE
    units: tuple[Unit, ...] = (Unit("bot", "running", pid=7),)
    lease: Lease | None = None
    unfinished: OpenTransaction | None = None
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    ends: SwitchOutcome = "switched"
    locked: bool = False
    broken: Mapping[str, str] = field(default_factory=dict)
    says: int = 0
    answers: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    events: Events = field(default_factory=list)
    orders: list[SwitchOrder] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    asked: list[HostCommand] = field(default_factory=list)
    held: bool | None = None
    asked_by: list[str] = field(default_factory=list)
    dials: list[str] = field(default_factory=list)
    program: str = ""
    holds: tuple[Hold, ...] = ()
    armed: Armed | None = None
    drill: OpenDrill | None = None
    versions: tuple[str, ...] | None = ()
    knows: Mapping[str, KnownSchema] = field(default_factory=dict)
    compared: Comparison = field(default_factory=Comparison)
    in_directories: Comparison = field(default_factory=Comparison)
    connected: bool = True

    def staying_connected(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _begin(self, operation: str, about: str = "") -> None:
        self.events.append((self.name, operation, about))
        if act := self.before.get(operation):
            act()

    def survey(self, *, sizes: bool = False) -> Survey:
        self._begin("survey")
        return Survey(
            self.name,
            self.releases,
            self.live,
            self.units,
            self.lease,
            self.unfinished,
            self.blockers,
            self.warnings,
            holds=self.holds,
            armed=self.armed,
            drill=self.drill,
        )

    def inspect(self, release: str, questions: Sequence[HostCommand] = ()) -> Inspection:
        self._begin("inspect", release)
        self.asked += questions
        sealed = any(r.sealed for r in self.releases if r.name == release)
        return Inspection(sealed, self.broken.get(release, ""), self._answers(questions))

    def switch(self, order: SwitchOrder, on_step: Callable[[StepReport], None]) -> SwitchResult:
        self._begin("switch", order.target)
        self.orders.append(order)
        self.lines.append(order.intent)
        on_step(StepReport("stop", "ok", 0.1))
        if self.ends in ("switched", "not_started", "still_starting"):
            on_step(StepReport("switch", "ok", 0.01))
            self.live = live_at(order.target)
        self.events.append((self.name, "switched", order.target))
        known = "" if self.ends == "unknown" else self.live.name
        reason = "" if self.ends == "switched" else f"it {self.ends}"
        steps = (StepReport("stop", "ok", 0.1),)
        return SwitchResult(self.ends, reason, known, steps, downtime=0.2, locked=self.locked)

    def ask(self, run: str, questions: Sequence[HostCommand] = ()) -> ServiceState:
        self._begin("ask")
        self.asked_by.append(run)
        return ServiceState(self.units, self._answers(questions), self.live.name, self.held)

    def _answers(self, questions: Sequence[HostCommand]) -> dict[int, CommandResult]:
        return {
            number: CommandResult(self.answers.get(question.command, self.says), 0.01, ("what it said",))
            for number, question in enumerate(questions)
        }

    def dial(self, host: str, port: int, timeout: float) -> Stream:
        self.dials.append(f"{host}:{port}")
        raise ConnectionRefusedError(111, "Connection refused")

    def record(self, run: str, notes: Mapping[str, tuple[Note, str]], line: str, hold: Hold | None = None) -> None:
        self._begin("record", " ".join(f"{release}={note}" for release, (note, _) in sorted(notes.items())))
        self.releases = tuple(_noted(run, r, *notes.get(r.name, ("", ""))) for r in self.releases)
        self.lines.append(line)
        self.holds += (hold,) if hold else ()

    def arm(self, order: ArmOrder) -> Armed:
        self._begin("arm", order.run)
        self.armed = Armed(order.run, self.live.name, order.until, order.owner)
        return self.armed

    def confirm(self, run: str = "") -> bool:
        self._begin("confirm", run)
        if self.armed is None or run not in ("", self.armed.run):
            return False
        self.armed = None
        return True

    def schema(self, releases: Sequence[str], timeout: float | None) -> SchemaAnswer:
        self._begin("schema", " ".join(releases) if timeout is None else f"database {' '.join(releases)}")
        known = {name: self.knows[name] for name in releases if name in self.knows}
        return SchemaAnswer(self.versions, known, "" if self.versions is not None else "it ended with 1")

    def compare(self, left: str, target: str, seconds: float | None = None) -> Comparison:
        self._begin("compare", f"{left} {target}{' directories' if seconds else ''}")
        return self.in_directories if seconds else self.compared

    def write_holds(self, holds: Sequence[Hold], forget: Sequence[str] = ()) -> None:
        self._begin("hold", " ".join(hold.id for hold in holds))
        written = {hold.id: hold for hold in (*self.holds, *holds)}
        self.holds = tuple(hold for run, hold in written.items() if run not in forget)

    def logs(self) -> Sequence[str]:
        self._begin("logs")
        return ("the last thing that it wrote",)

    def journal(self) -> Sequence[str]:
        self._begin("journal")
        return list(self.lines)

    def mark_as(self, run: str, release: str, opinion: Opinion, reason: str) -> None:
        self._begin("mark", f"{release}={opinion}")

    def seal(self, release: str) -> int:
        self._begin("seal", release)
        return 1

    def install(self, text: str) -> InstallOutcome:
        self._begin("install")
        how: InstallOutcome = "unchanged" if self.program == text else "replaced" if self.program else "installed"
        self.program = text
        return how

    def uninstall(self, text: str, *, purge: bool) -> UninstallOutcome:
        self._begin("uninstall", "purge" if purge else "")
        had, self.program = self.program, ""
        return "purged" if purge else "removed" if had else "absent"

    def stamp(self) -> str:
        self._begin("stamp")
        return self.program.split("\n")[1] if self.program else ""

    def close(self) -> None:
        self._begin("close")

    def did(self, operation: str) -> list[str]:
        """The arguments of this operation here, one for each call."""
        return [about for host, done, about in self.events if (host, done) == (self.name, operation)]

    def mark(self, release: str) -> Mark:
        return next(r.mark for r in self.releases if r.name == release)


@dataclass
class Listener:
    """A Progress that remembers what it was told. ``hears`` is what happens when a phase begins.

    ``left_to_itself`` is set when it was told that hosts are at work.
    """

    events: Events = field(default_factory=list)
    hears: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    provisional: list[Record] = field(default_factory=list)
    left_to_itself: threading.Event = field(default_factory=threading.Event)

    def phase(self, name: str, detail: str, hosts: int = 0) -> None:
        self.events.append(("phase", name, detail))
        if act := self.hears.get(name):
            act()

    def changing(self, record: Record) -> None:
        self.provisional.append(record)

    def at_work(self) -> None:
        self.left_to_itself.set()

    def changed(self) -> None:
        self.events.append(("reported", "changed", ""))

    def lost(self, host: str, error: RollbackOpsError) -> None:
        self.events.append((host, "reported lost", error.message))

    def step(self, host: str, step: StepReport) -> None:
        self.events.append((host, "reported step", step.name))

    def switched(self, host: str, result: SwitchResult) -> None:
        self.events.append((host, "reported switched", result.outcome))

    def waiting(self, host: str, seconds: float, within: float, missing: str) -> None:
        self.events.append((host, "reported waiting", missing))

    def verified(self, host: str, found: Verification) -> None:
        self.events.append((host, "reported verified", found.verdict))

    def logs(self, host: str, lines: Sequence[str]) -> None:
        self.events.append((host, "reported logs", str(len(lines))))

    @property
    def phases(self) -> list[str]:
        return [name for what, name, _ in self.events if what == "phase"]
