"""From what was asked to the parts that do it: settings and hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from rollback_ops import managers
from rollback_ops.fleet import Begun, begin
from rollback_ops.hosts import Login, on_servers, on_this_machine
from rollback_ops.job import Job, resolve
from rollback_ops.model import Survey
from rollback_ops.ports import Host
from rollback_ops.request import Request
from rollback_ops.settings import Limits, Service, Settings
from rollback_ops.settings.credentials import Secrets
from rollback_ops.settings.file import load, settings_path

if TYPE_CHECKING:
    from rollback_ops.notify import Notifier


@dataclass(frozen=True, slots=True)
class Wired:
    """One service in one environment, with its hosts; none of them is connected yet."""

    request: Request
    job: Job
    hosts: list[Host]
    webhook: SecretStr | None = None
    first_aid: tuple[str, ...] = ()

    def look(self, *, sizes: bool = False) -> Begun[str, Survey]:
        """Begin to survey the hosts."""
        hosts = {host.name: host for host in self.hosts}
        return begin(hosts, lambda name: hosts[name].survey(sizes=sizes))

    def notifier(self) -> Notifier:
        """Who tells the team. Imported only now: until the hosts are being looked at, nobody has time for it."""
        from rollback_ops.notify import Notifier

        notify = self.job.service.notify
        return Notifier(self.webhook, self.request.webhook_format or notify.format, notify.on)

    def close(self) -> None:
        for host in self.hosts:
            host.close()


def settings_of(config: str | None, environ: Mapping[str, str]) -> Settings:
    return load(settings_path(environ, Path(config) if config else None), environ)


def wire(settings: Settings, environ: Mapping[str, str], options: Mapping[str, Any]) -> Wired:
    """Raises ``UsageError`` for everything that can be known to be wrong before a host is contacted."""
    request = Request.build(environ, **options)
    job = resolve(settings, request)
    service = hurried(job.service) if request.emergency else job.service
    manager = managers.build(service, job.service_name)
    parse_units = partial(managers.parse, service, job.service_name)
    secrets = Secrets.read(environ)
    hosts: Sequence[Host]
    if request.local:
        hosts = on_this_machine(service, manager, parse_units)
    else:
        login, gateways = _login(secrets, environ), job.environment.gateways
        restricted = job.environment.restricted
        hosts = on_servers(job.hosts, gateways, login, service, manager, parse_units, restricted=restricted)
    return Wired(request, job, list(hosts), secrets.webhook_url, manager.first_aid)


def hurried(service: Service) -> Service:
    """The limits of an emergency: a stop and a start that hang must both fit into its total."""
    limits = service.limits
    total = limits.emergency_total
    shorter = Limits(
        **limits.model_dump()
        | {"total": total, "stop": min(limits.stop, total / 6), "start": min(limits.start, total / 3)}
    )
    return service.model_copy(update={"limits": shorter})


def _login(given: Secrets, environ: Mapping[str, str]) -> Login:
    return Login(
        home=Path(environ.get("HOME") or Path.home()),
        key=given.ssh_key.get_secret_value() if given.ssh_key else "",
        passphrase=given.ssh_key_passphrase.get_secret_value() if given.ssh_key_passphrase else "",
        known_hosts=given.known_hosts.get_secret_value() if given.known_hosts else "",
    )
