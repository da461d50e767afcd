"""The command line: what can be typed, and the exit code that it ends with.

Everything that takes time to import is imported when a command runs: ``--help`` answers at once.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from rollback_ops.cli import exit as endings
from rollback_ops.cli.options import (
    Backup,
    Config,
    DryRun,
    Emergency,
    Env,
    HistoryEnv,
    Hosts,
    IfCurrent,
    Json,
    Local,
    RecordFile,
    ServiceName,
    Source,
    Trigger,
    Version,
    Where,
    Why,
)
from rollback_ops.core.errors import Exit

if TYPE_CHECKING:
    from rollback_ops.commands.context import Context
    from rollback_ops.commands.history import Past
    from rollback_ops.commands.rollback import Commands
    from rollback_ops.config.reason import Reason

app = typer.Typer(
    name="rollback-ops",
    help="Put a service back on its last known good release: in seconds, proven, and on the record.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
history = typer.Typer(help="What happened before: read from the hosts' journals, or from GitHub.", no_args_is_help=True)
app.add_typer(history, name="history")


@app.command()
def rollback(
    env: Env = None,
    service: ServiceName = None,
    backup: Backup = None,
    reason: Why = None,
    emergency: Emergency = None,
    dry_run: DryRun = None,
    if_current: IfCurrent = None,
    host: Hosts = None,
    trigger: Trigger = None,
    local: Local = None,
    json: Json = False,
    record: RecordFile = None,
    config: Config = None,
) -> None:
    """Go back to the last known good release, and prove that it works."""
    wish = {"backup": backup, "if_current": if_current, "emergency": emergency, "dry_run": dry_run}
    asked = _asked(env, service, host, local, reason=reason, trigger=trigger, record=record, **wish)
    _change(_wired(config, asked), json)


@app.command()
def resume(
    env: Env = None,
    service: ServiceName = None,
    reason: Why = None,
    host: Hosts = None,
    local: Local = None,
    json: Json = False,
    record: RecordFile = None,
    config: Config = None,
) -> None:
    """Finish a rollback that was interrupted, to where it was going."""
    _change(_wired(config, _asked(env, service, host, local, reason=reason, record=record, resume=True)), json)


@app.command(name="list")
def list_(
    env: Env = None,
    service: ServiceName = None,
    host: Hosts = None,
    local: Local = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Show the releases on each host, and what a rollback would choose."""
    _end(_commands(_wired(config, _asked(env, service, host, local)), json, sizes=True).list())


@app.command()
def check(
    env: Env = None,
    service: ServiceName = None,
    backup: Backup = None,
    host: Hosts = None,
    local: Local = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Say whether a rollback could be done now. Changes nothing."""
    wired = _wired(config, _asked(env, service, host, local, backup=backup, dry_run=True))
    why = _reason(wired)
    _end(_commands(wired, json).check(why))


@app.command()
def verify(
    env: Env = None,
    service: ServiceName = None,
    host: Hosts = None,
    local: Local = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Run the checks against what is live now."""
    _end(_commands(_wired(config, _asked(env, service, host, local)), json).verify())


@app.command()
def guard(
    env: Env = None,
    service: ServiceName = None,
    host: Hosts = None,
    local: Local = None,
    json: Json = False,
    record: RecordFile = None,
    config: Config = None,
) -> None:
    """Watch what was just deployed; when it is not well, roll back."""
    _end(_commands(_wired(config, _asked(env, service, host, local, record=record)), json).guard())


@app.command()
def seal(
    env: Env = None,
    release: Annotated[str | None, typer.Argument(metavar="RELEASE", help="[default: what is live]")] = None,
    service: ServiceName = None,
    host: Hosts = None,
    local: Local = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Write the integrity manifest of a release, which is compared before anything is stopped."""
    _end(_commands(_wired(config, _asked(env, service, host, local)), json).seal(release or ""))


@app.command()
def install(
    env: Env = None,
    service: ServiceName = None,
    host: Hosts = None,
    local: Local = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Put the program on the hosts, for people there when everything else is down."""
    from rollback_ops.commands.install import install

    _end(install(_wired(config, _asked(env, service, host, local)), as_json=json))


@app.command()
def demo() -> None:
    """Show the whole story on this machine, in a sandbox of its own: no server, no root."""
    from rollback_ops.cli.demo import run

    _end(run())


@app.command(hidden=True)
def finish() -> None:
    """Complete the record on GitHub, at the end of a job: what a rollback that was stopped could not."""
    from rollback_ops.commands.finish import finish as complete

    _end(complete(os.environ))


@history.command("list")
def history_list(
    env: HistoryEnv = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")] = 20,
    source: Where = Source.journal,
    service: ServiceName = None,
    host: Hosts = None,
    local: Local = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Show the last rollbacks, newest first."""
    _end(_past(config, json, _asked(env, service, host, local), source).show(limit))


@history.command("stats")
def history_stats(
    env: HistoryEnv = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the last so many.")] = None,
    source: Where = Source.journal,
    service: ServiceName = None,
    host: Hosts = None,
    local: Local = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Count them: success rate, mean and slowest duration, by environment and by trigger."""
    _end(_past(config, json, _asked(env, service, host, local), source).stats(limit))


@history.command("log")
def history_log(
    env: HistoryEnv = None,
    backup: Backup = None,
    reason: Why = None,
    failed: Annotated[bool, typer.Option("--failed", help="It did not work.")] = False,
    trigger: Trigger = None,
    service: ServiceName = None,
    host: Hosts = None,
    local: Local = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Put a rollback on the record that was done by hand."""
    asked = _asked(env, service, host, local, backup=backup, reason=reason, trigger=trigger)
    _end(_past(config, json, asked).log(failed=failed))


def _asked(
    env: str | None, service: str | None, host: list[str] | None, local: bool | None, **options: Any
) -> dict[str, Any]:
    return {"environment": env, "service": service, "hosts": tuple(host) if host else None, "local": local, **options}


def _wired(config: str | None, asked: dict[str, Any]) -> Context:
    from rollback_ops.commands.context import settings_of, wire

    return wire(settings_of(config, os.environ), os.environ, asked)


def _commands(wired: Context, json: bool, *, sizes: bool = False, permitted: bool = True) -> Commands:
    """The first byte leaves for the hosts before the rest is imported; none at all where it is not ``permitted``."""
    survey = wired.look(sizes=sizes, permitted=permitted)
    from rollback_ops.commands.rollback import Commands

    return Commands(wired, survey, as_json=json)


def _change(wired: Context, json: bool) -> NoReturn:
    why = _reason(wired)
    permit = wired.permit()
    _end(_commands(wired, json, permitted=not (permit and permit.refusal)).rollback(why, permit))


def _reason(wired: Context) -> Reason:
    from rollback_ops.config.reason import reason_for

    return reason_for(wired.request)


def _past(config: str | None, json: bool, asked: dict[str, Any], source: Source = Source.journal) -> Past:
    from rollback_ops.commands.history import Past

    return Past(config, asked, as_json=json, on_github=source is Source.github)


def _end(code: int) -> NoReturn:
    raise endings.Ended(code)


@app.callback(invoke_without_command=True)
def _without_a_command(context: typer.Context, version: Version = False) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(Exit.USAGE)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and exit with its code; what this package can explain never shows as a traceback."""
    # A command lives for seconds: collecting garbage while modules are imported only makes it start later.
    gc.disable()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, endings.at_once)
    endings.speak()
    sys.exit(int(endings.code_of(lambda: app(arguments, prog_name="rollback-ops"))))
