"""The tables of environments and groups."""

from typing import Literal, Self

from pydantic import Field, model_validator

from rollback_ops.config.addresses import each_host_once
from rollback_ops.config.amounts import Hosts, LongLimit, SomeHosts
from rollback_ops.config.schema.section import Section
from rollback_ops.config.types import (
    Addresses,
    Limit,
    ModelName,
    Name,
    PageUrl,
    Permission,
    Seconds,
    SecureUrl,
)
from rollback_ops.core.rollout import Amount
from rollback_ops.core.services import Steps, start_steps
from rollback_ops.core.tasks import AT_ONCE
from rollback_ops.core.text import did_you_mean, quoted


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
    def _stops_after_a_canary(self) -> Self:
        if self.after_canary == "stop" and not self.canary.number:
            raise ValueError('has after_canary = "stop" and no canary: add canary = 1, or remove after_canary')
        return self

    @model_validator(mode="after")
    def _waits_fit_the_deadline(self) -> Self:
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
    def _has_hosts(self) -> Self:
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
    def _hosts_are_in_one_place(self) -> Self:
        if self.hosts and self.regions:
            raise ValueError("has hosts and regions: move every host into a region")
        try:
            each_host_once(tuple(host for region in self.regions.values() for host in region.hosts))
        except ValueError as error:
            raise ValueError(f"{error}, in its regions: a host is in one region") from None
        return self

    @model_validator(mode="after")
    def _hosts_of_services_exist(self) -> Self:
        for service, hosts in self.services.items():
            if not hosts:
                raise ValueError(f"has no hosts in services.{service}: add one, or remove it")
            if unknown := next((host for host in hosts if host not in self.all_hosts), ""):
                meant = did_you_mean(unknown, self.all_hosts)
                raise ValueError(f"has {quoted(unknown)} in services.{service}, which is not one of its hosts{meant}")
        return self

    @model_validator(mode="after")
    def _hosts_follow_the_canary(self) -> Self:
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
    def _services_are_two_at_least(self) -> Self:
        if twice := next((name for name in self.services if self.services.count(name) > 1), ""):
            raise ValueError(f"has the service {twice} more than once")
        if len(self.services) < 2:
            raise ValueError("needs at least two services")
        return self

    @model_validator(mode="after")
    def _after_names_its_services(self) -> Self:
        for name, others in (self.after or {}).items():
            if unknown := next((each for each in (name, *others) if each not in self.services), ""):
                meant = did_you_mean(unknown, self.services)
                raise ValueError(f"has {quoted(unknown)} in after, which is not one of its services{meant}")
        try:
            _ = self.steps
        except ValueError as error:
            raise ValueError(f"has services in after that wait for each other: {error}") from None
        return self

    @model_validator(mode="after")
    def _restores_only_what_belongs_together(self) -> Self:
        if self.on_failure == "restore" and not self.together:
            raise ValueError('has on_failure = "restore", which needs together = true')
        return self


class Advisor(Section):
    """A language model that ``advise`` asks for a text, after it has decided. ``url`` ends before ``/chat``."""

    url: SecureUrl
    model: ModelName
