"""The context of one command: its request, settings, hosts and secrets. Made once for each command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rollback_ops.config import Limits, Service, Settings
from rollback_ops.config.load import load, settings_path
from rollback_ops.config.reason import Reason, reason_for
from rollback_ops.config.request import CommandOptions, Request
from rollback_ops.config.resolve import Job, resolve
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.errors import UsageError
from rollback_ops.core.model import PERSONAL_TRIGGERS, Manager, Survey
from rollback_ops.core.ports import Host
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.tasks import Pending, begin
from rollback_ops.core.text import quoted
from rollback_ops.hosts import SshCredentials, import_the_rest, managers, on_servers, on_this_machine

if TYPE_CHECKING:
    from rollback_ops.commands.pinned import Pinned
    from rollback_ops.integrations.github.api import Repository
    from rollback_ops.integrations.github.deployments import DeploymentRecorder
    from rollback_ops.integrations.github.permission import Permission
    from rollback_ops.integrations.publish import Publisher

# Limits of a command: to no change at all, to some hosts, or to one plan.
Limit = Literal["dry_run", "rehearse", "shard", "backup", "approved", "if_current", "emergency"]
# What a command may be limited to: one shard of a plan, or all of a plan that it goes on with.
Pins = Literal["a shard", "all shards"]
_CHANGES_NOTHING_OR_LESS: tuple[Limit, ...] = ("dry_run", "rehearse", "shard")
_INSTEAD: Mapping[Limit, str] = {
    "dry_run": "Leave it out to change hosts. `rollback-ops check` says what a rollback would do.",
    "rehearse": "Leave it out to change hosts. Only `rollback-ops guard` rehearses.",
    "shard": "Leave it out to change all hosts. Only `rollback-ops rollback` carries out the shard of a plan.",
    "backup": "Leave it out. `rollback-ops rollback` goes to a release that you name.",
    "approved": "Leave it out. `rollback-ops rollback` carries out the plan that you approved.",
    "if_current": "Leave it out. `rollback-ops rollback` acts only where the release is live that you name.",
    "emergency": "Leave it out: it would break the lock of another run.",
}


@dataclass
class Context:
    """One service in one environment, with its hosts. No host is connected before the survey begins.

    Nothing in it is shared with another command of the same process. ``sizes``: the survey measures each release.
    ``started_at``: when the person waited first, which is when the process began. ``pinned``: the shard of a plan that
    is carried out.
    """

    request: Request
    job: Job
    hosts: list[Host]
    secrets: Secrets = field(default_factory=Secrets)
    repository: Repository | None = None
    first_aid: tuple[str, ...] = ()
    redact: Redactor = field(default_factory=Redactor)
    sizes: bool = False
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    pinned: Pinned | None = None
    settings: Settings = field(default_factory=Settings)

    @cached_property
    def reason(self) -> Reason:
        """The reason of the run. Raises ``UsageError`` when a person gave none, or one that cannot be recorded."""
        return reason_for(self.request)

    @cached_property
    def permission(self) -> Permission | None:
        """Whether the person who asks for a rollback may have it. None: the environment requires none."""
        request, environment = self.request, self.job.environment
        required = environment.require_permission
        if not required or request.dry_run or request.trigger not in (*PERSONAL_TRIGGERS, "drill"):
            return None
        from rollback_ops.integrations.github.permission import Permission, check_permission

        # A scheduled rollback is carried out by a workflow, not by the person who asked for it.
        if not request.in_actions and not (request.scheduled and self.repository):
            return Permission(
                warning=f"the permission {required} of {request.actor} was not checked outside of a GitHub workflow: "
                "access to the hosts is permission enough"
            )
        return check_permission(
            required,
            request.actor,
            self.repository,
            self.redact,
            allow_unchecked=request.emergency and environment.unchecked_emergency,
        )

    def check_permission(self) -> None:
        """Raise ``Refused`` when the person who asks does not have the permission that the environment requires."""
        if self.permission and self.permission.refusal:
            raise self.permission.refusal

    def refuse_limits(self, *others: Limit) -> None:
        """Raise ``UsageError`` for a limit that the command does not have: it would do more than was asked."""
        refuse(self.request, *_CHANGES_NOTHING_OR_LESS, *others)

    @cached_property
    def survey(self) -> Pending[str, Survey]:
        """The survey of the hosts. It begins when this is first read; reading does not wait for it."""
        hosts = {host.name: host for host in self.hosts}
        return begin(hosts, lambda name: hosts[name].survey(sizes=self.sizes), self.job.connections)

    def begin(self, *, change: bool = False) -> None:
        """Begin the survey. Before a ``change``, the reason and the permission are checked first.

        Raises ``UsageError`` as ``reason`` does.
        """
        permission = self.permission if change and self.reason else None
        if not (permission and permission.refusal) and not (self.pinned and self.pinned.refusal):
            _ = self.survey
            import_the_rest()

    @property
    def total(self) -> float:
        """The limit for the whole run, in seconds."""
        limits = self.job.service.limits
        return limits.emergency_total if self.request.emergency else limits.total

    def publisher(self, *, deployment: bool = True) -> Publisher:
        """Build the publisher. Its libraries are imported only now, so that the survey starts sooner.

        Without a ``deployment``, none is recorded on GitHub: what was live is live again.
        """
        from rollback_ops.commands import changes
        from rollback_ops.integrations.publish import Publisher
        from rollback_ops.integrations.webhook import Notifier

        notify = self.job.service.notify
        if self.pinned:
            # Others are told of all shards together, when their records are merged.
            return Publisher(Notifier(None, self.redact, notify.format, ()), None, self.hosts, self.request.record)
        notifier = Notifier(
            self.secrets.webhook_url, self.redact, self.request.webhook_format or notify.format, notify.on
        )
        recorder = (
            deployment_recorder(self.request, self.repository, self.redact, self.job.environment.url)
            if deployment
            else None
        )
        between, asks_github = partial(changes.between, self), self.repository is not None
        return Publisher(notifier, recorder, self.hosts, self.request.record, between, asks_github=asks_github)

    def closing(self) -> closing[Context]:
        """Close the connections when the ``with`` block ends."""
        return closing(self)

    def close(self) -> None:
        """Close every connection. Never raises."""
        for host in self.hosts:
            host.close()


def refuse(request: Request, *limits: Limit) -> None:
    """Raise ``UsageError`` where one of these limits was asked for. A variable may give it to every step of a job."""
    for name in limits:
        if getattr(request, name):
            option = f"--{name.replace('_', '-')} (ROLLBACK_{name.upper()})"
            raise UsageError(f"this command has no {option}, and would do more than that allows", _INSTEAD[name])


def load_settings(config: str | None, environ: Mapping[str, str]) -> Settings:
    """Load the settings: the file that ``--config`` names, else ``ROLLBACK_CONFIG``, else ``rollback.toml``.

    Raises ``UsageError`` for settings that cannot be read.
    """
    return load(settings_path(environ, Path(config) if config else None), environ)


def open_context(
    settings: Settings,
    environ: Mapping[str, str],
    options: CommandOptions,
    secrets: Secrets,
    *,
    sizes: bool = False,
    started_at: datetime | None = None,
    pins: Pins | None = None,
) -> Context:
    """Connect the parts for one command. Contacts no host. ``pins``: it may be limited to what a plan says.

    Raises ``UsageError`` for everything that can be known to be wrong before a host is contacted.
    """
    if group := Request.build(environ, options).group:
        raise UsageError(f"the group {quoted(group)} was named, and this command takes one service", "Use --service.")
    return connect(settings, environ, options, secrets, sizes=sizes, started_at=started_at, pins=pins)


def connect(
    settings: Settings,
    environ: Mapping[str, str],
    options: CommandOptions,
    secrets: Secrets,
    *,
    sizes: bool = False,
    started_at: datetime | None = None,
    pins: Pins | None = None,
) -> Context:
    """Connect the parts for one service, which may be one of a group. Raises ``UsageError`` as ``open_context``."""
    request = Request.build(environ, options)
    job = resolve(settings, request)
    pinned = _pinned(pins, request, job, settings) if pins else None
    if pinned:
        request, job = pinned.request, replace(job, hosts=pinned.shard.hosts)
    job = replace(job, service=managers.with_checks(job.service, job.service_name))
    service = hurried(job.service) if request.emergency else job.service
    manager = managers.build(service, job.service_name)
    return Context(
        request=request,
        job=job,
        hosts=list(_hosts(job, service, manager, None if request.local else credentials(secrets, environ))),
        secrets=secrets,
        repository=repository_of(environ, secrets),
        first_aid=manager.first_aid,
        redact=Redactor(secrets.texts(), job.service.mask),
        sizes=sizes,
        started_at=started_at or datetime.now(UTC),
        pinned=pinned,
        settings=settings,
    )


def _hosts(job: Job, service: Service, manager: Manager, login: SshCredentials | None) -> Sequence[Host]:
    """Return the hosts of a job; without a ``login``, this machine. Contacts none."""
    parse_units = partial(managers.parse, service, job.service_name)
    if login is None:
        return on_this_machine(job.about, service, manager, parse_units)
    return on_servers(
        job.hosts,
        job.environment.gateways,
        login,
        job.about,
        service,
        manager,
        parse_units,
        restricted=job.environment.restricted,
        connections=job.connections,
    )


def _pinned(pins: Pins, request: Request, job: Job, settings: Settings) -> Pinned | None:
    if not (request.records if pins == "all shards" else request.shard or request.plan):
        return None
    # Imported late: plans and records are read with types of their own, which the survey does not wait for.
    from rollback_ops.commands.pinned import pin, pin_all

    return pin_all(request, job, settings) if pins == "all shards" else pin(request, job, settings, datetime.now(UTC))


def repository_of(environ: Mapping[str, str], secrets: Secrets) -> Repository | None:
    """Return the repository on GitHub in which this runs; None without ``GITHUB_REPOSITORY`` or a token."""
    if not environ.get("GITHUB_REPOSITORY"):
        return None
    from rollback_ops.integrations.github.api import Repository

    return Repository.of(environ, secrets.token)


def deployment_recorder(
    request: Request, repository: Repository | None, redact: Redactor, environment_url: str, *, whole: bool = True
) -> DeploymentRecorder | None:
    """Return the recorder of the deployment on GitHub: in a workflow, or on request; else None."""
    asked = request.record_deployment
    if asked is False or (asked is None and not (request.in_actions and repository)):
        return None
    from rollback_ops.integrations.github.deployments import DeploymentRecorder

    return DeploymentRecorder(repository, redact, environment_url, whole=whole and request.whole)


def hurried(service: Service) -> Service:
    """Return the service with the limits of an emergency: a hanging stop, start and ``undrain`` all fit its total."""
    limits = service.limits
    total = limits.emergency_total
    shorter = Limits(
        **limits.model_dump()
        | {"total": total, "stop": min(limits.stop, total / 6), "start": min(limits.start, total / 3)}
    )
    traffic = service.traffic and service.traffic.model_copy(
        update={"timeout": min(service.traffic.timeout, total / 6)}
    )
    return service.model_copy(update={"limits": shorter, "traffic": traffic})


def credentials(secrets: Secrets, environ: Mapping[str, str]) -> SshCredentials:
    """Return the credentials for the hosts."""
    return SshCredentials(
        home=Path(environ.get("HOME") or Path.home()),
        key=secrets.ssh_key.get_secret_value() if secrets.ssh_key else "",
        passphrase=secrets.ssh_key_passphrase.get_secret_value() if secrets.ssh_key_passphrase else "",
        certificate=secrets.ssh_certificate.get_secret_value() if secrets.ssh_certificate else "",
        known_hosts=secrets.known_hosts.get_secret_value() if secrets.known_hosts else "",
    )
