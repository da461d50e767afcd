"""The keys of rollback.toml as pydantic models, with their defaults and bounds. Durations are in seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rollback_ops.config.addresses import each_host_once
from rollback_ops.config.amounts import Hosts, LongLimit, SomeHosts
from rollback_ops.config.types import (
    Addresses,
    CheckLine,
    CheckUrl,
    Command,
    Endpoint,
    ExpectedJson,
    ExpectedText,
    HeaderName,
    HeaderValue,
    HoldSpan,
    Limit,
    LinePatterns,
    LogFile,
    MigrationPattern,
    ModelName,
    Name,
    PageUrl,
    PathInRelease,
    PathInRoot,
    Pattern,
    Permission,
    Project,
    RequiredPath,
    Root,
    Seconds,
    SecretPattern,
    SecureUrl,
    Trusted,
    Units,
)
from rollback_ops.core.health import Thresholds
from rollback_ops.core.hold import AfterRollback
from rollback_ops.core.model import AutomaticTrigger
from rollback_ops.core.order import Order
from rollback_ops.core.rollout import Amount
from rollback_ops.core.services import Steps, start_steps
from rollback_ops.core.tasks import AT_ONCE
from rollback_ops.core.text import did_you_mean, quoted

MessageFormat = Literal["slack", "teams", "json"]
Event = Literal["start", "success", "failure"]

_JOURNALED = ("systemd", "systemd-user")
# Where limits.start is not set, this part of limits.total is kept for the start, at least.
_LEAST_START = 0.1


class Section(BaseModel):
    # Only the whole file is validated, so only its schema is built, when it is needed.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


class CheckSettings(Section):
    """Keys that every kind of check has. A key that is not set takes the service's value (``Verify``)."""

    interval: Limit | None = None
    min_healthy_time: Seconds | None = None
    healthy_deadline: Limit | None = None
    success_threshold: int | None = Field(None, ge=1, le=100)
    failure_threshold: int | None = Field(None, ge=1, le=100)
    fail_fast: bool = False
    trigger: AutomaticTrigger | None = None


class HttpCheck(CheckSettings):
    kind: Literal["http"]
    url: CheckUrl
    source: Literal["host", "runner"] = Field("host", alias="from")
    status: int = Field(200, ge=100, le=599)
    final: tuple[Annotated[int, Field(ge=100, le=599)], ...] = ()
    text: ExpectedText = ""
    fields: dict[str, ExpectedJson] = Field(default_factory=dict, alias="json")
    headers: dict[HeaderName, HeaderValue] = {}
    max_latency: Limit | None = None
    timeout: Limit = 2.0

    @model_validator(mode="after")
    def _expected_status_is_not_final(self) -> HttpCheck:
        if self.status in self.final:
            raise ValueError(f"has the status that it expects ({self.status}) in final, which ends it as failed")
        return self


class TcpCheck(CheckSettings):
    kind: Literal["tcp"]
    address: Endpoint
    source: Literal["host", "runner"] = Field("host", alias="from")
    timeout: Limit = 2.0

    @model_validator(mode="after")
    def _socket_is_on_the_host(self) -> TcpCheck:
        if self.address.startswith("/") and self.source == "runner":
            raise ValueError('has a socket as its address, and only the host can reach it: remove from = "runner"')
        return self


class ProcessCheck(CheckSettings):
    kind: Literal["process"]


class CommandCheck(CheckSettings):
    kind: Literal["command"]
    run: CheckLine
    phase: Literal["before", "after"] = "after"
    timeout: Limit = 10.0


class LogsCheck(CheckSettings):
    """A check of log lines. Without ``file`` and ``command``, it reads systemd's journal.

    ``patterns`` and ``ignore``: None means the defaults of ``log_patterns``.
    """

    kind: Literal["logs"]
    file: LogFile = ""
    command: CheckLine = ""
    patterns: LinePatterns | None = None
    ignore: tuple[CheckLine, ...] | None = None
    timeout: Limit = 5.0

    @model_validator(mode="after")
    def _one_log(self) -> LogsCheck:
        if self.file and self.command:
            raise ValueError("has both file and command, but a check reads one log: split it into two checks")
        return self


# The keys that each source of a metric needs; it takes no others of these.
_KEYS_OF_SOURCE = {
    "prometheus": ("url", "errors", "total"),
    "log": ("file", "errors", "total"),
    "journal": ("errors", "total"),
    "command": ("run",),
}
_OF_LATENCY = ("url", "latency")
# Without the time before, the counts of so many ticks have to show how much errors come in bursts.
_LEAST_TICKS = {"control": 8, "before": 2}


class MetricCheck(CheckSettings):
    """A check of counts of events, and of the bad ones among them, which ``guard`` and ``verify`` watch for a while.

    ``errors`` and ``total`` are series of Prometheus, or patterns of lines; ``latency`` are the buckets of a histogram
    of Prometheus. Only differences count. ``after_rollback``: also watched after a rollback.
    """

    kind: Literal["metric"]
    source: Literal["prometheus", "log", "journal", "command"]
    baseline: Literal["control", "before"] = "control"
    url: PageUrl = ""
    file: LogFile = ""
    run: Command = ""
    errors: CheckLine = ""
    total: CheckLine = ""
    latency: CheckLine = ""
    after_rollback: bool = False
    alpha: float = Field(0.01, ge=0.0001, le=0.2)
    floor: float = Field(0.001, ge=0, le=0.5)
    tick: Limit = 15.0
    warm_up: Seconds = 60.0
    window: Limit = 600.0
    timeout: Limit = 5.0

    @model_validator(mode="after")
    def _only_what_the_source_takes(self) -> MetricCheck:
        of_latency = self.source == "prometheus" and self.latency
        needed = _OF_LATENCY if of_latency else _KEYS_OF_SOURCE[self.source]
        for key in ("url", "file", "run", "errors", "total", "latency"):
            if (key in needed) != bool(getattr(self, key)):
                said = f"lacks {key}" if key in needed else f"has {key}"
                also = ", or url and latency" if self.source == "prometheus" and not of_latency else ""
                raise ValueError(f'{said}: source = "{self.source}" takes {", ".join(needed)}{also}')
        for key in CheckSettings.model_fields:
            if key in self.model_fields_set:
                raise ValueError(f"has {key}, which a metric does not have: it has tick, warm_up and window")
        return self

    @model_validator(mode="after")
    def _baseline_can_be_had(self) -> MetricCheck:
        if self.source != "prometheus":
            if self.baseline == "before":
                raise ValueError('has baseline = "before", which only source = "prometheus" knows')
            return self
        queries = ("latency",) if self.latency else ("errors", "total")
        filled = [key for key in queries if "{release}" in getattr(self, key)]
        if self.baseline == "control" and len(filled) < len(queries):
            raise ValueError(f'lacks {{release}} in {" or ".join(queries)}: baseline = "control" compares two releases')
        if self.baseline == "before" and filled:
            raise ValueError(f'has {{release}} in {filled[0]}: baseline = "before" compares the service with itself')
        return self

    @model_validator(mode="after")
    def _past_can_be_had(self) -> MetricCheck:
        if self.after_rollback and self.baseline != "before":
            raise ValueError('has after_rollback, which needs baseline = "before": no host runs another release then')
        return self

    @model_validator(mode="after")
    def _window_has_ticks(self) -> MetricCheck:
        least = _LEAST_TICKS[self.baseline]
        if self.window < least * self.tick:
            raise ValueError(
                f"has a window ({self.window:g}s) that is shorter than {least} ticks ({self.tick:g}s each)"
            )
        return self


# The checks that are questions with an answer.
AskedCheck = HttpCheck | TcpCheck | ProcessCheck | LogsCheck | CommandCheck
Check = Annotated[AskedCheck | MetricCheck, Field(discriminator="kind")]


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
    def _window_fits_the_deadline(self) -> Verify:
        if self.min_healthy_time >= self.healthy_deadline:
            raise ValueError(
                f"has a min_healthy_time ({self.min_healthy_time:g}s) that is not shorter "
                f"than its healthy_deadline ({self.healthy_deadline:g}s)"
            )
        return self


class Guard(Section):
    """Limits of automatic rollbacks. ``max_per_day`` counts those of the last 24 hours."""

    max_per_day: int = Field(3, ge=1, le=1000)


class Hold(Section):
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
    def _can_be_compared(self) -> Schema:
        if bool(self.understands) == bool(self.migrations):
            raise ValueError("needs either understands or migrations: what a release knows of the database")
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
    def _stop_and_start_fit(self) -> Limits:
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
    trusted: tuple[Trusted, ...] = ()
    checks: dict[Name, Check] = {}
    verify: Verify = Field(default_factory=Verify)
    guard: Guard = Field(default_factory=Guard)
    hold: Hold = Field(default_factory=Hold)
    database: Schema | None = Field(None, alias="schema")
    notify: Notify = Field(default_factory=Notify)
    limits: Limits = Field(default_factory=Limits)
    mask: tuple[SecretPattern, ...] = ()

    @property
    def traffic_time(self) -> float:
        """The seconds that ``drain`` and ``undrain`` of one transaction take at most, beyond ``limits.total``."""
        return 2 * self.traffic.timeout if self.traffic else 0.0

    @model_validator(mode="after")
    def _every_check_can_pass(self) -> Service:
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
    def _every_log_has_a_source(self) -> Service:
        for name, check in self.checks.items():
            if isinstance(check, LogsCheck) and not (check.file or check.command or self.manager in _JOURNALED):
                raise ValueError(f'needs a file or a command in checks.{name}: "{self.manager}" keeps no journal')
            if isinstance(check, MetricCheck) and check.source == "journal" and self.manager not in _JOURNALED:
                raise ValueError(f'needs another source in checks.{name}: "{self.manager}" keeps no journal')
        return self

    @model_validator(mode="after")
    def _verification_fits(self) -> Service:
        deadlines = {"verify.healthy_deadline": self.verify.healthy_deadline}
        deadlines |= {f"checks.{n}.healthy_deadline": c.healthy_deadline or 0 for n, c in self.checks.items()}
        for name in ("verification", "total"):
            limit: float = getattr(self.limits, name)
            for key, deadline in deadlines.items():
                if deadline > limit:
                    raise ValueError(f"has a {key} ({deadline:g}s) that is longer than its limits.{name} ({limit:g}s)")
        return self

    @model_validator(mode="after")
    def _traffic_fits(self) -> Service:
        if self.traffic and self.traffic.timeout >= self.limits.total:
            raise ValueError(
                f"has a traffic.timeout ({self.traffic.timeout:g}s) that is not shorter "
                f"than its limits.total ({self.limits.total:g}s)"
            )
        return self

    @model_validator(mode="after")
    def _windows_fit(self) -> Service:
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


class Strategy(Section):
    """The waves of a rollback. Without this table all hosts are changed at the same time.

    ``deadline`` is for the whole rollback, pauses included; None: no limit. ``limits.total`` counts for each wave.
    ``connections``: so many hosts are connected at the same time, at most, and no wave has more.
    """

    canary: Hosts = Amount(0)
    max_parallel: SomeHosts = Amount(100, percent=True)
    max_failures: Hosts = Amount(0)
    pause: Seconds = 0.0
    bake: Seconds = 0.0
    progress_deadline: Limit = 600.0
    deadline: LongLimit | None = None
    after_canary: Literal["continue", "stop"] = "continue"
    on_exceeded: Literal["stop", "restore"] = "stop"
    order: Literal["unhealthy-first", "listed"] = "unhealthy-first"
    connections: int = Field(AT_ONCE, ge=1, le=1000)

    @model_validator(mode="after")
    def _waits_fit_the_deadline(self) -> Strategy:
        for name in ("pause", "bake"):
            seconds: float = getattr(self, name)
            if self.deadline is not None and seconds >= self.deadline:
                raise ValueError(
                    f"has a {name} ({seconds:g}s) that is not shorter than its deadline ({self.deadline:g}s)"
                )
        return self


class Region(Section):
    """A part of an environment's hosts. Regions are rolled back one after the other."""

    hosts: Addresses

    @model_validator(mode="after")
    def _has_hosts(self) -> Region:
        if not self.hosts:
            raise ValueError("has no hosts: add one, or remove the region")
        return self


class Environment(Section):
    """An environment: ``hosts``, or ``regions`` with hosts. ``strategy`` is None without a strategy or regions.

    ``services`` has the hosts of services that do not run on all of them.
    """

    hosts: Addresses = ()
    gateways: Addresses = ()
    restricted: bool = False
    url: PageUrl = ""
    require_permission: Permission = ""
    unchecked_emergency: bool = False
    regions: dict[Name, Region] = {}
    services: dict[Name, Addresses] = {}
    strategy: Strategy | None = None

    @property
    def all_hosts(self) -> tuple[str, ...]:
        """The hosts of the environment, or of its regions, in the order of the settings."""
        return self.hosts or tuple(self.region_of)

    def hosts_of(self, service: str) -> tuple[str, ...]:
        """Return the hosts that a service runs on, in the order of the settings."""
        its = self.services.get(service, self.all_hosts)
        return tuple(host for host in self.all_hosts if host in its)

    @property
    def region_of(self) -> dict[str, str]:
        """The region of each host; empty where there are no regions."""
        return {host: name for name, region in self.regions.items() for host in region.hosts}

    @model_validator(mode="after")
    def _hosts_are_in_one_place(self) -> Environment:
        if self.hosts and self.regions:
            raise ValueError("has hosts and regions: move every host into a region")
        try:
            each_host_once(tuple(host for region in self.regions.values() for host in region.hosts))
        except ValueError as error:
            raise ValueError(f"{error}, in its regions: a host is in one region") from None
        return self

    @model_validator(mode="after")
    def _hosts_of_services_exist(self) -> Environment:
        for service, hosts in self.services.items():
            if not hosts:
                raise ValueError(f"has no hosts in services.{service}: add one, or remove it")
            if unknown := next((host for host in hosts if host not in self.all_hosts), ""):
                meant = did_you_mean(unknown, self.all_hosts)
                raise ValueError(f"has {quoted(unknown)} in services.{service}, which is none of its hosts{meant}")
        return self

    @model_validator(mode="after")
    def _hosts_follow_the_canary(self) -> Environment:
        count, canary = len(self.all_hosts), self.strategy.canary if self.strategy else None
        all_of_them = canary is not None and (canary.number >= (100 if canary.percent else count))
        if count and all_of_them:
            raise ValueError(
                f"has a strategy.canary of {canary}, which is all of its {count} hosts: nothing would follow"
            )
        return self


class Group(Section):
    """Services that are rolled back together, in the order in which they start.

    ``after`` maps a service to those that start before it; None: each starts after the one before it.
    """

    services: tuple[Name, ...]
    after: dict[Name, tuple[Name, ...]] | None = None
    together: bool = False
    on_failure: Literal["stop", "restore"] = "stop"

    @property
    def steps(self) -> Steps:
        """The steps in which the services start."""
        return start_steps(self.services, self.after)

    @model_validator(mode="after")
    def _services_are_two_at_least(self) -> Group:
        if twice := next((name for name in self.services if self.services.count(name) > 1), ""):
            raise ValueError(f"has the service {twice} more than once")
        if len(self.services) < 2:
            raise ValueError("needs two services at least")
        return self

    @model_validator(mode="after")
    def _after_names_its_services(self) -> Group:
        for name, others in (self.after or {}).items():
            if unknown := next((each for each in (name, *others) if each not in self.services), ""):
                meant = did_you_mean(unknown, self.services)
                raise ValueError(f"has {quoted(unknown)} in after, which is none of its services{meant}")
        try:
            _ = self.steps
        except ValueError as error:
            raise ValueError(f"has services in after that wait for each other: {error}") from None
        return self

    @model_validator(mode="after")
    def _restores_only_what_belongs_together(self) -> Group:
        if self.on_failure == "restore" and not self.together:
            raise ValueError('has on_failure = "restore", which needs together = true')
        return self


class Advisor(Section):
    """A language model that ``advise`` asks for a text, after its decision. ``url`` is what ends before ``/chat``."""

    url: SecureUrl
    model: ModelName


class Settings(Section):
    """The whole file: services, groups of services, and environments by name. ``advisor``: None asks no model."""

    services: dict[Name, Service] = {}
    groups: dict[Name, Group] = {}
    environments: dict[Name, Environment] = {}
    advisor: Advisor | None = None
