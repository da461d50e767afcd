"""The commands that change the live release, or mark releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollback_ops.cli.opening import is_of_group, opened, options_of
from rollback_ops.cli.options import HOSTS, OF_A_GROUP, WHERE, TypedOptions, takes
from rollback_ops.cli.root import app
from rollback_ops.cli.session import Session
from rollback_ops.core.errors import UsageError

if TYPE_CHECKING:
    from rollback_ops.commands.context import Pins
    from rollback_ops.commands.schedule_stores import Stores

_OF_A_SCHEDULE = ("of_env", "only_env", "service", "local", "local_store", "json", "config")


def _change(session: Session, typed: TypedOptions, *, resume: bool = False, pins: Pins | None = None) -> None:
    if is_of_group(session, typed):
        from rollback_ops.cli import groups

        groups.run(session, typed, options_of(typed, resume=resume), "rollback")
    context = opened(session, typed, resume=resume, change=True, pins=pins)
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.rollback import rollback as run

    with session.listening() as cancellation:
        with TerminalProgress(session.console) as progress:
            result = run(context, progress, cancellation)
        # Imported while the hosts were at work, where there was something to change.
        from rollback_ops.cli import show
        from rollback_ops.cli.output import text

        show.run(session, result, text.result, file=context.request.record, as_json=typed.json)


@app.command()
@takes("env", "service", "group", "backup", "reason", "bad", "approved", "emergency", "dry_run", "if_current",
       "ignore_schema", "wait", "ignore_deploy_lock", *WHERE, "trigger", "pinned", "shard", "so_far", "json",
       "record", "config")  # fmt: skip
def rollback(session: Session, typed: TypedOptions) -> None:
    """Go back to the last known good release, and verify it."""
    _change(session, typed, pins="a shard")


@app.command()
@takes("env", "service", "group", "reason", "ignore_schema", "wait", "ignore_deploy_lock", *WHERE, "json", "record",
       "config")  # fmt: skip
def resume(session: Session, typed: TypedOptions) -> None:
    """Finish a rollback that was interrupted, or its other waves."""
    _change(session, typed, resume=True)


@app.command()
@takes("env", "service", "backup", "reason", "bad", "ignore_schema", "wait", "ignore_deploy_lock", *WHERE, "trigger",
       "size", "plan", "so_far", "json", "config")  # fmt: skip
def shards(session: Session, typed: TypedOptions) -> None:
    """Plan a rollback of very many hosts, in shards for jobs. Changes nothing."""
    context = opened(session, typed, change=True, pins="all shards")
    from rollback_ops.cli import show
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.shards import shards as run

    with session.listening() as cancellation:
        show.shards(session, run(context, TerminalProgress(session.console, quiet=True), cancellation))


@app.command()
@takes("records", "plan", "json", "record", "config")
def merge(session: Session, typed: TypedOptions) -> None:
    """Merge the records of all shards into one, and publish it once. Contacts no host."""
    from rollback_ops.cli import show
    from rollback_ops.cli.output import text
    from rollback_ops.commands.context import load_settings
    from rollback_ops.commands.merge import merge as run

    settings = load_settings(typed.config, session.environ)
    merged = run(options_of(typed), settings, session.environ, session.secrets)
    session.redactor = merged.redact
    show.run(session, merged.result, text.result, file=merged.file, as_json=typed.json)


@app.command()
@takes("env", "deployed_at", *OF_A_GROUP[1:])
def verify(session: Session, typed: TypedOptions) -> None:
    """Check the live release, and mark it good or bad."""
    if is_of_group(session, typed):
        from rollback_ops.cli import groups

        groups.verified(session, typed, options_of(typed))
    context = opened(session, typed)
    from rollback_ops.cli import show
    from rollback_ops.commands.verify import verify as run

    with session.listening() as cancellation:
        show.verified(session, run(context, cancellation), as_json=typed.json)


@app.command()
@takes("env", "release", "opinion", "reason", *HOSTS)
def mark(session: Session, typed: TypedOptions) -> None:
    """Mark a release good or bad, or clear its mark. A rollback never chooses a bad one by itself."""
    if typed.release is None or typed.opinion is None:
        raise UsageError("name the release, and good, bad or clear", "rollback-ops mark ENV RELEASE bad --reason TEXT")
    context = opened(session, typed, change=True)
    from rollback_ops.cli import show
    from rollback_ops.commands.mark import mark as run
    from rollback_ops.core.tasks import Cancellation

    marked = run(context, typed.release, typed.opinion.value, Cancellation())
    show.marked(session, marked, as_json=typed.json)


@app.command()
@takes("env", "service", "times", "reason", *WHERE, "json", "record", "config")
def drill(session: Session, typed: TypedOptions) -> None:
    """Roll back and forward again on purpose, and time both ways. The live release stays the same."""
    context = opened(session, typed, survey=False)
    from rollback_ops.cli import show
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.drill import drill as run

    with session.listening() as cancellation:
        with TerminalProgress(session.console) as progress:
            done = run(context, typed.times, progress, cancellation)
        show.drills(session, done, file=context.request.record, as_json=typed.json)


@app.group()
def schedule() -> None:
    """Plan a rollback for a time, and carry out what is due."""


@schedule.command("add")
@takes("env", "at", "not_after", "backup", "reason", "service", *WHERE, "local_store", "json", "config")
def schedule_add(session: Session, typed: TypedOptions) -> None:
    """Plan a rollback. At that time it does what it would do now, or nothing."""
    context = opened(session, typed, change=True)
    from rollback_ops.cli import show
    from rollback_ops.commands.schedule import add
    from rollback_ops.core.tasks import Cancellation

    show.planned(session, add(context, _stores(session, typed), Cancellation()), as_json=typed.json)


@schedule.command("list")
@takes(*_OF_A_SCHEDULE)
def schedule_list(session: Session, typed: TypedOptions) -> None:
    """Show the scheduled rollbacks, and what became of them."""
    from rollback_ops.cli import show
    from rollback_ops.commands.schedule import entries

    show.schedule(session, entries(_stores(session, typed)), as_json=typed.json)


@schedule.command("cancel")
@takes("number", "only_env", "service", "local", "local_store", "json", "config")
def schedule_cancel(session: Session, typed: TypedOptions) -> None:
    """Cancel a scheduled rollback."""
    from rollback_ops.cli import show
    from rollback_ops.commands.schedule import cancel
    from rollback_ops.config.starter import actor_of

    stores = _stores(session, typed)
    entry = cancel(stores, stores.number, actor_of(session.environ))
    show.planned(session, entry, as_json=typed.json)


@schedule.command("run")
@takes(*_OF_A_SCHEDULE)
def schedule_run(session: Session, typed: TypedOptions) -> None:
    """Carry out what is due, after checking everything again."""
    from rollback_ops.cli import show
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.schedule_run import run_due

    with session.listening() as cancellation:
        stores = _stores(session, typed)
        with TerminalProgress(session.console) as progress:
            ran = run_due(stores, progress, cancellation)
        show.carried_out(session, ran, file=stores.record, as_json=typed.json)


def _stores(session: Session, typed: TypedOptions) -> Stores:
    from rollback_ops.commands.context import load_settings
    from rollback_ops.commands.schedule_stores import Stores

    settings = load_settings(typed.config, session.environ)
    options = options_of(typed)
    return Stores(settings, session.environ, options, session.secrets, in_journals=typed.local_store)


@app.command(hidden=True)
@takes()
def finish(session: Session, _: TypedOptions) -> None:
    """Complete the record on GitHub at the end of a job whose rollback was killed."""
    from rollback_ops.cli import show
    from rollback_ops.commands.finish import finish as run

    show.finished(session, run(session.environ, session.secrets))
