"""The options of all commands: each is declared once, with its help; ``takes`` gives them to commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, fields
from enum import StrEnum
from functools import partial, wraps
from typing import Any

import click

from rollback_ops.cli import completion
from rollback_ops.cli.help import Described, grouped
from rollback_ops.cli.session import Session
from rollback_ops.core.errors import UsageError
from rollback_ops.core.frozen import frozen


class OpinionWord(StrEnum):
    """The marks that a person can set or clear."""

    good = "good"
    bad = "bad"
    clear = "clear"


class Source(StrEnum):
    """The sources of the history."""

    journal = "journal"
    github = "github"


class PageSource(StrEnum):
    """The sources of a dashboard."""

    hosts = "hosts"
    github = "github"


def _argument(metavar: str, *, required: bool = False, **more: Any) -> Any:
    declare = partial(click.argument, metavar=metavar if required else f"[{metavar}]", required=required, **more)
    return field(default=None, metadata={"declare": declare})


def _option(*names: str, default: Any = None, **more: Any) -> Any:
    return field(default=default, metadata={"declare": partial(click.option, *names, default=default, **more)})


_flag = partial(_option, is_flag=True)


@frozen
class TypedOptions:
    """All options of all commands. None: not typed."""

    env: str | None = _argument(
        "ENV", help="The environment: test, prod, … [ROLLBACK_ENVIRONMENT]", shell_complete=completion.environments
    )
    release: str | None = _argument("RELEASE", help="The release. [default: the live one]")
    opinion: OpinionWord | None = _argument("MARK", help="good, bad, or clear.", type=click.Choice(OpinionWord))
    of_env: str | None = _argument(
        "ENV", help="Only this environment; also as --env. [default: all]", shell_complete=completion.environments
    )
    shell: str | None = _argument(
        "SHELL", help="bash, zsh or fish.", type=click.Choice(completion.SHELLS), required=True
    )
    address: str | None = _argument("HOST", help="The host, like deploy@bot1.example.org.")
    only_env: str | None = _option(
        "--env", metavar="ENV", help="Only this environment.", shell_complete=completion.environments
    )
    for_env: str | None = _option("--env", metavar="ENV", help="The environment of the host. [default: prod]")
    root: str | None = _option(
        "--root", metavar="PATH", help="The directory of the releases and of the link to the live one."
    )
    service: str | None = _option(
        "--service", metavar="NAME", help="The service, if there are several.", shell_complete=completion.services
    )
    group: str | None = _option(
        "--group", metavar="NAME", help="All services of this group.", shell_complete=completion.groups
    )
    backup: str | None = _option("--backup", "--to", metavar="NAME", help="Go to this release.")
    restored: str | None = _option("--backup", "--to", metavar="NAME", help="The release that was restored.")
    reason: str | None = _option("--reason", metavar="TEXT", help="The reason; it is recorded.")
    emergency: bool | None = _flag("--emergency", help="Skip the checks before and after; break a lock.")
    bad: bool | None = _flag("--bad", help="Mark the release that is left bad: no rollback chooses it any more.")
    approved: str | None = _option("--approved", metavar="HASH", help="Refuse any plan but that of this preview.")
    dry_run: bool | None = _flag("--dry-run", help="Show what would happen; change nothing.")
    if_current: str | None = _option("--if-current", metavar="NAME", help="Act only where this release is live.")
    wait: str | None = _option("--wait", metavar="TIME", help="How long to wait for a host that another run holds: 2m.")
    ignore_schema: bool | None = _flag("--ignore-schema", help="Go to a release that lacks migrations.")
    host: tuple[str, ...] = _option(
        "--host",
        metavar="HOST",
        help="Only this host; may be repeated.",
        multiple=True,
        default=(),
        shell_complete=completion.hosts,
    )
    ignore_deploy_lock: bool | None = _flag("--ignore-deploy-lock", help="Go on although a deployment is under way.")
    region: tuple[str, ...] = _option(
        "--region", metavar="NAME", help="Only this region; may be repeated.", multiple=True, default=()
    )
    exclude_region: tuple[str, ...] = _option(
        "--exclude-region", metavar="NAME", help="Without this region; may be repeated.", multiple=True, default=()
    )
    trigger: str | None = _option("--trigger", metavar="T", help="What started the rollback: deploy-failed, …")
    span: str | None = _option(
        "--for", metavar="TIME", help="How long it lasts: 30m, 24h, 7d. [default: hold.for; arm: 10m]"
    )
    deployed_at: str | None = _option(
        "--since", metavar="TIME", help="When the live release was deployed: 2026-11-27T14:05Z, or 20m ago as 20m."
    )
    rehearse: str | None = _option(
        "--rehearse", metavar="TIME", help="Change nothing: replay the metrics of the last 7d, and count rollbacks."
    )
    window: str | None = _option(
        "--window", metavar="TIME", help="How long a rehearsal, or `advise` on the hosts, counts: 10m."
    )
    lift: bool | None = _flag("--lift", help="Lift all holds.")
    at: str | None = _option("--at", metavar="TIME", help="When: 2026-12-24T03:00Z, with the time zone.")
    not_after: str | None = _option(
        "--not-after", metavar="TIME", help="It must not begin later. [default: one hour after --at]"
    )
    times: int = _option(
        "--times", metavar="N", help="How often.", type=click.IntRange(1, 1000), default=1, show_default=True
    )
    max_drill_age: str | None = _option(
        "--max-drill-age", metavar="TIME", help="Fail when the last good drill is older: 30d."
    )
    run: str | None = _argument(
        "RUN", help="The run: its id, as records and `history list --json` have it.", required=True
    )
    number: str | None = _argument("ID", help="The scheduled rollback; `schedule list` shows it. [ROLLBACK_ID]")
    local_store: bool = _flag("--local-store", help="Use the journal of the first host, not GitHub.", default=False)
    revision: str | None = _option("--revision", metavar="SHA", help="The commit that is to be deployed.")
    to_deploy: str | None = _option("--release", metavar="NAME", help="The release that is to be deployed.")
    allow_bad: bool | None = _flag("--allow-bad", help="Let a release pass that is known to be bad.")
    failed: bool = _flag("--failed", help="Record the rollback as failed.", default=False)
    source: Source = _option(
        "--source",
        metavar="S",
        help="Read the journals on the hosts, or the deployments on GitHub.",
        type=click.Choice(Source),
        default=Source.journal,
        show_default=True,
    )
    page_source: PageSource = _option(
        "--source",
        metavar="S",
        help="Ask the hosts, or only read the deployments on GitHub.",
        type=click.Choice(PageSource),
        default=PageSource.hosts,
        show_default=True,
    )
    port: int | None = _option(
        "--port", metavar="N", help="Listen on this port of 127.0.0.1. [default: 8642]", type=click.IntRange(1, 65535)
    )
    no_browser: bool = _flag("--no-browser", help="Do not open a browser.", default=False)
    out: str | None = _option(
        "--out", metavar="FILE", help="Write one page to this file.", shell_complete=completion.files
    )
    workflow: str | None = _option(
        "--workflow", metavar="NAME", help="The workflow to which the button leads. [default: rollback.yml]"
    )
    limit: int | None = _option("--limit", metavar="N", help="Only the last N.", type=click.IntRange(min=1))
    since: str | None = _option(
        "--since", metavar="TIME", help="Only from this day (2026-11-01), or from so long ago (30d), on."
    )
    for_github: bool = _flag("--workflow", help="Also write .github/workflows/rollback.yml.", default=False)
    purge: bool = _flag("--purge", help="Also remove marks, seals, holds and the journal.", default=False)
    local: bool | None = _flag("--local", help="Work on this machine, without SSH.")
    json: bool = _flag("--json", help="Print one JSON document on stdout.", default=False)
    record: str | None = _option(
        "--record", metavar="FILE", help="Also write the record to this file.", shell_complete=completion.files
    )
    plan: str | None = _option(
        "--plan", metavar="FILE", help="The plan's file. [default: rollback-plan.json]", shell_complete=completion.files
    )
    pinned: str | None = _option(
        "--plan", metavar="FILE", help="Carry out a shard of this plan; see shards.", shell_complete=completion.files
    )
    shard: int | None = _option("--shard", metavar="N", help="The shard of the plan.", type=int)
    size: int | None = _option("--size", metavar="N", help="Hosts of a shard, at most. [default: 100]", type=int)
    so_far: tuple[str, ...] = _option(
        "--records",
        metavar="DIR",
        help="Records of the shards so far.",
        multiple=True,
        default=(),
    )
    records: tuple[str, ...] = field(
        default=(),
        metadata={
            "declare": partial(
                click.argument,
                nargs=-1,
                metavar="[RECORD]",
                help="Records of shards, or directories with them.",
                shell_complete=completion.files,
            )
        },
    )
    config: str | None = _option(
        "--config", metavar="FILE", help="The settings. [default: rollback.toml]", shell_complete=completion.files
    )


WHERE = ("host", "region", "exclude_region", "local")
HOSTS = ("service", *WHERE, "json", "config")
OF_AN_ENVIRONMENT = ("env", *HOSTS)
OF_A_GROUP = ("env", "service", "group", *WHERE, "json", "config")
OF_HISTORY = ("of_env", "only_env", "since", "limit", "source", *HOSTS)
_DECLARED = {declared.name: declared.metadata["declare"] for declared in fields(TypedOptions)}


class EachOnce(Described):
    """A command that takes each option with one value once. Click would take the last one, and drop the others."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what was typed. Raises ``UsageError`` for an option that was given twice."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option in order:
            takes_one = isinstance(option, click.Option) and not (option.multiple or option.is_flag)
            if takes_one and order.count(option) > 1:
                name = "/".join(option.opts)
                raise UsageError(f"{name} is given more than once", "Give it once: it takes one value.")
        return super().parse_args(ctx, args)


class Commands(Described, click.Group):
    """A group whose commands take each option with one value once. Help lists them by purpose."""

    command_class = EachOnce
    group_class = type

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands below the titles of their groups; those of a group in one list."""
        shown = {name: command for name, command in self.commands.items() if not command.hidden}
        titles = list(grouped(shown)) if ctx.parent is None else [("Commands", list(shown))]
        room = formatter.width - 6 - max(map(len, shown))
        for title, names in titles:
            with formatter.section(title):
                formatter.write_dl([(name, shown[name].get_short_help_str(room)) for name in names])


Command = Callable[[Session, TypedOptions], None]


def takes(*names: str) -> Callable[[Command], Callable[..., None]]:
    """Make a command of a function: it takes these options, in this order, and gets them as ``TypedOptions``."""

    def decorate(command: Command) -> Callable[..., None]:
        @click.make_pass_decorator(Session)
        @wraps(command)
        def typed(session: Session, /, **given: Any) -> None:
            command(session, TypedOptions(**given))

        declared: Callable[..., None] = typed
        for name in reversed(names):
            declared = _DECLARED[name](name)(declared)
        return declared

    return decorate
