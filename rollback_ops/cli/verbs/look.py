"""The commands that only show: the releases, the history, and what a rollback would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from rollback_ops.cli.opening import is_of_group, opened, options_of
from rollback_ops.cli.options import HOSTS, OF_A_GROUP, OF_HISTORY, WHERE, Source, TypedOptions, takes
from rollback_ops.cli.root import app
from rollback_ops.cli.session import Session

if TYPE_CHECKING:
    from rollback_ops.commands.history import History


@app.command()
@takes("env", "service", "group", "backup", "ignore_deploy_lock", "max_drill_age", *WHERE, "json", "config")
def check(session: Session, typed: TypedOptions) -> None:
    """Say whether a rollback could be done now. Changes nothing."""
    check_for(session, typed)


def check_for(session: Session, typed: TypedOptions) -> None:
    if is_of_group(session, typed):
        from rollback_ops.cli import groups

        groups.run(session, typed, options_of(typed, dry_run=True), "check")
    context = opened(session, typed, dry_run=True, change=True)
    from rollback_ops.cli import show
    from rollback_ops.cli.output import text
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.check import check as run

    with session.listening() as cancellation:
        with TerminalProgress(session.console, quiet=True) as progress:
            result = run(context, progress, cancellation)
        show.run(session, result, text.checked, as_json=typed.json)


@app.command("list")
@takes(*OF_A_GROUP)
def list_(session: Session, typed: TypedOptions) -> None:
    """Show the releases on each host, and the next target."""
    if is_of_group(session, typed):
        from rollback_ops.cli import groups

        groups.releases(session, typed, options_of(typed))
    context = opened(session, typed, sizes=True)
    from rollback_ops.cli import show
    from rollback_ops.commands.list import list_releases
    from rollback_ops.core.tasks import Cancellation

    show.releases(session, list_releases(context, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "service", "group", "backup", *WHERE, "json", "config")
def preview(session: Session, typed: TypedOptions) -> None:
    """Show which commits and migrations a rollback would take away. Changes nothing."""
    if is_of_group(session, typed):
        from rollback_ops.cli import groups

        groups.previewed(session, typed, options_of(typed, dry_run=True))
    context = opened(session, typed, dry_run=True)
    from rollback_ops.cli import show
    from rollback_ops.commands.preview import preview as run
    from rollback_ops.core.tasks import Cancellation

    show.preview(session, run(context, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "deployed_at", "window", *HOSTS)
def advise(session: Session, typed: TypedOptions) -> None:
    """Say whether to roll back, by rules that are shown. Changes nothing."""
    context = opened(session, typed, dry_run=True)
    from rollback_ops.cli import show
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.advise import advise as run

    with session.listening() as cancellation:
        progress = TerminalProgress(session.console, quiet=True)
        show.advice(session, run(context, progress, cancellation), as_json=typed.json)


@app.command()
@takes("env", "revision", *HOSTS)
def outlook(session: Session, typed: TypedOptions) -> None:
    """Show whether a rollback is ready, and past failure rates. Forbids nothing."""
    context = opened(session, typed, dry_run=True)
    from rollback_ops.cli import show
    from rollback_ops.cli.output.terminal import TerminalProgress
    from rollback_ops.commands.outlook import outlook as run

    with session.listening() as cancellation:
        progress = TerminalProgress(session.console, quiet=True)
        show.outlook(session, run(context, progress, cancellation), as_json=typed.json)


@app.group()
def history() -> None:
    """Show earlier rollbacks, from the hosts or from GitHub."""


@history.command("list")
@takes(*OF_HISTORY)
def history_list(session: Session, typed: TypedOptions) -> None:
    """Show the last rollbacks, newest first (20, or --limit)."""
    limit = typed.limit or 20
    found = _history(session, typed, limit)
    from rollback_ops.cli import show

    show.history(session, found.newest(limit), as_json=typed.json)


@history.command("stats")
@takes(*OF_HISTORY)
def history_stats(session: Session, typed: TypedOptions) -> None:
    """Show success rates, durations and downtimes, by environment, trigger and month."""
    found = _history(session, typed, typed.limit, deployments=True)
    from rollback_ops.cli import show

    show.statistics(session, found.newest(typed.limit), as_json=typed.json)


@history.command("show")
@takes("run", "only_env", *HOSTS)
def history_show(session: Session, typed: TypedOptions) -> None:
    """Show one run: its record, its events on each host, and the service's log since then."""
    from rollback_ops.cli import show
    from rollback_ops.commands.context import load_settings
    from rollback_ops.commands.trace import find

    settings = load_settings(typed.config, session.environ)
    found = find(settings, session.environ, options_of(typed), session.secrets, typed.run or "")
    show.traces(session, found, as_json=typed.json)


@history.command("log")
@takes("env", "only_env", "restored", "reason", "failed", "trigger", *HOSTS)
def history_log(session: Session, typed: TypedOptions) -> None:
    """Record a rollback that was done by hand.

    Each host gets the record in its journal. Nothing else is changed.
    """
    context = opened(session, typed, survey=False)
    from rollback_ops.cli import show
    from rollback_ops.commands.history import log

    show.logged(session, log(context, failed=typed.failed), as_json=typed.json)


def _history(session: Session, typed: TypedOptions, limit: int | None, *, deployments: bool = False) -> History:
    from rollback_ops.commands import history as command
    from rollback_ops.commands.context import load_settings

    options = options_of(typed)
    match typed.source:
        case Source.github:
            return command.from_github(session.environ, options, session.secrets, limit, deployments=deployments)
        case Source.journal:
            settings = load_settings(typed.config, session.environ)
            return command.from_journals(settings, session.environ, options, session.secrets, deployments=deployments)
    assert_never(typed.source)


@app.command()
@takes("of_env", "only_env", "port", "no_browser", "out", "page_source", "workflow", "limit", "service", "local",
       "config")  # fmt: skip
def dashboard(session: Session, typed: TypedOptions) -> None:
    """Serve pages in your browser, or write one page (--out). The pages in the browser can roll back."""
    from rollback_ops.cli.dashboard import serve, write_page

    if typed.out is None:
        serve(session, typed, options_of(typed))
    write_page(session, typed, options_of(typed), Path(typed.out))
