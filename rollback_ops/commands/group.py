"""Commands for a group: the parts of each service, connected, and all of them together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from rollback_ops.commands import check as single
from rollback_ops.commands.context import Context, connect, refuse
from rollback_ops.commands.guard import UNHEEDED
from rollback_ops.commands.result import SURVEY_WITHIN, RunResult, sort_answers
from rollback_ops.commands.rollback import unheeded
from rollback_ops.commands.run import fleet_of, spec_of
from rollback_ops.config import Group, Settings
from rollback_ops.config.reason import Reason
from rollback_ops.config.request import CommandOptions, Request
from rollback_ops.config.resolve import group_of, services_there
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.errors import RollbackOpsError, UsageError
from rollback_ops.core.group import group_record
from rollback_ops.core.plan import Refusal
from rollback_ops.core.ports import Progress
from rollback_ops.core.record import GroupRecord, Record
from rollback_ops.core.recorder import record_of
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.run import RunState, new_run
from rollback_ops.core.tasks import Cancellation, each
from rollback_ops.core.text import did_you_mean, listed, quoted
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.group import GroupRollback
from rollback_ops.engine.group_choice import GroupSpec
from rollback_ops.engine.group_guard import GuardedService, guard_group
from rollback_ops.engine.service_progress import ServiceProgress
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.integrations.publish import GroupPublisher, warned

T = TypeVar("T")


@dataclass(frozen=True)
class GroupContext:
    """A group in one environment. ``contexts`` has its services in the order of the settings."""

    name: str
    group: Group
    contexts: Mapping[str, Context]
    asked: Mapping[str, str]

    @property
    def first(self) -> Context:
        """The context of the first service: request, reason and permission are the same for all."""
        return next(iter(self.contexts.values()))

    @property
    def redact(self) -> Redactor:
        """Hide what any of the services hides."""
        return Redactor(
            self.first.secrets.texts(), [pattern for c in self.contexts.values() for pattern in c.job.service.mask]
        )

    def begin(self, *, change: bool = False) -> None:
        """Begin the surveys of all services. Before a ``change``, the reason and the permission are checked first."""
        self.first.begin(change=change)
        permission = self.first.permission if change else None
        for context in () if permission and permission.refusal else self.contexts.values():
            context.begin()

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Close the connections of all services when the ``with`` block ends."""
        try:
            yield
        finally:
            for context in self.contexts.values():
                context.close()

    def publisher(self) -> GroupPublisher:
        """Build the publisher: one message and one file for the group, one deployment for each service."""
        whole = replace(self.first, request=replace(self.first.request, record_deployment=False)).publisher()
        return GroupPublisher(whole, {name: _quiet(c).publisher() for name, c in self.contexts.items()})

    def spec(self) -> GroupSpec:
        """Describe a new run of the group."""
        group, request = self.group, self.first.request
        return GroupSpec(
            new_run(),
            self.name,
            request.environment,
            group.steps,
            together=group.together,
            restores=group.on_failure == "restore",
            emergency=request.emergency,
            asked=self.asked,
            resumes=request.resume,
        )


def open_group(
    settings: Settings,
    environ: Mapping[str, str],
    options: CommandOptions,
    secrets: Secrets,
    *,
    sizes: bool = False,
    started_at: datetime | None = None,
) -> GroupContext:
    """Connect the parts for one command. Contacts no host.

    Raises ``UsageError`` for everything that can be known to be wrong before a host is contacted.
    """
    request = Request.build(environ, options)
    for option in ("if_current", "approved", "rehearse", "plan", "shard"):
        if getattr(request, option):
            raise UsageError(
                f"--{option.replace('_', '-')} is for one service, and a group has several", "Leave it out."
            )
    group = group_of(settings, request)
    services = services_there(settings, request, group.services)
    contexts = {
        name: connect(settings, environ, replace(options, service=name), secrets, sizes=sizes, started_at=started_at)
        for name in services
    }
    return GroupContext(request.group, group, contexts, _asked(request, group, services))


def _quiet(context: Context) -> Context:
    """Return a context whose publisher informs only GitHub."""
    secrets, request = replace(context.secrets, webhook_url=None), replace(context.request, record=None)
    return replace(context, secrets=secrets, request=request)


def _asked(request: Request, group: Group, services: tuple[str, ...]) -> dict[str, str]:
    """Return the requested release of each service: ``--to NAME``, or ``--to SERVICE=NAME,SERVICE=NAME``.

    Raises ``UsageError`` where a service is unknown, or has no release.
    """
    asked = request.backup
    if not asked or "=" not in asked:
        return dict.fromkeys(services, asked) if asked else {}
    names = "|".join(map(re.escape, group.services))
    found = dict(part.partition("=")[::2] for part in re.split(rf",\s*(?=(?:{names})=)", asked))
    if unknown := next((name for name in found if name not in group.services), ""):
        meant = did_you_mean(unknown, group.services)
        raise UsageError(
            f"{quoted(unknown)} in --to is no service of the group {request.group}{meant}",
            f"Its services are: {listed(group.services)}.",
        )
    if missing := [name for name in services if not found.get(name)]:
        raise UsageError(
            f"--to names no release for {listed(missing)}",
            "Name one for each service: SERVICE=RELEASE,SERVICE=RELEASE.",
        )
    return {name: found[name] for name in services}


def rollback(group: GroupContext, progress: Progress, cancellation: Cancellation) -> RunResult:
    """Roll the services back in the order of the group, or resume that. Without permission no host is contacted.

    Raises ``UsageError`` for a limit that it does not have.
    """
    refuse(group.first.request, *unheeded(group.first.request))
    reason, permission, publisher = group.first.reason, group.first.permission, group.publisher()
    if permission and permission.refusal:
        return _published(group, publisher, _refused(group, permission.refusal))
    with group.closing():
        parts = {n: (_spec_of(c, reason), _fleet(n, c, progress, cancellation)) for n, c in group.contexts.items()}
        record = GroupRollback(group.spec(), parts, publisher, progress, cancellation).roll_back()
        why = permission.warning if permission else ""
        return _published(group, publisher, warned(record, reason.warning, why))


def check(group: GroupContext, progress: Progress, cancellation: Cancellation) -> RunResult:
    """Say whether the group could be rolled back now. Changes nothing (the request is a dry run)."""
    with group.closing():
        warnings: list[str] = []
        parts: dict[str, tuple[RollbackSpec, Fleet]] = {}
        for name, context in group.contexts.items():
            reached = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation)).found
            spec, fleet = _spec_of(context, group.first.reason), _fleet(name, context, progress, cancellation)
            warnings += [f"{name}: {one}" for one in single.warnings_of(context, spec, fleet, reached)]
            parts[name] = spec, fleet
        publisher = group.publisher()
        record = GroupRollback(group.spec(), parts, publisher, progress, cancellation).roll_back()
        return _published(group, publisher, warned(record, group.first.reason.warning, *warnings))


def guard(group: GroupContext, progress: Progress, cancellation: Cancellation) -> RunResult:
    """Watch the live releases of all services. When one is unhealthy, the group is rolled back.

    Raises ``UsageError`` for a limit that a guard does not have.
    """
    refuse(group.first.request, *UNHEEDED)
    reason, publisher = Reason("guard: are the live releases healthy?"), group.publisher()

    def guarded(name: str, context: Context) -> GuardedService:
        def anew() -> Fleet:
            return _fleet(name, replace(context), progress, cancellation)

        fleet, most = _fleet(name, context, progress, cancellation), context.job.service.guard.max_per_day
        return GuardedService(_spec_of(context, reason), fleet, anew, most)

    with group.closing():
        services = {name: guarded(name, context) for name, context in group.contexts.items()}
        record, decision = guard_group(group.spec(), services, publisher, progress, cancellation)
        return replace(_published(group, publisher, record), decision=decision)


def for_each(group: GroupContext, work: Callable[[Context], T]) -> dict[str, T]:
    """Do the work for all services at the same time. Raises the first error of any of them."""
    found = each(group.contexts, lambda name: work(group.contexts[name]), float("inf"), Cancellation())
    for result in found.values():
        if isinstance(result, RollbackOpsError):
            raise result
    return {name: result for name, result in found.items() if not isinstance(result, RollbackOpsError)}


def _spec_of(context: Context, reason: Reason) -> RollbackSpec:
    """Describe the run of one service. The group chooses the target, so the run never tries an older one by itself."""
    spec = spec_of(context, reason)
    policy = spec.policy
    if policy.on_failure == "older":
        policy = policy.model_copy(update={"on_failure": "report"})
    return replace(spec, selection=replace(spec.selection, backup="", resume=False), policy=policy)


def _fleet(name: str, context: Context, progress: Progress, cancellation: Cancellation) -> Fleet:
    return fleet_of(context, ServiceProgress(progress, name), cancellation)


def _refused(group: GroupContext, refusal: RollbackOpsError) -> Record:
    records = []
    for context in group.contexts.values():
        spec = spec_of(context, group.first.reason)
        state = RunState(spec.info, [host.name for host in context.hosts], context.redact, spec.started_at)
        state.decision = Refusal(refusal.message, refusal.hint)
        records.append(record_of(state))
    return group_record(GroupRecord(name=group.name, run=new_run()), records)


def _published(group: GroupContext, publisher: GroupPublisher, record: Record) -> RunResult:
    """Inform others how the run ended. Messages that could not be sent are warnings in the record."""
    published = publisher.ended(record)
    unpublished = tuple(warning for warning in published.warnings if warning not in record.warnings)
    down = {one.service for one in published.services if any(h.outcome in ("failed", "unknown") for h in one.hosts)}
    first_aid = dict.fromkeys(line for name, c in group.contexts.items() if name in down for line in c.first_aid)
    return RunResult(published, tuple(first_aid), unpublished, local=group.first.request.local)
