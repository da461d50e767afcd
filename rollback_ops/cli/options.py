"""What can be typed after a command: every option once, with its help, and which command takes which."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperOption

from rollback_ops import __version__
from rollback_ops.cli.session import Session
from rollback_ops.core.errors import UsageError


class OpinionWord(StrEnum):
    """What a person says of a release."""

    good = "good"
    bad = "bad"
    clear = "clear"


class Source(StrEnum):
    """Where history is read from."""

    journal = "journal"
    github = "github"


@dataclass(frozen=True, slots=True)
class Typed:
    """All options of all commands. None: not typed."""

    env: Annotated[
        str | None, typer.Argument(metavar="ENV", help="The environment: test, prod, … [ROLLBACK_ENVIRONMENT]")
    ] = None
    release: Annotated[str | None, typer.Argument(metavar="RELEASE", help="The release. [default: the live one]")] = (
        None
    )
    opinion: Annotated[OpinionWord | None, typer.Argument(metavar="MARK", help="good, bad, or clear.")] = None
    of_env: Annotated[
        str | None, typer.Argument(metavar="ENV", help="Only this environment; also as --env. [default: all]")
    ] = None
    only_env: Annotated[str | None, typer.Option("--env", metavar="ENV", help="Only this environment.")] = None
    service: Annotated[
        str | None, typer.Option("--service", metavar="NAME", help="The service, where there are several.")
    ] = None
    backup: Annotated[str | None, typer.Option("--backup", "--to", metavar="NAME", help="Go to this release.")] = None
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it is recorded.")] = None
    emergency: Annotated[
        bool | None, typer.Option("--emergency", help="Skip the checks before and after, and break a lock.")
    ] = None
    dry_run: Annotated[bool | None, typer.Option("--dry-run", help="Show what would happen; change nothing.")] = None
    if_current: Annotated[
        str | None, typer.Option("--if-current", metavar="NAME", help="Only where this release is live.")
    ] = None
    wait: Annotated[
        str | None, typer.Option("--wait", metavar="TIME", help="Wait so long for a host that another run holds: 2m.")
    ] = None
    host: Annotated[
        list[str] | None, typer.Option("--host", metavar="HOST", help="Only this host; may be repeated.")
    ] = None
    trigger: Annotated[
        str | None, typer.Option("--trigger", metavar="T", help="What started the rollback: deploy-failed, …")
    ] = None
    failed: Annotated[bool, typer.Option("--failed", help="Record the rollback as failed.")] = False
    source: Annotated[
        Source, typer.Option("--source", metavar="S", help="Read the hosts' journals, or github's deployments.")
    ] = Source.journal
    limit: Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the last N.")] = None
    local: Annotated[bool | None, typer.Option("--local", help="Work on this machine, without SSH.")] = None
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False
    record: Annotated[
        str | None, typer.Option("--record", metavar="FILE", help="Also write the record to this file.")
    ] = None
    config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="The settings. [default: rollback.toml]")
    ] = None


HOSTS = ("service", "host", "local", "json", "config")
OF_AN_ENVIRONMENT = ("env", *HOSTS)
OF_HISTORY = ("of_env", "only_env", "limit", "source", *HOSTS)


class EachOnce(TyperCommand):
    """A command that takes each option with one value once. Typer would take the last one, and drop the others."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what was typed. Raises ``UsageError`` for an option that stands there twice."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option in order:
            takes_one = isinstance(option, TyperOption) and not (option.multiple or option.is_flag)
            if takes_one and order.count(option) > 1:
                name = "/".join(option.opts)
                raise UsageError(f"{name} is given more than once", "Give it once: it takes one value.")
        return super().parse_args(ctx, args)


Command = Callable[[Session, Typed], None]
# Read once: every start of the program pays for it, `--help` too.
_PARAMETERS = inspect.signature(Typed).parameters
_HINTS = get_type_hints(Typed, include_extras=True)


def takes(*names: str) -> Callable[[Command], Callable[..., None]]:
    """Make a command of a function: it takes these options, in this order, and the function gets them as ``Typed``."""

    def decorate(command: Command) -> Callable[..., None]:
        @wraps(command)
        def typed(context: typer.Context, **given: object) -> None:
            command(context.find_object(Session), Typed(**given))  # type: ignore[arg-type]

        own = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        chosen = [_PARAMETERS[name].replace(annotation=_HINTS[name]) for name in names]
        typed.__signature__ = inspect.Signature([own, *chosen])  # type: ignore[attr-defined]
        typed.__annotations__ = {"context": typer.Context, **{name: _HINTS[name] for name in names}}
        return typed

    return decorate


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"rollback-ops {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")]
