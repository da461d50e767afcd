"""From what was asked to the parts that do it: settings and hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from rollback_ops.config import Limits, Service, Settings
from rollback_ops.config.load import load, settings_path
from rollback_ops.config.reason import PERSONAL_TRIGGERS
from rollback_ops.config.request import Options, Request
from rollback_ops.config.resolve import Job, resolve
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.model import Survey
from rollback_ops.core.ports import Host
from rollback_ops.core.redaction import remember
from rollback_ops.core.tasks import Pending, begin
from rollback_ops.hosts import SshCredentials, managers, on_servers, on_this_machine

if TYPE_CHECKING:
    from rollback_ops.integrations.github.api import Repository
    from rollback_ops.integrations.github.deployments import DeploymentRecorder
    from rollback_ops.integrations.github.permission import Permit
    from rollback_ops.integrations.webhook import Notifier


@dataclass(frozen=True, slots=True)
class Context:
    """One service in one environment, with its hosts; none of them is connected yet."""

    request: Request
    job: Job
    hosts: list[Host]
    webhook: SecretStr | None = None
    github: Repository | None = None
    first_aid: tuple[str, ...] = ()

    def look(self, *, sizes: bool = False, permitted: bool = True) -> Pending[str, Survey]:
        """Begin to survey the hosts; none of them where it is not ``permitted``."""
        hosts = {host.name: host for host in self.hosts if permitted}
        return begin(hosts, lambda name: hosts[name].survey(sizes=sizes))

    def notifier(self) -> Notifier:
        """Who tells the team. Imported only now: until the hosts are being looked at, nobody has time for it."""
        from rollback_ops.integrations.webhook import Notifier

        notify = self.job.service.notify
        return Notifier(self.webhook, self.request.webhook_format or notify.format, notify.on)

    def filing(self) -> DeploymentRecorder | None:
        return filing(self.request, self.github, self.job.environment.url)

    def permit(self) -> Permit | None:
        """Whether the person who asks for a rollback may have it. None: nothing is required of them."""
        request, environment = self.request, self.job.environment
        required = environment.require_permission
        if not required or request.dry_run or request.trigger not in PERSONAL_TRIGGERS:
            return None
        from rollback_ops.integrations.github.permission import Permit, permit

        if not request.in_actions:
            who = f"whether {request.actor} holds {required} was not looked up"
            return Permit(warning=f"{who}: this is no GitHub workflow, and access to the hosts is permission enough")
        unchecked = request.emergency and environment.unchecked_emergency
        return permit(required, request.actor, self.github, goes_on_unchecked=unchecked)

    def close(self) -> None:
        for host in self.hosts:
            host.close()


def settings_of(config: str | None, environ: Mapping[str, str]) -> Settings:
    """The settings. From here on no text of this process shows a secret of the environment."""
    remember(Secrets.read(environ).texts())
    return load(settings_path(environ, Path(config) if config else None), environ)


def wire(settings: Settings, environ: Mapping[str, str], options: Mapping[str, Any]) -> Context:
    """Raises ``UsageError`` for everything that can be known to be wrong before a host is contacted."""
    request = Request.build(environ, Options(**options))
    job = resolve(settings, request)
    remember(patterns=job.service.mask)
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
    return Context(request, job, list(hosts), secrets.webhook_url, place(environ), manager.first_aid)


def place(environ: Mapping[str, str]) -> Repository | None:
    """The repository on GitHub that this is about, where the environment says which, and has a token for it."""
    if not environ.get("GITHUB_REPOSITORY"):
        return None
    from rollback_ops.integrations.github.api import Repository

    return Repository.of(environ, Secrets.read(environ).token)


def hurried(service: Service) -> Service:
    """The limits of an emergency: a stop and a start that hang must both fit into its total."""
    limits = service.limits
    total = limits.emergency_total
    shorter = Limits(
        **limits.model_dump()
        | {"total": total, "stop": min(limits.stop, total / 6), "start": min(limits.start, total / 3)}
    )
    return service.model_copy(update={"limits": shorter})


def _login(given: Secrets, environ: Mapping[str, str]) -> SshCredentials:
    return SshCredentials(
        home=Path(environ.get("HOME") or Path.home()),
        key=given.ssh_key.get_secret_value() if given.ssh_key else "",
        passphrase=given.ssh_key_passphrase.get_secret_value() if given.ssh_key_passphrase else "",
        known_hosts=given.known_hosts.get_secret_value() if given.known_hosts else "",
    )


def filing(request: Request, github: Repository | None, environment_url: str) -> DeploymentRecorder | None:
    """Who records it on GitHub: in a workflow, or where that was asked for. None: nobody."""
    asked = request.record_deployment
    if asked is False or (asked is None and not (request.in_actions and github)):
        return None
    from rollback_ops.integrations.github.deployments import DeploymentRecorder

    return DeploymentRecorder(github, environment_url, whole=not request.hosts)
