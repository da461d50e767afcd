"""Runs the commands for a group of services, and shows their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NoReturn

if TYPE_CHECKING:
    from rollback_ops.cli.options import TypedOptions
    from rollback_ops.cli.session import Session
    from rollback_ops.commands.group import GroupContext
    from rollback_ops.config.request import CommandOptions


def run(
    session: Session, typed: TypedOptions, options: CommandOptions, command: Literal["rollback", "check", "guard"]
) -> NoReturn:
    """Run a command for the services of a group together."""
    checks = command == "check"
    group = _open(session, typed, options, change=command != "guard")
    from rollback_ops.cli import show
    from rollback_ops.cli.output import text
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands import group as commands

    work = {"rollback": commands.rollback, "check": commands.check, "guard": commands.guard}[command]
    told = {"rollback": text.result, "check": text.checked, "guard": text.guarded}[command]
    with session.listening() as cancellation:
        with TerminalProgress(session.console, quiet=checks) as progress:
            result = work(group, progress, cancellation)
        show.run(session, result, told, file=group.first.request.record, as_json=typed.json)


def releases(session: Session, typed: TypedOptions, options: CommandOptions) -> NoReturn:
    group = _open(session, typed, options, sizes=True)
    from rollback_ops.cli import show
    from rollback_ops.commands.group import for_each
    from rollback_ops.commands.list import list_releases
    from rollback_ops.core.tasks import Cancellation

    found = for_each(group, lambda context: list_releases(context, Cancellation()))
    show.releases_of_group(session, group.name, found, as_json=typed.json)


def previewed(session: Session, typed: TypedOptions, options: CommandOptions) -> NoReturn:
    group = _open(session, typed, options)
    from rollback_ops.cli import show
    from rollback_ops.commands.preview_group import preview_group
    from rollback_ops.core.tasks import Cancellation

    show.group_preview(session, preview_group(group, Cancellation()), as_json=typed.json)


def verified(session: Session, typed: TypedOptions, options: CommandOptions) -> NoReturn:
    group = _open(session, typed, options)
    from rollback_ops.cli import show
    from rollback_ops.commands.group import for_each
    from rollback_ops.commands.verify import verify

    with session.listening() as cancellation:
        found = for_each(group, lambda context: verify(context, cancellation))
        show.verified_group(session, group.name, found, as_json=typed.json)


def _open(
    session: Session, typed: TypedOptions, options: CommandOptions, *, sizes: bool = False, change: bool = False
) -> GroupContext:
    """Connect the parts of all services, and begin their surveys. A ``change`` needs the permission first."""
    from rollback_ops.commands.context import load_settings
    from rollback_ops.commands.group import open_group

    settings = load_settings(typed.config, session.environ)
    group = open_group(settings, session.environ, options, session.secrets, sizes=sizes, started_at=session.started_at)
    session.redactor = group.redact
    if change and not typed.json:
        session.ask_for_reason(group.first)
    group.begin(change=change)
    return group
