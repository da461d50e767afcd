"""The manual page, made from the help (man(7))."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from rollback_ops import __version__
from rollback_ops.cli.help import example, grouped
from rollback_ops.core.errors import Exit

_ENDS = {
    Exit.OK: "done and verified, or nothing to do",
    Exit.REFUSED: "refused; nothing was changed",
    Exit.VERIFICATION_FAILED: "rolled back, and the verification failed or the health is unknown",
    Exit.RESTORED: "failed, and put back to where it started",
    Exit.FAILED: "failed; a person is needed now",
    Exit.PARTIAL: "the hosts ended differently",
    Exit.SUPERSEDED: "taken over by somebody else; nothing of theirs was undone",
    Exit.USAGE: "wrong usage or settings",
    Exit.INTERRUPTED: "stopped by SIGINT",
    Exit.TERMINATED: "stopped by SIGTERM",
}


def page(app: click.Group) -> str:
    """Return the manual page of the program."""
    return "\n".join(_lines(app)) + "\n"


def _lines(app: click.Group) -> Iterator[str]:
    about = _text(app.help or "")
    yield f'.TH ROLLBACK\\-OPS 1 "" "rollback\\-ops {_text(__version__)}" "User Commands"'
    yield from (".SH NAME", f"rollback\\-ops \\- {about[0].lower()}{about[1:].rstrip('.')}")
    yield from (".SH SYNOPSIS", ".B rollback\\-ops", "COMMAND [OPTION]...")
    shown = {name: command for name, command in app.commands.items() if not command.hidden}
    for title, names in grouped(shown):
        yield f'.SH "{title.upper()}"'
        for name in names:
            yield from _command(f"rollback-ops {name}", shown[name])
    yield ".SH EXIT STATUS"
    for code, meaning in _ENDS.items():
        yield from (".TP", f".B {int(code)}", _text(meaning))
    yield from (".SH FILES", ".TP", ".I rollback.toml", "The settings, in the working directory.")


def _command(path: str, command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            yield from _command(f"{path} {name}", part)
        return
    context = click.Context(command, info_name=path)
    yield f".SS {_text(' '.join([path, *command.collect_usage_pieces(context)]))}"
    yield _text(" ".join((command.help or "").split()))
    if shown := example(path):
        yield from (".PP", "Example:", ".RS", f"\\fB{_text(shown)}\\fR", ".RE")
    for parameter in command.get_params(context):
        if described := parameter.get_help_record(context):
            yield from (".TP", f"\\fB{_text(described[0])}\\fR", _text(described[1]))


def _text(text: str) -> str:
    """Return a text in which troff reads no command: no line begins with a dot or a quote."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("\n", " ")
    return re.sub(r"^([.'])", r"\\&\1", escaped)
