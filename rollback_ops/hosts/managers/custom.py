"""Any other manager: the command lines of [services.NAME.commands]. Each runs in the live release."""

from __future__ import annotations

import re
import shlex

from rollback_ops.config import Service
from rollback_ops.core.errors import UsageError
from rollback_ops.core.model import Manager, StateReader, Unit

_STATUS = re.compile(r"^status=([0-9]{1,3})$", re.MULTILINE)
# POSIX, "Exit Status for Commands": the shell could not execute the command, or did not find it.
_NOT_RUN = (126, 127)
READER = StateReader(down="/^status=(0|126|127)$/d\ns/^status=[0-9]{1,3}$/stopped/p")


def commands(service: Service, name: str) -> Manager:
    given = service.commands
    if given is None:
        raise UsageError(
            f'services.{name}: manager = "custom" has no commands',
            f"add [services.{name}.commands] with stop, start and status",
        )
    status = f"({_line(given.status)}) >/dev/null 2>&1"
    return Manager(
        kind=service.manager,
        stop=_in_release(_line(given.stop)),
        kill=":",
        reset=":",
        start=_in_release(_line(given.start)),
        running=_in_release(f"{_line(given.status)} >/dev/null 2>&1"),
        stopped=_in_release(f"! {status}"),
        state=_in_release(f'{{ {status}; echo "status=$?"; }}'),
        logs=_in_release(_shell(given.logs)) if given.logs else ":",
        first_aid=(f"cd {service.root}/{service.current}", given.status, given.start),
    )


def parse(service: Service, name: str, text: str) -> tuple[Unit, ...]:
    match = _STATUS.search(text)
    if match is None:
        return (Unit(name, "unknown"),)
    status = int(match[1])
    if status == 0:
        return (Unit(name, "running"),)
    return (Unit(name, "unknown" if status in _NOT_RUN else "stopped", detail=f"exit status {status}"),)


def _in_release(command: str) -> str:
    """Run the command in the live release; in the root, where that is a file."""
    return (
        f'cd "$ROLLBACK_CURRENT" 2>/dev/null || {{ [ -f "$ROLLBACK_CURRENT" ] && cd "$ROLLBACK_ROOT"; }} && {command}'
    )


def _shell(line: str) -> str:
    """Run the line in a shell of its own, so that a comment, an open quote or ``exit`` in it ends there."""
    return f"sh -c {shlex.quote(line)}"


def _line(line: str) -> str:
    """Run the line so that a comment in it ends there. An open quote or ``exit`` ends the shell: nothing may follow it,
    unless it stands in parentheses. A shell of its own would be another process.
    """
    return f"eval {shlex.quote(line)}"
