"""Resolve the service, environment and hosts of a command, with all defaults and placeholders filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from rollback_ops.config import (
    Advisor,
    Check,
    CommandCheck,
    Environment,
    Group,
    MetricCheck,
    ProcessCheck,
    Service,
    Settings,
    Strategy,
)
from rollback_ops.config.problems import problems_in
from rollback_ops.config.request import Request
from rollback_ops.config.types import fill
from rollback_ops.core.errors import UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import ServiceId
from rollback_ops.core.text import did_you_mean, listed, quoted

T = TypeVar("T")

# The defaults of each layout, for keys that the service does not set.
LAYOUTS = {
    "backups": {"releases": "backups/{environment}", "pattern": "backup_*"},
    "releases": {"releases": "releases", "pattern": "*"},
}
_MANAGERS_OF_UNITS = ("systemd", "systemd-user", "supervisor", "pm2")


@frozen
class Job:
    """The service, environment and hosts of a command.

    ``{release}`` is not filled in yet. ``hosts`` is empty with ``--local``. ``excluded`` are the regions that were left
    out. ``groups`` are those that the service is in.
    """

    service_name: str
    environment_name: str
    service: Service
    environment: Environment
    hosts: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    advisor: Advisor | None = None

    @property
    def about(self) -> ServiceId:
        return ServiceId(self.service_name, self.environment_name)

    @property
    def strategy(self) -> Strategy | None:
        """How the hosts are changed. Regions alone go one after the other. None: all hosts at the same time."""
        environment = self.environment
        return environment.strategy or (Strategy() if environment.regions else None)

    @property
    def connections(self) -> int:
        """How many hosts are connected at the same time, at most."""
        return (self.environment.strategy or Strategy.model_construct()).connections


def resolve(settings: Settings, request: Request) -> Job:
    """Find the service, environment and hosts of a request.

    Raises ``UsageError`` when one of them does not exist, or when the settings conflict.
    """
    environment = _existing("environment", settings.environments, request.environment)
    service_name = request.service or _only_service(settings)
    service = _existing("service", settings.services, service_name)
    _check_manager(service_name, service)
    excluded = _excluded(environment, request)
    return Job(
        service_name,
        request.environment,
        _filled(service_name, service, request.environment),
        environment.model_copy(update={"url": fill(environment.url, {"environment": request.environment})}),
        _hosts(environment, service_name, request, excluded),
        excluded,
        tuple(name for name, group in settings.groups.items() if service_name in group.services),
        settings.advisor,
    )


def group_of(settings: Settings, request: Request) -> Group:
    """Return the group that the request names. Raises ``UsageError`` when there is none, or a service is named, too."""
    if request.service:
        raise UsageError(
            f"the service {quoted(request.service)} and the group {quoted(request.group)} are both named",
            "Name one of them: --service or --group.",
        )
    return _existing("group", settings.groups, request.group)


def services_there(settings: Settings, request: Request, services: Sequence[str]) -> tuple[str, ...]:
    """Return those of the services that run on the requested hosts. Raises ``UsageError`` where none does."""
    environment = _existing("environment", settings.environments, request.environment)
    if request.local or not environment.all_hosts:
        return tuple(services)
    excluded = _excluded(environment, request)
    _hosts_named(environment, environment.all_hosts, request, excluded)
    there = [host for host in environment.all_hosts if environment.region_of.get(host) not in excluded]
    chosen = {host for host in there if host in request.hosts or not request.hosts}
    found = tuple(service for service in services if chosen & set(environment.hosts_of(service)))
    if not found:
        raise UsageError(f"no service of {request.group} runs on {listed(sorted(chosen))}")
    return found


def _existing(what: str, known: Mapping[str, T], name: str) -> T:
    if name not in known:
        raise UsageError(
            f"there is no {what} {quoted(name)}{did_you_mean(name, known)}", f"The settings have: {listed(known)}."
        )
    return known[name]


def _only_service(settings: Settings) -> str:
    names = list(settings.services)
    if not names:
        raise UsageError("the settings have no service", "Add one as [services.NAME] with its root.")
    if len(names) > 1:
        raise UsageError(
            f"no service was named, and the settings have {len(names)}: {listed(names)}",
            "Name one with --service or ROLLBACK_SERVICE.",
        )
    return names[0]


def _check_manager(name: str, service: Service) -> None:
    if service.manager in _MANAGERS_OF_UNITS and not service.units:
        raise UsageError(
            f'services.{name}: manager = "{service.manager}" needs units',
            f'Add units = ["…"] under [services.{name}].',
        )
    if service.manager == "custom" and service.commands is None:
        raise UsageError(
            f'services.{name}: manager = "custom" needs commands',
            f"Add [services.{name}.commands] with stop, start and status.",
        )
    if service.manager == "none" and not any(_shows_the_release(check) for check in service.checks.values()):
        raise UsageError(
            f'services.{name}: manager = "none" needs a check: no process shows whether the service works',
            f'Add [services.{name}.checks.page] with kind = "http" and the url of a page.',
        )
    if service.manager != "custom" and service.commands is not None:
        raise UsageError(
            f'services.{name}: commands are for manager = "custom", and it is "{service.manager}"',
            f"Change the manager, or remove [services.{name}.commands].",
        )


def _shows_the_release(check: Check) -> bool:
    """Return whether a check is about the live release, and not only the target before a stop."""
    before = isinstance(check, CommandCheck) and check.phase == "before"
    return not (before or isinstance(check, ProcessCheck | MetricCheck))


def _filled(name: str, service: Service, environment: str) -> Service:
    """Return the service with its layout's defaults and with ``{environment}`` filled in."""
    # The schema of the whole file is there already. One for a service alone would have to be built.
    whole = Settings.model_construct(services={name: service})
    said = LAYOUTS[service.layout] | whole.model_dump(exclude_defaults=True)["services"][name]
    try:
        # Validate again: a name that was valid with a placeholder may not be valid without it.
        return Settings.model_validate({"services": {name: _fill(said, environment)}}).services[name]
    except ValidationError as error:
        raise UsageError("\n  ".join(problems_in(error, lambda _: f"in environment {environment}"))) from None


def _fill(value: Any, environment: str) -> Any:
    if isinstance(value, str):
        return fill(value, {"environment": environment})
    if isinstance(value, dict):
        return {key: _fill(each, environment) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_fill(each, environment) for each in value]
    return value


def _excluded(environment: Environment, request: Request) -> tuple[str, ...]:
    """Return the regions that the request leaves out, in the order of the settings."""
    for region in (*request.regions, *request.exclude_regions):
        if region not in environment.regions:
            raise UsageError(
                f"{quoted(region)} is not a region of {request.environment}{did_you_mean(region, environment.regions)}",
                f"Its regions are: {listed(environment.regions)}." if environment.regions else "It has no regions.",
            )
    if both := set(request.regions) & set(request.exclude_regions):
        raise UsageError(f"the region {listed(sorted(both))} is both named and excluded", "Leave one of them out.")
    chosen = [name for name in environment.regions if name in request.regions or not request.regions]
    kept = [name for name in chosen if name not in request.exclude_regions]
    if environment.regions and not kept:
        raise UsageError("every region is excluded, so no host is left", "Exclude fewer regions.")
    return tuple(name for name in environment.regions if name not in kept)


def _hosts(environment: Environment, service: str, request: Request, excluded: tuple[str, ...]) -> tuple[str, ...]:
    """Return the requested hosts of the service in the environment, in the order of the settings."""
    if request.local:
        if request.hosts:
            raise UsageError("--local works on this machine only, and --host names another", "Leave one of them out.")
        return ()
    hosts = environment.hosts_of(service)
    if not hosts:
        raise UsageError(
            f"environments.{request.environment} has no hosts",
            f'Add hosts = ["user@host"] under [environments.{request.environment}], or use --local on the host itself.',
        )
    if not request.group:
        _hosts_named(environment, hosts, request, excluded)
    there = [host for host in hosts if environment.region_of.get(host) not in excluded]
    if not there:
        raise UsageError(f"{service} runs on no host of the regions that are left", "Exclude fewer regions.")
    return tuple(host for host in there if host in request.hosts or not request.hosts)


def _hosts_named(environment: Environment, hosts: Sequence[str], request: Request, excluded: tuple[str, ...]) -> None:
    """Raise ``UsageError`` for a named host that is not among these, or whose region is left out."""
    for host in request.hosts:
        if host not in hosts:
            raise UsageError(
                f"{quoted(host)} is not a host of {request.environment}{did_you_mean(host, hosts)}",
                f"Its hosts are: {listed(hosts)}.",
            )
        if (region := environment.region_of.get(host)) in excluded:
            raise UsageError(f"{quoted(host)} is in the region {region}, which is left out", "Leave one of them out.")
