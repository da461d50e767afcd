"""The root of the command line, to which the modules of ``cli.verbs`` add their commands."""

from __future__ import annotations

import click

from rollback_ops.cli.options import Commands
from rollback_ops.cli.version import version
from rollback_ops.core.errors import UsageError


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, callback=version, expose_value=False, help="Show the version; with --json more."
)
@click.option("--json", "as_json", is_flag=True, is_eager=True, hidden=True)
def app(as_json: bool) -> None:
    """Put a service back on its last known good release in seconds, verify it, and record it."""
    if as_json:
        raise UsageError("--json was given before the command", "Give it after the command.")
