"""pm2: processes of Node.js, and others, that a daemon of the login user keeps running."""

from __future__ import annotations

import re
import shlex

from rollback_ops.config import Service
from rollback_ops.core.model import Manager, StateReader, Unit, UnitState
from rollback_ops.hosts.managers.library import LIBRARY, library
from rollback_ops.hosts.managers.names import checked, number

# pm2 takes a number for an id, all for every process, and /…/ for a pattern.
_UNIT = re.compile(r"(?!all$)[A-Za-z_][A-Za-z0-9_.@:+-]*")
_UNIT_HINT = "units are the names of pm2's processes: a letter first, then letters, digits and . _ @ : + -"

_STATES: dict[str, UnitState] = {
    "online": "running",
    "launching": "starting",
    "waiting?restart": "starting",
    "stopping": "stopping",
    "stopped": "stopped",
    "one-launch-status": "stopped",
    "errored": "failed",
}
_FIELDS = 8
_FIXED = "would be started from {} again, not from current: `pm2 delete` it, and start it with --cwd …/current"

READER = StateReader(
    # Up to the time of the start.
    identity=r"^app(\|[^|]*){6}",
    unstartable="\n".join(
        [
            rf"s@^app|\([^|]*\)|.*|\(/[^|]*\)$@the unit \1 {_FIXED.format(chr(92) + '2')}@p",
            r"s/^missing|\(.*\)/the unit \1 does not exist/p",
            r"s/^unknown|\(.*\)/the state of the units is unknown: \1/p",
        ]
    ),
    down="\n".join(
        [
            r"s/^app(\|[^|]*){3}\|(stopped|errored|one-launch-status)\|.*/stopped/p",
            r"s/^app(\|[^|]*){3}\|(launching|waiting\?restart)\|[1-9].*/crashed/p",
        ]
    ),
    restarts=r"s/^app(\|[^|]*){4}\|([1-9][0-9]{0,8})\|.*/\2/p",
)


def commands(service: Service, name: str) -> Manager:
    units = _units(service, name)
    values = {"releases": f"{service.root}/{service.releases}", "units": " ".join(units)}
    return Manager(
        kind=service.manager,
        stop=f"{LIBRARY}stop",
        kill=f"{LIBRARY}end",
        reset=":",
        # Not "start", which does nothing for a process that somebody has started again since the stop.
        start=f"{LIBRARY}restart",
        running=f"{LIBRARY}every online",
        stopped=f"{LIBRARY}every 'stopped|errored|one-launch-status'",
        state=f"{LIBRARY}show",
        logs=f"{LIBRARY}logs",
        first_aid=("pm2 status", shlex.join(["pm2", "restart", *units])),
        functions=library(values, "pm2.sh"),
    )


def parse(service: Service, name: str, text: str) -> tuple[Unit, ...]:
    lines = [line.split("|") for line in text.split("\n")]
    units = _units(service, name)
    found = [line for line in lines if line[0] == "app" and len(line) == _FIELDS and line[1] in units]
    if ["listed"] not in lines:
        why = next((line[1] for line in lines if line[0] == "unknown" and len(line) > 1), "pm2 did not answer")
        return tuple(Unit(unit, "unknown", detail=why) for unit in units)
    shown: list[Unit] = []
    for unit in units:
        processes = [line for line in found if line[1] == unit]
        shown += [_unit(line, alone=len(processes) == 1) for line in processes]
        shown += [] if processes else [Unit(unit, "missing")]
    return tuple(shown)


def _units(service: Service, name: str) -> tuple[str, ...]:
    return checked(f"services.{name}.units", service.units or (name,), _UNIT, _UNIT_HINT)


def _unit(line: list[str], *, alone: bool) -> Unit:
    _, name, number_of, pid, status, restarts, started, place = line
    return Unit(
        name=name if alone else f"{name} {number_of}",
        state=_STATES.get(status, "unknown"),
        pid=number(pid),
        restarts=number(restarts),
        invocation=started,
        detail="" if status in ("online", "stopped") else status.replace("?", " "),
        blocker=_FIXED.format(place) if place else "",
    )
