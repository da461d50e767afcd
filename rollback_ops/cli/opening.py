"""The beginning of a command: reads the options, connects the parts, and begins the survey."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rollback_ops.cli.options import TypedOptions
from rollback_ops.cli.session import Session
from rollback_ops.core.errors import UsageError

if TYPE_CHECKING:
    from rollback_ops.commands.context import Context, Pins
    from rollback_ops.config.request import CommandOptions


def opened(
    session: Session,
    typed: TypedOptions,
    *,
    sizes: bool = False,
    resume: bool = False,
    dry_run: bool = False,
    survey: bool = True,
    change: bool = False,
    pins: Pins | None = None,
) -> Context:
    """Connect the parts, and begin the survey of the hosts. A ``change`` needs a reason and the permission first."""
    from rollback_ops.commands.context import load_settings, open_context

    options = options_of(typed, resume=resume, dry_run=dry_run)
    settings = load_settings(typed.config, session.environ)
    context = open_context(
        settings, session.environ, options, session.secrets, sizes=sizes, started_at=session.started_at, pins=pins
    )
    session.redactor = context.redact
    if change and not typed.json:
        session.ask_for_reason(context)
    if survey:
        context.begin(change=change)
    return context


def options_of(typed: TypedOptions, *, resume: bool = False, dry_run: bool = False) -> CommandOptions:
    from rollback_ops.config.request import CommandOptions

    return CommandOptions(
        environment=_environment(typed),
        service=typed.service,
        group=typed.group,
        release=typed.release or typed.to_deploy,
        backup=typed.restored if typed.backup is None else typed.backup,
        reason=typed.reason,
        emergency=typed.emergency,
        bad=typed.bad,
        approved=typed.approved,
        dry_run=True if dry_run else typed.dry_run,
        if_current=typed.if_current,
        wait=typed.wait,
        ignore_schema=typed.ignore_schema,
        span=typed.span,
        lift=typed.lift,
        at=typed.at,
        not_after=typed.not_after,
        number=typed.number,
        max_drill_age=typed.max_drill_age,
        revision=typed.revision,
        allow_bad=typed.allow_bad,
        ignore_deploy_lock=typed.ignore_deploy_lock,
        resume=resume,
        hosts=tuple(typed.host),
        regions=typed.region,
        exclude_regions=typed.exclude_region,
        trigger=typed.trigger,
        local=typed.local,
        record=Path(typed.record) if typed.record else None,
        since=typed.since or typed.deployed_at,
        rehearse=typed.rehearse,
        window=typed.window,
        plan=Path(plan) if (plan := typed.plan or typed.pinned) else None,
        shard=typed.shard,
        size=typed.size,
        records=tuple(map(Path, typed.records or typed.so_far)),
    )


def _environment(typed: TypedOptions) -> str | None:
    """Return the environment of the argument or of ``--env``. Raises ``UsageError`` when both were given."""
    named = {name for name in (typed.env, typed.of_env, typed.only_env) if name is not None}
    if len(named) > 1:
        raise UsageError(f"two environments were named: {typed.env or typed.of_env} and, with --env, {typed.only_env}")
    return named.pop() if named else None


def is_of_group(session: Session, typed: TypedOptions) -> bool:
    """Return whether a group was named, with its option or its variable."""
    return typed.group is not None or bool(session.environ.get("ROLLBACK_GROUP"))
