"""Completes commands and options in a shell (by Click), and names from the settings of the directory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from rollback_ops.cli.session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Shell = Literal["bash", "zsh", "fish"]
SHELLS: tuple[Shell, ...] = get_args(Shell)
_PROGRAM, _VARIABLE = "rollback-ops", "_ROLLBACK_OPS_COMPLETE"
# Click's lines for fish cut a description at its first comma, and offer nothing for --host=NAME.
_FISH = {
    'string split ","': 'string split -m 1 ","',
    "echo $metadata[2]": "echo (string match -r -- '^--[^=]*=' (commandline -t); or echo)$metadata[2]",
}


def script(shell: str, app: click.Command) -> str:
    """Return the lines that switch completion on, for one of ``SHELLS``. It asks the program at each TAB.

    Raises ``ValueError`` for another shell.
    """
    from click.shell_completion import get_completion_class

    completion = get_completion_class(shell)
    if completion is None:
        raise ValueError(f"no completion for {shell}")
    completing = completion(app, {}, _PROGRAM, _VARIABLE)
    # Not `source`: it would start a bash to warn of versions before 4.4.
    lines = completing.source_template % completing.source_vars()
    if shell == "bash":
        lines += Path(__file__).with_name("completion.bash").read_text("utf-8")
    if shell == "fish":
        for theirs, ours in _FISH.items():
            lines = lines.replace(theirs, ours)
    return lines


def environments(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Return the environments of the settings that begin with what was typed."""
    return _beginning(typed, _tables(context, "environments"))


def services(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Return the services of the settings that begin with what was typed."""
    return _beginning(typed, _tables(context, "services"))


def groups(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Return the groups of the settings that begin with what was typed."""
    return _beginning(typed, _tables(context, "groups"))


def hosts(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Return the hosts that begin with what was typed, of the environment where one was typed before."""
    everywhere = _tables(context, "environments")
    # Behind an option that has no value yet, Click leaves the arguments unparsed.
    chosen = [name for name in (context.params.get("env"), *context.args) if name in everywhere]
    tables = [everywhere[name] for name in chosen or everywhere]
    return _beginning(typed, (host for table in tables for host in table.get("hosts", ())))


def files(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Let the shell offer its files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(typed, type="file")]


def _tables(context: click.Context, kind: str) -> dict[str, dict[str, Any]]:
    """Return the tables of the settings as they are written, unchecked. Settings that cannot be read offer nothing."""
    import tomllib

    session = context.find_object(Session)
    file = context.params.get("config") or (session and session.environ.get("ROLLBACK_CONFIG")) or "rollback.toml"
    try:
        tables = tomllib.loads(Path(file).read_text("utf-8-sig")).get(kind, {})
    except (OSError, ValueError):
        return {}
    return (
        {name: table for name, table in tables.items() if isinstance(table, dict)} if isinstance(tables, dict) else {}
    )


def _beginning(typed: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(typed)]
