"""Whatever else manages a service: the command lines of [services.NAME.commands], each run in the live release."""

from __future__ import annotations

import re
import shlex

from rollback_ops.config import Service
from rollback_ops.core.errors import UsageError
from rollback_ops.core.model import Manager, Unit

_STATUS = re.compile(r"^status=([0-9]{1,3})$", re.MULTILINE)
# What a shell answers for a command that it cannot run, or cannot find.
_NO_ANSWER = (126, 127)


def commands(service: Service, name: str) -> Manager:
    theirs = service.commands
    if theirs is None:
        raise UsageError(
            f'services.{name}: manager = "custom" needs its commands',
            f"add [services.{name}.commands] with stop, start and status",
        )
    status = f"{_shell(theirs.status)} >/dev/null 2>&1"
    return Manager(
        kind=service.manager,
        stop=_in_release(_shell(theirs.stop)),
        kill=":",
        reset=":",
        start=_in_release(_shell(theirs.start)),
        running=_in_release(status),
        stopped=_in_release(f"! {status}"),
        state=_in_release(f'{{ {status}; echo "status=$?"; }}'),
        logs=_in_release(_shell(theirs.logs)) if theirs.logs else ":",
        first_aid=(f"cd {service.root}/{service.current}", theirs.status, theirs.start),
    )


def parse(service: Service, name: str, text: str) -> tuple[Unit, ...]:
    match = _STATUS.search(text)
    if match is None:
        return (Unit(name, "unknown"),)
    status = int(match[1])
    if status == 0:
        return (Unit(name, "running"),)
    return (Unit(name, "unknown" if status in _NO_ANSWER else "stopped", detail=f"exit status {status}"),)


def _in_release(command: str) -> str:
    return f'cd "$CURRENT" && {command}'


def _shell(line: str) -> str:
    """A shell of its own: whatever stands in the line (a comment, an open quote, exit) ends with it."""
    return f"sh -c {shlex.quote(line)}"
