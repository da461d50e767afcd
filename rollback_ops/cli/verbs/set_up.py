"""The commands that set the program up."""

from __future__ import annotations

import click

from rollback_ops.cli import exit as process
from rollback_ops.cli.opening import opened
from rollback_ops.cli.options import HOSTS, OF_AN_ENVIRONMENT, TypedOptions, takes
from rollback_ops.cli.root import app
from rollback_ops.cli.session import Session
from rollback_ops.cli.verbs.look import check_for
from rollback_ops.core.errors import UsageError


@app.command()
@takes("address", "root", "service", "for_env", "for_github", "config")
def init(session: Session, typed: TypedOptions) -> None:
    """Look at a host, and write settings for it. Changes nothing on the host.

    With --workflow, also write the workflow of GitHub for the settings; without a HOST, only that.
    """
    from rollback_ops.cli import show
    from rollback_ops.commands.init import InitOptions, write_workflow
    from rollback_ops.commands.init import init as run

    if typed.address is None:
        if not typed.for_github:
            raise UsageError("name the host to look at", "rollback-ops init deploy@shop1.example.org")
        show.workflow(session, write_workflow(typed.config, session.environ))
        return
    options = InitOptions(
        typed.address, typed.root or "", typed.service or "", typed.for_env or "", typed.config, typed.for_github
    )
    written = run(options, session.environ, session.secrets)
    show.settings(session, written)
    if typed.for_github:
        show.workflow(session, write_workflow(str(written.file), session.environ))
    proposal = written.proposal
    check_for(session, TypedOptions(env=proposal.environment, service=proposal.service, config=str(written.file)))


@app.command()
@takes(*OF_AN_ENVIRONMENT)
def install(session: Session, typed: TypedOptions) -> None:
    """Install the break-glass program on the hosts. Run it again after you change settings."""
    context = opened(session, typed, survey=False)
    from rollback_ops.cli import show
    from rollback_ops.commands.install import install as run
    from rollback_ops.core.tasks import Cancellation

    show.installation(session, run(context, Cancellation()), as_json=typed.json)


@app.command()
@takes("env", "purge", *HOSTS)
def uninstall(session: Session, typed: TypedOptions) -> None:
    """Remove the break-glass program from the hosts. Releases and the journal stay."""
    context = opened(session, typed, survey=False)
    from rollback_ops.cli import show
    from rollback_ops.commands.install import uninstall as run
    from rollback_ops.core.tasks import Cancellation

    show.uninstalled(session, run(context, Cancellation(), purge=typed.purge), as_json=typed.json)


@app.command()
@takes("shell")
def completion(_: Session, typed: TypedOptions) -> None:
    """Print the script that completes commands in a shell. For bash: eval "$(rollback-ops completion bash)"."""
    from rollback_ops.cli.completion import script

    click.echo(script(typed.shell or "", app), nl=False)


@app.command("man", hidden=True)
@takes()
def man_(_: Session, __: TypedOptions) -> None:
    """Print the manual page. `man -l` shows it."""
    from rollback_ops.cli.man import page

    click.echo(page(app), nl=False)


@app.command()
@takes()
def schema(session: Session, _: TypedOptions) -> None:
    """Print the JSON Schema of rollback.toml. An editor completes and checks it."""
    from rollback_ops.config.json_schema import json_schema

    session.console.document(json_schema())


@app.command()
def demo() -> None:
    """Show a whole rollback in a sandbox on this machine."""
    from rollback_ops.cli.demo import run

    raise process.Ended(run())
