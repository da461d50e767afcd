"""Values that describe hosts, releases and rollbacks. All are frozen; seconds are floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["standard", "emergency", "targeted"]
Trigger = Literal[
    "manual",
    "workflow",
    "deploy-failed",
    "verification-failed",
    "health-timeout",
    "log-error",
    "process-crash",
    "config-invalid",
    "database-unreachable",
    "metric-degraded",
    "unconfirmed",
    "drill",
]
# A person started the rollback; every other trigger is automatic.
PERSONAL_TRIGGERS: tuple[Trigger, ...] = ("manual", "workflow")
# The automatic triggers that a check can have.
AutomaticTrigger = Literal[
    "verification-failed",
    "health-timeout",
    "log-error",
    "process-crash",
    "config-invalid",
    "database-unreachable",
    "metric-degraded",
]
# finished: it ended with success, as it should. paused: a person froze it, for an unknown time.
UnitState = Literal["running", "starting", "paused", "stopping", "stopped", "finished", "failed", "missing", "unknown"]
LiveState = Literal["release", "missing", "dangling", "directory", "elsewhere"]
Mark = Literal["", "good", "bad"]
# The note of a run on a release: its verdict, or only that a rollback left it.
Note = Literal["good", "bad", "left"]
# What a person may say of a release. "clear": nothing any more.
Opinion = Literal["good", "bad", "clear"]
InstallOutcome = Literal["installed", "replaced", "unchanged"]
# What became of the break-glass program; purged: the state of the service is gone, too.
UninstallOutcome = Literal["removed", "absent", "purged"]
StepOutcome = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class ServiceId:
    """One service in one environment: what the state on a host belongs to."""

    service: str
    environment: str


@dataclass(frozen=True, slots=True)
class Release:
    """One directory under the releases directory, as a host sees it.

    ``problem`` says why the host would not run it (empty: nothing found). ``modified`` is in
    seconds since the epoch. ``size_kib`` is None when it was not asked for. What is known of when it became live:
    ``created`` (its directory, seconds since the epoch; 0 where the host cannot say), ``live_since`` (our first note
    that it was live; 0 for an unknown time, None without a note), ``logged`` (its place in a deployment tool's log,
    from 1; 0 where it is not in one). ``marked_by`` is the run that marked it, ``marked_why`` the reason. ``left_by``
    is the rollback that left it without evidence against it (empty: none did), ``left_why`` the reason.
    """

    name: str
    modified: float = 0.0
    revision: str = ""
    problem: str = ""
    mark: Mark = ""
    sealed: bool = False
    size_kib: int | None = None
    created: float = 0.0
    live_since: float | None = None
    logged: int = 0
    marked_by: str = ""
    marked_why: str = ""
    left_by: str = ""
    left_why: str = ""

    @property
    def was_left(self) -> bool:
        """Whether a rollback left it without evidence against it, and no verification has passed since."""
        return bool(self.left_by)

    @property
    def was_live(self) -> bool:
        """Whether anything says that it was ever live: a verification, a rollback, or a deployment tool's log."""
        return self.mark == "good" or self.was_left or self.live_since is not None or self.logged > 0


@dataclass(frozen=True, slots=True)
class BadRevision:
    """A revision that is marked bad. ``release`` had it, and may be deleted. ``run`` marked it, because of ``why``."""

    revision: str
    release: str = ""
    run: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """The state of the ``current`` link. ``name``: the release, when it is in the releases directory."""

    state: LiveState
    name: str = ""
    path: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit (or program, or container) of the service, in the same terms for all managers.

    ``blocker`` says why it could not be started again once it is stopped (empty: nothing found). ``old`` names a
    process that began before the service was started, and may still answer for it.
    """

    name: str
    state: UnitState
    pid: int = 0
    restarts: int = 0
    invocation: str = ""
    detail: str = ""
    blocker: str = ""
    old: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """A run's claim on a host. ``expires_in`` is in seconds, ``until`` by the host's own clock: renewing moves it."""

    run: str
    owner: str
    run_url: str = ""
    since: str = ""
    expires_in: float = 0.0
    until: str = ""


@dataclass(frozen=True, slots=True)
class HeldRelease:
    """A release that a hold is about, and its revision; empty where it has none."""

    release: str
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold: what must not be deployed, until when, and who set it. Times are in seconds since the epoch.

    ``id`` is the run that set it. ``releases``: those that were left; empty: everything. ``lifted_by``: who took it
    back, with ``lifted_because``; empty while nobody has. ``readable``: False where what a host keeps is damaged.
    """

    id: str
    by: str
    reason: str
    since: float
    until: float
    releases: tuple[HeldRelease, ...] = ()
    lifted_by: str = ""
    lifted_because: str = ""
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Armed:
    """A host that goes back to ``target`` by itself at ``until``, unless somebody confirms before."""

    run: str
    target: str
    until: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class ArmOrder:
    """What a host needs to go back by itself after ``seconds``.

    ``intent`` and ``hold`` are JSON objects without their ends: only then it is known what is left. ``hold`` is empty
    where none is to be set; its seconds, and ``bad`` or ``all``, stand behind it after tabs.
    """

    run: str
    seconds: float
    until: str
    owner: str
    run_url: str
    intent: str
    hold: str


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that a host began and did not finish. ``source`` is what ``current`` pointed at.

    ``left`` is the release into which that led; empty where a host does not say.
    """

    run: str
    source: str
    target: str
    left: str = ""

    @property
    def origin(self) -> str:
        """The name of the release that was live when the transaction began."""
        return self.left or self.source.rstrip("/").rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything that a plan needs to know about one host, read in one operation.

    ``blockers`` say why nothing can be changed there. ``warnings`` hold back everything but an
    emergency. ``deploying`` says that a deployment is under way: it holds back what does not ignore it. ``notes`` hold
    back nothing. ``reaches``: other units, and unit files, that a rollback reaches there. ``seconds`` is the duration
    of the survey.
    """

    host: str
    releases: tuple[Release, ...] = ()
    live: Live = Live("missing")
    units: tuple[Unit, ...] = ()
    lease: Lease | None = None
    unfinished: OpenTransaction | None = None
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reaches: tuple[str, ...] = ()
    deploying: tuple[str, ...] = ()
    seconds: float = 0.0
    bad_revisions: tuple[BadRevision, ...] = ()
    holds: tuple[Hold, ...] = ()
    armed: Armed | None = None

    @property
    def interrupted(self) -> OpenTransaction | None:
        """The unfinished transaction, unless another release was made live since."""
        found = self.unfinished
        if found and self.live.state == "release" and self.live.name not in (found.origin, found.target):
            return None
        return found

    @property
    def origin(self) -> str:
        """The release that a rollback leaves: the one that an interrupted transaction left, else the live one."""
        found = self.interrupted
        return found.origin if found else self.live.name

    def release(self, name: str) -> Release | None:
        return next((r for r in self.releases if r.name == name), None)


@dataclass(frozen=True, slots=True)
class Manager:
    """How to start and stop a service, as shell command lines for the agent.

    ``running`` and ``stopped`` are true or false for all units together, by their exit status.
    ``state`` prints text for the manager's ``parse``. ``kill`` ends processes that ``stop`` left.
    ``reset`` clears failures that would keep a good release from starting. ``needs`` are the
    commands that a user who is not root runs through ``sudo -n``. ``first_aid`` are the commands
    that a person should try on the host when nothing runs, in this order.

    Where a stop reaches other units: ``related`` shows the units whose names follow it, ``revive`` starts one that the
    stop pulled down, and ``reload`` makes the manager read its files again.

    The command lines find ``functions``, a shell text that they share, in ROLLBACK_FUNCTIONS.
    """

    kind: str
    stop: str
    kill: str
    reset: str
    start: str
    running: str
    stopped: str
    state: str
    logs: str
    related: str = ":"
    revive: str = ":"
    reload: str = ":"
    needs: tuple[str, ...] = ()
    first_aid: tuple[str, ...] = ()
    functions: str = ""


@dataclass(frozen=True, slots=True)
class StateReader:
    """How break-glass, which has no ``parse``, reads what ``Manager.state`` prints.

    ``identity`` is an extended regular expression for what changes when a unit is started again. ``unstartable`` is a
    script for ``sed -n`` that prints a line for each unit that could not be started.
    """

    identity: str = "no line has this"
    unstartable: str = ""


@dataclass(frozen=True, slots=True)
class SwitchOrder:
    """One transaction for one host.

    ``source`` is what ``current`` pointed at when the plan was made. A host where that has
    changed refuses. ``intent`` is the JSON line for the journal, written before any change.
    Without ``relink``, the target's links stay as they are; a restore leaves them as they were.
    With ``reset``, the manager first clears earlier failures, which can keep a good release from
    starting. With ``look``, the host looks for other units that the stop reaches, and for unit files in the release.
    """

    run: str
    source: str
    target: str
    owner: str
    intent: str
    run_url: str = ""
    break_lock: bool = False
    relink: bool = True
    reset: bool = True
    look: bool = True


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step that a host finished. ``seconds`` is the duration of the step."""

    name: str
    outcome: StepOutcome
    seconds: float
    detail: str = ""


SwitchOutcome = Literal[
    "switched", "not_started", "still_starting", "refused", "put_back", "failed", "superseded", "unknown"
]


@dataclass(frozen=True, slots=True)
class SwitchResult:
    """How a transaction ended on one host.

    ``switched``: the target is live and was started. ``not_started``: it is live and does not run.
    ``still_starting``: it is live, and its start was not over at ``limits.start``. ``refused``: nothing
    was changed. ``put_back``: the release that was live before runs again. ``superseded``: another run or a deployment
    took the host over. ``unknown``: the host could not be reached. ``units``: their states right after the start.
    ``locked``: it was refused because another run had the lock.
    """

    outcome: SwitchOutcome
    reason: str = ""
    live: str = ""
    steps: tuple[StepReport, ...] = ()
    downtime: float | None = None
    log_tail: tuple[str, ...] = ()
    units: tuple[Unit, ...] = ()
    locked: bool = False

    @property
    def undrained(self) -> str:
        """Why the load balancer sends no requests to the host after the start; empty when it does."""
        return next((step.detail for step in self.steps if (step.name, step.outcome) == ("undrain", "failed")), "")

    @property
    def target_is_live(self) -> bool:
        """Whether ``current`` leads to the target now, started or not."""
        return self.outcome in ("switched", "not_started", "still_starting")


@dataclass(frozen=True, slots=True)
class HostCommand:
    """A command that the agent runs for a check. ``timeout`` is in seconds.

    The command never changes, so that a restricted key can be bound to it. ``since`` is what may change: words of
    letters, digits, ``.``, ``:`` and ``-``, which the command finds in its fourth argument.
    """

    command: str
    timeout: float
    since: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command: its exit status (124: it took too long), duration in seconds and last lines."""

    status: int
    seconds: float
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inspection:
    """A release as inspected before the service is stopped.

    ``broken`` says how it differs from its manifest. ``answers``: results by the commands' positions.
    """

    sealed: bool = False
    broken: str = ""
    answers: Mapping[int, CommandResult] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The units of the service at one moment, and the results of the commands by their positions.

    ``live`` is the release that ``current`` leads to (empty: none), ``held`` whether the run that asks has the lease.
    None: an older agent, which does not say.
    """

    units: tuple[Unit, ...] = ()
    answers: Mapping[int, CommandResult] = field(default_factory=dict)
    live: str | None = None
    held: bool | None = None
