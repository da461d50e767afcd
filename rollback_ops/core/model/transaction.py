"""Orders and commands for a host, and its results. All are frozen; seconds are floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from rollback_ops.core.frozen import frozen
from rollback_ops.core.model.survey import Unit
from rollback_ops.core.model.words import StepOutcome, SwitchOutcome


@frozen
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


@frozen
class StateReader:
    """How break-glass, which has no ``parse``, reads what ``Manager.state`` prints.

    ``identity`` is an extended regular expression for what changes when a unit is started again. ``unstartable`` is a
    script for ``sed -n`` that prints a line for each unit that could not be started. ``down`` is for ``sed -nE``: it
    prints ``stopped`` for units that are stopped or have failed, and ``crashed`` for those that start after a crash.
    ``restarts`` is for ``sed -nE``, too: it prints how often the manager started each unit again after a crash.
    """

    identity: str = "no line has this"
    unstartable: str = ""
    down: str = ""
    restarts: str = ""


@frozen
class ArmOrder:
    """An order to go back by itself after ``seconds``.

    ``intent`` and ``hold`` are JSON objects without their ends: the host completes them when it goes back, since only
    then is it known which release it leaves. ``hold`` is empty where none is to be set; else its duration in seconds,
    and ``bad`` or ``all``, follow it after tabs.
    """

    run: str
    seconds: float
    until: str
    owner: str
    run_url: str
    intent: str
    hold: str


@frozen
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


@frozen
class StepReport:
    """One step that a host finished. ``seconds`` is the duration of the step."""

    name: str
    outcome: StepOutcome
    seconds: float
    detail: str = ""


@frozen
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


@frozen
class HostCommand:
    """A command that the agent runs for a check. ``timeout`` is in seconds.

    The command never changes, so that a restricted key can be bound to it. ``since`` is what may change: words of
    letters, digits, ``.``, ``:`` and ``-``, which the command finds in its fourth argument.
    """

    command: str
    timeout: float
    since: tuple[str, ...] = ()


@frozen
class CommandResult:
    """The result of a command: its exit status (124: it took too long), duration in seconds and last lines."""

    status: int
    seconds: float
    lines: tuple[str, ...] = ()


@frozen
class Inspection:
    """A release as inspected before the service is stopped.

    ``broken`` says how it differs from its manifest. ``answers``: results by the commands' positions.
    """

    sealed: bool = False
    broken: str = ""
    answers: Mapping[int, CommandResult] = field(default_factory=dict)


@frozen
class ServiceState:
    """The units of the service at one moment, and the results of the commands by their positions.

    ``live`` is the release that ``current`` leads to (empty: none), ``held`` whether the run that asks has the lease.
    None: an older agent, which does not say.
    """

    units: tuple[Unit, ...] = ()
    answers: Mapping[int, CommandResult] = field(default_factory=dict)
    live: str | None = None
    held: bool | None = None
