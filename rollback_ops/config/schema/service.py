"""The table of a service, and those inside it."""

from typing import Literal, Self

from pydantic import Field, model_validator

from rollback_ops.config.schema.checks import (
    Check,
    LogsCheck,
    MetricCheck,
)
from rollback_ops.config.schema.section import Section
from rollback_ops.config.types import (
    Command,
    HoldSpan,
    Limit,
    MigrationPattern,
    Name,
    PathInRelease,
    PathInRoot,
    Pattern,
    Project,
    RequiredPath,
    Root,
    Seconds,
    SecretPattern,
    Trusted,
    Units,
)
from rollback_ops.core.health import Thresholds
from rollback_ops.core.hold import AfterRollback
from rollback_ops.core.order import Order

MessageFormat = Literal["slack", "teams", "json"]
Event = Literal["start", "success", "failure"]

_JOURNALED = ("systemd", "systemd-user")
# The least part of limits.total that is kept for the start where limits.start is not set.
_LEAST_START = 0.1


class Verify(Section):
    healthy_deadline: Seconds = 20.0
    min_healthy_time: Seconds = 3.0
    interval: Limit = 0.1
    success_threshold: int = Field(1, ge=1, le=100)
    failure_threshold: int = Field(3, ge=1, le=100)
    on_failure: Literal["report", "restore", "older"] = "report"
    max_older: int = Field(3, ge=1, le=20)

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(
            self.interval, self.min_healthy_time, self.healthy_deadline, self.success_threshold, self.failure_threshold
        )

    @model_validator(mode="after")
    def _window_fits_the_deadline(self) -> Self:
        if self.min_healthy_time >= self.healthy_deadline:
            raise ValueError(
                f"has a min_healthy_time ({self.min_healthy_time:g}s) that is not shorter "
                f"than its healthy_deadline ({self.healthy_deadline:g}s)"
            )
        return self


class Guard(Section):
    """Limits of automatic rollbacks. ``max_per_day`` counts those of the last 24 hours."""

    max_per_day: int = Field(3, ge=1, le=1000)


class HoldSettings(Section):
    """The hold that a rollback sets: on what, and how long it lasts."""

    after_rollback: AfterRollback = "bad"
    seconds: HoldSpan = Field(86400.0, alias="for")


class Schema(Section):
    """How to read the migrations of the database, and those that a release knows."""

    current: Command | Literal[""] = ""
    understands: PathInRelease | Literal[""] = ""
    migrations: tuple[MigrationPattern, ...] = ()
    on_ahead: Literal["refuse", "warn"] = "refuse"
    timeout: Limit = 10.0

    @model_validator(mode="after")
    def _can_be_compared(self) -> Self:
        if bool(self.understands) == bool(self.migrations):
            raise ValueError(
                "needs either understands or migrations: the versions of the database that a release knows"
            )
        if self.understands and not self.current:
            raise ValueError("has understands, and needs current, too: the command that prints the database's version")
        return self


class Notify(Section):
    """The events that are sent to the webhook, and the format of the messages."""

    format: MessageFormat = "slack"
    on: tuple[Event, ...] = ("success", "failure")


class Limits(Section):
    """Maximum durations. The defaults come from the specification ("Performance Targets")."""

    connect: Limit = 5.0
    find: Limit = 3.0
    stop: Limit = 10.0
    switch: Limit = 3.0
    start: Limit = 30.0
    verification: Limit = 60.0
    total: Limit = 60.0
    emergency_total: Limit = 30.0

    @model_validator(mode="after")
    def _stop_and_start_fit(self) -> Self:
        """Refuse limits that no rollback can use. Defaults do not count: ``total`` cuts them short."""
        given = {name: getattr(self, name) for name in ("stop", "start") if name in self.model_fields_set}
        if sum(given.values()) > self.total:
            shown = " + ".join(f"{name} ({seconds:g}s)" for name, seconds in given.items())
            raise ValueError(f"has {shown} longer than its total ({self.total:g}s)")
        return self


class Traffic(Section):
    """Shell command lines that take a host out of the load balancer, before the stop, and put it back after the start.

    Each runs on the host, in the transaction, for ``timeout`` seconds at most.
    """

    drain: Command
    undrain: Command
    timeout: Limit = 30.0


class CustomCommands(Section):
    """Shell command lines of ``manager = "custom"``. Each runs on the host, in the directory of the live release."""

    stop: Command
    start: Command
    status: Command
    logs: Command = ""


class Service(Section):
    root: Root
    layout: Literal["backups", "releases"] = "releases"
    releases: PathInRoot = ""
    pattern: Pattern = ""
    current: PathInRoot = "current"
    manager: Literal["systemd", "systemd-user", "supervisor", "compose", "pm2", "custom", "none"] = "systemd"
    units: Units = ()
    commands: CustomCommands | None = None
    project: Project = ""
    links: dict[PathInRelease, PathInRoot] = {}
    requires: tuple[RequiredPath, ...] = ()
    order: Order | None = None
    traffic: Traffic | None = None
    ignore_deploy_lock: bool = False
    pin: int = Field(0, ge=0, le=20)
    trusted: tuple[Trusted, ...] = ()
    checks: dict[Name, Check] = {}
    # Defaults need no validation. It would build the schema of each table.
    verify: Verify = Field(default_factory=Verify.model_construct)
    guard: Guard = Field(default_factory=Guard.model_construct)
    hold: HoldSettings = Field(default_factory=HoldSettings.model_construct)
    database: Schema | None = Field(None, alias="schema")
    notify: Notify = Field(default_factory=Notify.model_construct)
    limits: Limits = Field(default_factory=Limits.model_construct)
    mask: tuple[SecretPattern, ...] = ()

    @property
    def traffic_time(self) -> float:
        """The seconds that ``drain`` and ``undrain`` of one transaction take at most, beyond ``limits.total``."""
        return 2 * self.traffic.timeout if self.traffic else 0.0

    @model_validator(mode="after")
    def _every_check_can_pass(self) -> Self:
        for name, check in self.checks.items():
            window = self.verify.min_healthy_time if check.min_healthy_time is None else check.min_healthy_time
            deadline = self.verify.healthy_deadline if check.healthy_deadline is None else check.healthy_deadline
            if window >= deadline:
                raise ValueError(
                    f"has a check {name} whose min_healthy_time ({window:g}s) is not shorter "
                    f"than its healthy_deadline ({deadline:g}s)"
                )
        return self

    @model_validator(mode="after")
    def _every_log_has_a_source(self) -> Self:
        for name, check in self.checks.items():
            if isinstance(check, LogsCheck) and not (check.file or check.command or self.manager in _JOURNALED):
                raise ValueError(f'needs a file or a command in checks.{name}: "{self.manager}" keeps no journal')
            if isinstance(check, MetricCheck) and check.source == "journal" and self.manager not in _JOURNALED:
                raise ValueError(f'needs another source in checks.{name}: "{self.manager}" keeps no journal')
        return self

    @model_validator(mode="after")
    def _verification_fits(self) -> Self:
        deadlines = {"verify.healthy_deadline": self.verify.healthy_deadline}
        deadlines |= {f"checks.{n}.healthy_deadline": c.healthy_deadline or 0 for n, c in self.checks.items()}
        for name in ("verification", "total"):
            limit: float = getattr(self.limits, name)
            for key, deadline in deadlines.items():
                if deadline > limit:
                    raise ValueError(f"has a {key} ({deadline:g}s) that is longer than its limits.{name} ({limit:g}s)")
        return self

    @model_validator(mode="after")
    def _traffic_fits(self) -> Self:
        if self.traffic and self.traffic.timeout >= self.limits.total:
            raise ValueError(
                f"has a traffic.timeout ({self.traffic.timeout:g}s) that is not shorter "
                f"than its limits.total ({self.limits.total:g}s)"
            )
        return self

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        total, start = self.limits.total, self.limits.start
        if "start" not in self.limits.model_fields_set:
            start = min(start, total * _LEAST_START)
        windows = {"verify.min_healthy_time": self.verify.min_healthy_time}
        windows |= {f"checks.{n}.min_healthy_time": c.min_healthy_time or 0 for n, c in self.checks.items()}
        for key, window in windows.items():
            if window + start > total:
                raise ValueError(
                    f"has a {key} ({window:g}s) that does not fit into its limits.total ({total:g}s) "
                    f"after a start of {start:g}s (limits.start)"
                )
        return self
