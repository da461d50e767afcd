"""The command line: the commands with their options, and which function each runs.

Everything that takes time to import is imported when a command runs: ``--help`` answers at once. The survey of the
hosts begins before the rest is imported.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, assert_never

import click

from rollback_ops.cli import exit as process
from rollback_ops.cli.options import (
    HOSTS,
    OF_A_GROUP,
    OF_AN_ENVIRONMENT,
    OF_HISTORY,
    WHERE,
    Commands,
    Source,
    Typed,
    takes,
)
from rollback_ops.cli.session import Session
from rollback_ops.cli.version import version
from rollback_ops.core.errors import UsageError

if TYPE_CHECKING:
    from rollback_ops.commands.context import Context
    from rollback_ops.commands.history import History
    from rollback_ops.commands.schedule import Stores
    from rollback_ops.config.request import Options


_OF_A_SCHEDULE = ("of_env", "only_env", "service", "local", "local_store", "json", "config")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, callback=version, expose_value=False, help="Show the version; with --json more."
)
@click.option("--json", "as_json", is_flag=True, is_eager=True, hidden=True)
def app(as_json: bool) -> None:
    """Put a service back on its last known good release in seconds, verify it, and record it."""
    if as_json:
        raise UsageError("--json stands before the command", "Put it behind the command.")


@app.command()
@takes("env", "service", "group", "backup", "reason", "bad", "approved", "emergency", "dry_run", "if_current",
       "ignore_schema", "wait", "ignore_deploy_lock", *WHERE, "trigger", "pinned", "shard", "so_far", "json",
       "record", "config")  # fmt: skip
def rollback(session: Session, typed: Typed) -> None:
    """Go back to the last known good release, and verify it."""
    _change(session, typed, pins=True)


@app.command()
@takes("env", "service", "reason", "ignore_schema", "wait", "ignore_deploy_lock", *WHERE, "json", "record", "config")
def resume(session: Session, typed: Typed) -> None:
    """Finish a rollback that was interrupted, or its other waves."""
    _change(session, typed, resume=True)


@app.command()
@takes("env", "service", "backup", "reason", "bad", "ignore_schema", "wait", "ignore_deploy_lock", *WHERE, "trigger",
       "size", "plan", "json", "config")  # fmt: skip
def shards(session: Session, typed: Typed) -> None:
    """Plan a rollback of very many hosts, and divide it into the jobs of a matrix. Changes nothing."""
    context = _open(session, typed, change=True)
    from rollback_ops.cli import show
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.shards import shards as run

    with session.listening() as cancellation:
        show.shards(session, run(context, TerminalProgress(session.console, quiet=True), cancellation))


@app.command()
@takes("records", "plan", "json", "record", "config")
def merge(session: Session, typed: Typed) -> None:
    """Make one record of the records of all shards, and tell it once. Contacts no host."""
    from rollback_ops.cli import show
    from rollback_ops.cli.output import text
    from rollback_ops.commands.context import load_settings
    from rollback_ops.commands.merge import merge as run

    settings = load_settings(typed.config, session.environ)
    merged = run(_options(typed), settings, session.environ, session.secrets)
    session.redactor = merged.redact
    show.run(session, merged.result, text.result, file=merged.file, as_json=typed.json)


@app.command("list")
@takes(*OF_A_GROUP)
def list_(session: Session, typed: Typed) -> None:
    """Show the releases on each host, and the next target."""
    if _is_of_group(session, typed):
        from rollback_ops.cli import groups

        groups.releases(session, typed, _options(typed))
    context = _open(session, typed, sizes=True)
    from rollback_ops.cli import show
    from rollback_ops.commands.list import list_releases
    from rollback_ops.core.tasks import Cancellation

    show.releases(session, list_releases(context, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "service", "group", "backup", "ignore_deploy_lock", "max_drill_age", *WHERE, "json", "config")
def check(session: Session, typed: Typed) -> None:
    """Say whether a rollback could be done now. Changes nothing."""
    _check(session, typed)


@app.command()
@takes("env", "deployed_at", *OF_A_GROUP[1:])
def verify(session: Session, typed: Typed) -> None:
    """Check the live release, and mark it good or bad."""
    if _is_of_group(session, typed):
        from rollback_ops.cli import groups

        groups.verified(session, typed, _options(typed))
    context = _open(session, typed)
    from rollback_ops.cli import show
    from rollback_ops.commands.verify import verify as run

    with session.listening() as cancellation:
        show.verified(session, run(context, cancellation), as_json=typed.json)


@app.command()
@takes("env", "service", "group", "deployed_at", "rehearse", "window", "wait", "ignore_deploy_lock", *WHERE, "json",
       "record", "config")  # fmt: skip
def guard(session: Session, typed: Typed) -> None:
    """Verify a deployment, and roll it back when it is unhealthy."""
    if _is_of_group(session, typed):
        from rollback_ops.cli import groups

        if typed.rehearse or session.environ.get("ROLLBACK_REHEARSE"):
            raise UsageError("--rehearse is for one service, and --group names several", "Name one with --service.")
        groups.run(session, typed, _options(typed), "guard")
    context = _open(session, typed)
    from rollback_ops.cli import show

    if context.request.rehearse:
        _rehearse(session, typed, context)
    from rollback_ops.cli.output import text
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.guard import guard as run

    with session.listening() as cancellation:
        with TerminalProgress(session.console) as progress:
            result = run(context, progress, cancellation)
        show.run(session, result, text.guarded, file=context.request.record, as_json=typed.json)


@app.command()
@takes("env", "deployed_at", *HOSTS)
def advise(session: Session, typed: Typed) -> None:
    """Say whether to roll back, by rules that are shown. Changes nothing."""
    context = _open(session, typed, dry_run=True)
    from rollback_ops.cli import show
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.advise import advise as run

    with session.listening() as cancellation:
        progress = TerminalProgress(session.console, quiet=True)
        show.advice(session, run(context, progress, cancellation), as_json=typed.json)


@app.command()
@takes("env", "revision", *HOSTS)
def outlook(session: Session, typed: Typed) -> None:
    """Say how ready the way back is, and how often deployments failed. Forbids nothing."""
    context = _open(session, typed, dry_run=True)
    from rollback_ops.cli import show
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.outlook import outlook as run

    with session.listening() as cancellation:
        progress = TerminalProgress(session.console, quiet=True)
        show.outlook(session, run(context, progress, cancellation), as_json=typed.json)


@app.command()
@takes("env", "release", *HOSTS)
def seal(session: Session, typed: Typed) -> None:
    """Write the integrity manifest of a release. A rollback compares it before the service is stopped."""
    context = _open(session, typed)
    from rollback_ops.cli import show
    from rollback_ops.commands.seal import seal as run
    from rollback_ops.core.tasks import Cancellation

    show.sealed(session, run(context, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "release", "opinion", "reason", *HOSTS)
def mark(session: Session, typed: Typed) -> None:
    """Mark a release good or bad, or clear its mark. A rollback never chooses a bad one by itself."""
    if typed.release is None or typed.opinion is None:
        raise UsageError("name the release, and good, bad or clear", "rollback-ops mark ENV RELEASE bad --reason TEXT")
    context = _open(session, typed, change=True)
    from rollback_ops.cli import show
    from rollback_ops.commands.mark import mark as run
    from rollback_ops.core.tasks import Cancellation

    marked = run(context, typed.release, typed.opinion.value, Cancellation())
    show.marked(session, marked, as_json=typed.json)


@app.command()
@takes("env", "reason", "span", "lift", *HOSTS)
def hold(session: Session, typed: Typed) -> None:
    """Hold deployments for a while, lift all holds, or show them."""
    context = _open(session, typed)
    from rollback_ops.cli import show
    from rollback_ops.commands.hold import hold as run
    from rollback_ops.core.tasks import Cancellation

    show.holds(session, run(context, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "service", "backup", *WHERE, "json", "config")
def preview(session: Session, typed: Typed) -> None:
    """Show which commits and migrations a rollback would take away. Changes nothing."""
    context = _open(session, typed, dry_run=True)
    from rollback_ops.cli import show
    from rollback_ops.commands.preview import preview as run
    from rollback_ops.core.tasks import Cancellation

    show.preview(session, run(context, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "span", *HOSTS)
def arm(session: Session, typed: Typed) -> None:
    """Let hosts go back by themselves, unless `confirm` comes. They go to the release that is live now."""
    context = _open(session, typed)
    from rollback_ops.cli import show
    from rollback_ops.commands.arm import arm as run
    from rollback_ops.core.tasks import Cancellation

    show.armed(session, run(context, Cancellation()), as_json=typed.json)


@app.command()
@takes(*OF_AN_ENVIRONMENT)
def confirm(session: Session, typed: Typed) -> None:
    """Keep what was deployed since `arm`. The hosts do not go back by themselves any more."""
    context = _open(session, typed)
    from rollback_ops.cli import show
    from rollback_ops.commands.arm import confirm as run
    from rollback_ops.core.tasks import Cancellation

    show.confirmed(session, run(context, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "revision", "to_deploy", "allow_bad", *HOSTS)
def gate(session: Session, typed: Typed) -> None:
    """Say whether a release may be deployed. A hold and the mark bad forbid it. Changes nothing."""
    context = _open(session, typed, survey=False)
    from rollback_ops.cli import show
    from rollback_ops.commands.context import load_settings
    from rollback_ops.commands.gate import gate as run
    from rollback_ops.commands.gate import other_environments
    from rollback_ops.core.tasks import Cancellation

    settings = load_settings(typed.config, session.environ)
    others = other_environments(context, settings, session.environ, _options(typed), session.secrets)
    show.gate(session, run(context, others, Cancellation()), as_json=typed.json)


@app.command()
@takes(*OF_AN_ENVIRONMENT)
def install(session: Session, typed: Typed) -> None:
    """Install the break-glass program on the hosts. Run it again after you change settings."""
    context = _open(session, typed, survey=False)
    from rollback_ops.cli import show
    from rollback_ops.commands.install import install as run
    from rollback_ops.core.tasks import Cancellation

    show.installation(session, run(context, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "purge", *HOSTS)
def uninstall(session: Session, typed: Typed) -> None:
    """Remove the break-glass program from the hosts. Releases and the journal stay."""
    context = _open(session, typed, survey=False)
    from rollback_ops.cli import show
    from rollback_ops.commands.install import uninstall as run
    from rollback_ops.core.tasks import Cancellation

    show.uninstalled(session, run(context, Cancellation(), purge=typed.purge), as_json=typed.json)


@app.command()
@takes("address", "root", "service", "for_env", "for_github", "config")
def init(session: Session, typed: Typed) -> None:
    """Look at a host, and write settings for it. Changes nothing on the host.

    With --workflow, also write the workflow of GitHub for the settings; without a HOST, only that.
    """
    from rollback_ops.cli import show
    from rollback_ops.commands.init import Wish, write_workflow
    from rollback_ops.commands.init import init as run

    if typed.address is None:
        if not typed.for_github:
            raise UsageError("name the host to look at", "rollback-ops init deploy@shop1.example.org")
        show.workflow(session, write_workflow(typed.config, session.environ))
        return
    wish = Wish(
        typed.address, typed.root or "", typed.service or "", typed.for_env or "", typed.config, typed.for_github
    )
    written = run(wish, session.environ, session.secrets)
    show.settings(session, written)
    if typed.for_github:
        show.workflow(session, write_workflow(str(written.file), session.environ))
    proposal = written.proposal
    _check(session, Typed(env=proposal.environment, service=proposal.service, config=str(written.file)))


@app.command()
def demo() -> None:
    """Show a whole rollback in a sandbox on this machine."""
    from rollback_ops.cli.demo import run

    raise process.Ended(run())


@app.command(hidden=True)
@takes()
def finish(session: Session, _: Typed) -> None:
    """Complete the record on GitHub at the end of a job whose rollback was killed."""
    from rollback_ops.cli import show
    from rollback_ops.commands.finish import finish as run

    show.finished(session, run(session.environ, session.secrets))


@app.group()
def history() -> None:
    """Show earlier rollbacks, from the hosts or from GitHub."""


@history.command("list")
@takes(*OF_HISTORY)
def history_list(session: Session, typed: Typed) -> None:
    """Show the last rollbacks, newest first (20, or --limit)."""
    limit = typed.limit or 20
    found = _history(session, typed, limit)
    from rollback_ops.cli import show

    show.history(session, found.newest(limit), as_json=typed.json)


@history.command("stats")
@takes(*OF_HISTORY)
def history_stats(session: Session, typed: Typed) -> None:
    """Show success rates, durations and downtimes, by environment, trigger and month."""
    found = _history(session, typed, typed.limit)
    from rollback_ops.cli import show

    show.statistics(session, found.newest(typed.limit), as_json=typed.json)


@history.command("log")
@takes("env", "only_env", "backup", "reason", "failed", "trigger", *HOSTS)
def history_log(session: Session, typed: Typed) -> None:
    """Record a rollback that was done by hand."""
    context = _open(session, typed, survey=False)
    from rollback_ops.cli import show
    from rollback_ops.commands.history import log

    show.logged(session, log(context, failed=typed.failed), as_json=typed.json)


@app.command()
@takes("env", "service", "times", "reason", *WHERE, "json", "record", "config")
def drill(session: Session, typed: Typed) -> None:
    """Roll back and forward again on purpose, and say how long it took. The live release stays the same."""
    context = _open(session, typed, survey=False)
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
def schedule_add(session: Session, typed: Typed) -> None:
    """Plan a rollback. What it would do now is done at that time, and nothing else."""
    context = _open(session, typed, change=True)
    from rollback_ops.cli import show
    from rollback_ops.commands.schedule import add
    from rollback_ops.core.tasks import Cancellation

    show.planned(session, add(context, _stores(session, typed), Cancellation()), as_json=typed.json)


@schedule.command("list")
@takes(*_OF_A_SCHEDULE)
def schedule_list(session: Session, typed: Typed) -> None:
    """Show the scheduled rollbacks, and what became of them."""
    from rollback_ops.cli import show
    from rollback_ops.commands.schedule import entries

    show.schedule(session, entries(_stores(session, typed)), as_json=typed.json)


@schedule.command("cancel")
@takes("number", "only_env", "service", "local", "local_store", "json", "config")
def schedule_cancel(session: Session, typed: Typed) -> None:
    """Cancel a scheduled rollback."""
    from rollback_ops.cli import show
    from rollback_ops.commands.schedule import cancel
    from rollback_ops.config.request import actor_of

    entry = cancel(_stores(session, typed), typed.number or "", actor_of(session.environ))
    show.planned(session, entry, as_json=typed.json)


@schedule.command("run")
@takes(*_OF_A_SCHEDULE)
def schedule_run(session: Session, typed: Typed) -> None:
    """Carry out what is due, after checking everything again."""
    from rollback_ops.cli import show
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.schedule import run_due

    with session.listening() as cancellation:
        stores = _stores(session, typed)
        with TerminalProgress(session.console) as progress:
            ran = run_due(stores, progress, cancellation)
        show.carried_out(session, ran, file=stores.record, as_json=typed.json)


@app.command()
@takes("of_env", "only_env", "port", "no_browser", "out", "page_source", "workflow", "limit", "service", "local",
       "config")  # fmt: skip
def dashboard(session: Session, typed: Typed) -> None:
    """Serve pages in your browser, with a button to roll back; or write one page (--out)."""
    from rollback_ops.cli.dashboard import serve, write_page

    if typed.out is None:
        serve(session, typed, _options(typed))
    write_page(session, typed, _options(typed), Path(typed.out))


@app.command()
@takes("shell")
def completion(_: Session, typed: Typed) -> None:
    """Print the script that completes commands in a shell. For bash: eval "$(rollback-ops completion bash)"."""
    from rollback_ops.cli.completion import script

    click.echo(script(typed.shell or "", app), nl=False)


@app.command("man", hidden=True)
@takes()
def man_(_: Session, __: Typed) -> None:
    """Print the manual page. `man -l` shows it."""
    from rollback_ops.cli.man import page

    click.echo(page(app), nl=False)


@app.command()
@takes()
def schema(session: Session, _: Typed) -> None:
    """Print the JSON Schema of rollback.toml. An editor completes and checks it."""
    from rollback_ops.config.json_schema import json_schema

    session.console.document(json_schema())


def _change(session: Session, typed: Typed, *, resume: bool = False, pins: bool = False) -> None:
    if not resume and _is_of_group(session, typed):
        from rollback_ops.cli import groups

        if typed.pinned or typed.shard or session.environ.get("ROLLBACK_SHARD"):
            raise UsageError("--plan and --shard are of one service, and not of a group", "Use --service.")
        groups.run(session, typed, _options(typed), "rollback")
    context = _open(session, typed, resume=resume, change=True, pins=pins)
    from rollback_ops.cli import show
    from rollback_ops.cli.output import text
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.rollback import rollback as run

    with session.listening() as cancellation:
        with TerminalProgress(session.console) as progress:
            result = run(context, progress, cancellation)
        show.run(session, result, text.result, file=context.request.record, as_json=typed.json)


def _check(session: Session, typed: Typed) -> None:
    if _is_of_group(session, typed):
        from rollback_ops.cli import groups

        groups.run(session, typed, _options(typed, dry_run=True), "check")
    context = _open(session, typed, dry_run=True, change=True)
    from rollback_ops.cli import show
    from rollback_ops.cli.output import text
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.check import check as run

    with session.listening() as cancellation:
        with TerminalProgress(session.console, quiet=True) as progress:
            result = run(context, progress, cancellation)
        show.run(session, result, text.checked, as_json=typed.json)


def _rehearse(session: Session, typed: Typed, context: Context) -> NoReturn:
    from rollback_ops.cli import show
    from rollback_ops.commands.rehearse import rehearse as run

    with session.listening() as cancellation:
        show.rehearsal(session, run(context, cancellation), as_json=typed.json)


def _is_of_group(session: Session, typed: Typed) -> bool:
    """Return whether a group was named, with its option or its variable."""
    return typed.group is not None or bool(session.environ.get("ROLLBACK_GROUP"))


def _history(session: Session, typed: Typed, limit: int | None) -> History:
    from rollback_ops.commands import history as command
    from rollback_ops.commands.context import load_settings

    options = _options(typed)
    match typed.source:
        case Source.github:
            return command.from_github(session.environ, options, session.secrets, limit)
        case Source.journal:
            settings = load_settings(typed.config, session.environ)
            return command.from_journals(settings, session.environ, options, session.secrets)
    assert_never(typed.source)


def _stores(session: Session, typed: Typed) -> Stores:
    from rollback_ops.commands.context import load_settings
    from rollback_ops.commands.schedule import Stores

    settings = load_settings(typed.config, session.environ)
    options = _options(typed)
    return Stores(settings, session.environ, options, session.secrets, in_journals=typed.local_store)


def _open(
    session: Session,
    typed: Typed,
    *,
    sizes: bool = False,
    resume: bool = False,
    dry_run: bool = False,
    survey: bool = True,
    change: bool = False,
    pins: bool = False,
) -> Context:
    """Connect the parts, and begin the survey of the hosts. A ``change`` needs a reason and the permission first."""
    from rollback_ops.commands.context import load_settings, open_context

    options = _options(typed, resume=resume, dry_run=dry_run)
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


def _options(typed: Typed, *, resume: bool = False, dry_run: bool = False) -> Options:
    from rollback_ops.config.request import Options

    return Options(
        environment=_environment(typed),
        service=typed.service,
        group=typed.group,
        release=typed.release or typed.to_deploy,
        backup=typed.backup,
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


def _environment(typed: Typed) -> str | None:
    """Return the environment of the argument or of ``--env``. Raises ``UsageError`` when both were given."""
    named = {name for name in (typed.env, typed.of_env, typed.only_env) if name is not None}
    if len(named) > 1:
        raise UsageError(f"two environments were named: {typed.env or typed.of_env} and, with --env, {typed.only_env}")
    return named.pop() if named else None


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and exit with its code. Errors that this package raises are never shown as a traceback."""
    # A command lives for seconds: collecting garbage while modules are imported only makes it start later.
    gc.disable()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, process.at_once)
    session = Session(os.environ)
    process.guard_outputs(session.crashed)
    sys.exit(int(session.run(lambda: app(arguments, prog_name="rollback-ops", obj=session))))
