"""What can be typed behind several commands, each with its help."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from rollback_ops import __version__

Env = Annotated[str | None, typer.Argument(metavar="ENV", help="The environment: test, prod, … [ROLLBACK_ENVIRONMENT]")]
ServiceName = Annotated[
    str | None, typer.Option("--service", metavar="NAME", help="The service, where there are several.")
]
Hosts = Annotated[list[str] | None, typer.Option("--host", metavar="HOST", help="Only this host; may be repeated.")]
Local = Annotated[bool | None, typer.Option("--local", help="On this machine, without SSH.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Config = Annotated[str | None, typer.Option("--config", metavar="FILE", help="The settings. [default: rollback.toml]")]
Backup = Annotated[
    str | None, typer.Option("--backup", "--to", metavar="NAME", help="This release instead of the last good one.")
]
Why = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it goes on the record.")]
Emergency = Annotated[bool | None, typer.Option("--emergency", help="Fewer questions, no verification, breaks a lock.")]
DryRun = Annotated[bool | None, typer.Option("--dry-run", help="Say what would happen; change nothing.")]
IfCurrent = Annotated[str | None, typer.Option("--if-current", metavar="NAME", help="Only where this release is live.")]
Trigger = Annotated[str | None, typer.Option("--trigger", metavar="T", help="What started it: deploy-failed, …")]
RecordFile = Annotated[str | None, typer.Option("--record", metavar="FILE", help="Also write the record to this file.")]


class Source(StrEnum):
    """Where the past is read from."""

    journal = "journal"
    github = "github"


Where = Annotated[Source, typer.Option("--source", metavar="S", help="The hosts' journals, or github's deployments.")]
HistoryEnv = Annotated[str | None, typer.Option("--env", metavar="ENV", help="Only this environment.")]


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"rollback-ops {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")]
