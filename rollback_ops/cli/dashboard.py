"""``dashboard``: write the page, or serve pages. The only place where the command line meets the pages."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

import click

from rollback_ops.cli import exit as process
from rollback_ops.cli.options import PageSource, TypedOptions
from rollback_ops.cli.output import text
from rollback_ops.cli.output.text import Line
from rollback_ops.commands import dashboard as command
from rollback_ops.commands.context import load_settings
from rollback_ops.core.tasks import Cancellation
from rollback_ops.web import page_file
from rollback_ops.web.pages import Pages, libraries_missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollback_ops.cli.session import Session
    from rollback_ops.commands.dashboard import Snapshot
    from rollback_ops.config.request import CommandOptions

# Records that are read from GitHub: a page of its API has a hundred.
_RECORDS = 1000


def write_page(session: Session, typed: TypedOptions, options: CommandOptions, out: Path) -> NoReturn:
    """Write the page, and end with 1 where a host did not answer: the page shows it as unknown."""
    # Report a missing library, or another file in the way, before a host is contacted.
    Pages()
    page_file.check(out)
    found = _snapshot(session, typed, options, Cancellation())
    session.redactor = found.redact
    page_file.write(out, page_file.whole_page(found, run_workflow(session.environ, typed.workflow or "rollback.yml")))
    lost = {host: error for each in found.observed for host, error in each.lost.items()} | {**found.history.lost}
    session.console.show(text.lost(lost), err=True)
    session.console.show(text.unreadable(found.history.unreadable), err=True)
    session.console.show([Line(f"✓ wrote {out}: {len(found.history.records)} records", "good")])
    raise process.Ended(found.exit_code)


def serve(session: Session, typed: TypedOptions, options: CommandOptions) -> NoReturn:
    """Serve pages until a signal ends it. The link with the token is the only line on standard output."""
    # Report problems with libraries, settings and the port before the link is shown.
    Pages()
    try:
        from rollback_ops.web.server import start
    except ModuleNotFoundError:
        raise libraries_missing() from None
    # Unlike other commands, this one lives for hours.
    gc.enable()
    scope = start.Scope(
        typed.config,
        options.environment,
        options.service,
        bool(options.local),
        typed.page_source is PageSource.github,
        typed.limit or _RECORDS,
    )
    operations = start.Operations(scope, session.environ, session.secrets)
    session.redactor = operations.redactor()

    def tell(told: str) -> None:
        session.console.show([Line(told)], err=True)

    def opened(link: str) -> None:
        click.echo(link)
        tell("The link works once, within ten minutes, in one browser. Ctrl-C ends the dashboard.")
        if not typed.no_browser and not start.browser(link, session.environ):
            tell("No browser could be opened here. Open the link yourself.")

    with session.listening() as cancellation:
        code = start.serve(operations, typed.port, cancellation, opened, tell, session.crashed)
    raise process.Ended(code)


def run_workflow(environ: Mapping[str, str], name: str) -> str:
    """Return the page on GitHub that starts a workflow; empty where no repository is known."""
    repository = environ.get("GITHUB_REPOSITORY")
    if not repository:
        return ""
    server = environ.get("GITHUB_SERVER_URL") or "https://github.com"
    return f"{server}/{quote(repository)}/actions/workflows/{quote(name, safe='')}"


def _snapshot(session: Session, typed: TypedOptions, options: CommandOptions, cancellation: Cancellation) -> Snapshot:
    limit = typed.limit or _RECORDS
    if typed.page_source is PageSource.github:
        return command.of_github(session.environ, options, session.secrets, limit)
    settings = load_settings(typed.config, session.environ)
    return command.of_hosts(settings, session.environ, options, session.secrets, limit, cancellation)
