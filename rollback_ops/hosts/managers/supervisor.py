"""supervisor (supervisord): programs and groups. Its exit statuses say little, so its output is parsed."""

from __future__ import annotations

import re
import shlex

from rollback_ops.config import Service
from rollback_ops.core.model import Manager, StateReader, Unit, UnitState
from rollback_ops.hosts.managers.names import checked, number

_UNIT = re.compile(r"[!-~]+")
_UNIT_HINT = "supervisorctl reads a name with a space as several names; write a whole group as group:*"

_STATES: dict[str, UnitState] = {
    "RUNNING": "running",
    "STARTING": "starting",
    "BACKOFF": "starting",
    "STOPPING": "stopping",
    "STOPPED": "stopped",
    "EXITED": "stopped",
    "FATAL": "failed",
}
_LINE = re.compile(r"(\S+) +([A-Z]+)(?: +(.*))?")
_ABSENT = re.compile(r"(.+): ERROR \(no such (?:process|group)\)")
_PID = re.compile(r"pid (\d+), uptime .*")
READER = StateReader(
    identity=" pid [0-9]+",
    unstartable=r"s/^\(.*\): ERROR (no such .*)$/the unit \1 does not exist/p",
    down=r"s/^[^ ]+ +(STOPPED|EXITED|FATAL)( .*)?$/stopped/p",
)


def commands(service: Service, name: str) -> Manager:
    units = _units(service, name)
    quoted = shlex.join(units)
    status = f"$ROLLBACK_SUDO supervisorctl status {quoted}"
    return Manager(
        kind=service.manager,
        stop=_each("$ROLLBACK_SUDO supervisorctl stop", units),
        # supervisorctl fails for a program that does not run any more; the others are signalled nevertheless.
        kill=f"$ROLLBACK_SUDO supervisorctl signal KILL {quoted} || :",
        reset=":",
        start=_START + _each("start", units),
        running=_all(status, "^[^ ]+ +RUNNING( |$)"),
        stopped=_all(status, r"^[^ ]+ +(STOPPED|EXITED|FATAL)( |$)|: ERROR \(no such (process|group)\)$"),
        state=status,
        logs=_logs(status),
        needs=_needs(units),
        first_aid=(f"sudo supervisorctl status {quoted}", f"sudo supervisorctl start {quoted}"),
    )


def parse(service: Service, name: str, text: str) -> tuple[Unit, ...]:
    lines = text.split("\n")
    programs = [_program(match) for match in map(_LINE.fullmatch, lines) if match and match[2] in (*_STATES, "UNKNOWN")]
    absent = {match[1] for match in map(_ABSENT.fullmatch, lines) if match}
    units: dict[str, Unit] = {}
    for unit in _units(service, name):
        found = {program.name: program for program in programs if _covers(unit, program.name)}
        gone = unit in absent or unit.partition(":")[0] in absent
        units |= found or {unit: Unit(unit, "missing" if gone else "unknown")}
    return tuple(units.values())


def _units(service: Service, name: str) -> tuple[str, ...]:
    return checked(f"services.{name}.units", service.units or (name,), _UNIT, _UNIT_HINT)


# A person or a program may have started the old release again since the stop.
_START = """\
start() {
    told=$($ROLLBACK_SUDO supervisorctl start "$1")
    status=$?
    printf '%s\\n' "$told"
    case $told in
        *"ERROR (already started)"*)
            $ROLLBACK_SUDO supervisorctl stop "$1" && $ROLLBACK_SUDO supervisorctl start "$1"
            ;;
        *) return "$status" ;;
    esac
}
"""


def _each(command: str, units: tuple[str, ...]) -> str:
    """Run the command for each unit at the same time. A single supervisorctl goes through its names in turn, so a
    program that hangs would keep the others from being stopped.
    """
    if len(units) == 1:
        return f"{command} {shlex.join(units)}"
    return (
        f"set --; for unit in {shlex.join(units)}; do "
        f'{command} "$unit" & set -- "$@" "$!"; done; '
        'failed=0; for pid in "$@"; do wait "$pid" || failed=1; done; test "$failed" = 0'
    )


def _all(status: str, pattern: str) -> str:
    """Test that ``status`` prints at least one line, and that every line matches the pattern."""
    return f"text=$({status}); test -n \"$text\" && ! printf '%s\\n' \"$text\" | grep -qvE '{pattern}'"


def _logs(status: str) -> str:
    tail = '$ROLLBACK_SUDO supervisorctl tail -4000 "$program"'
    each = f"{tail} </dev/null; {tail} stderr </dev/null"
    return f"{status} | while read -r program _; do {each}; done | tail -n 30"


def _needs(units: tuple[str, ...]) -> tuple[str, ...]:
    every = " ".join(units)
    return (
        *(f"supervisorctl {verb} {unit}" for verb in ("stop", "start") for unit in units),
        f"supervisorctl signal KILL {every}",
        f"supervisorctl status {every}",
    )


def _program(line: re.Match[str]) -> Unit:
    word, rest = line[2], (line[3] or "").strip()
    running = _PID.fullmatch(rest)
    pid = number(running[1]) if running else 0
    details = () if running or word in ("RUNNING", "STOPPED") else (word, rest)
    return Unit(
        name=line[1],
        state=_STATES.get(word, "unknown"),
        pid=pid,
        invocation=str(pid or ""),
        detail=" ".join(filter(None, details)),
    )


def _covers(unit: str, program: str) -> bool:
    """Return whether a unit of the settings (web, web:web, group:program, group:*, all) means this program."""
    group, colon, process = unit.partition(":")
    if unit == "all":
        return True
    if colon and process in ("", "*"):
        return program == group or program.startswith(f"{group}:")
    return program == (process if group == process else unit)
