"""systemd: the services of the system (through sudo where needed) or of the login user (systemd-user)."""

from __future__ import annotations

import re
import shlex

from rollback_ops.config import Service
from rollback_ops.core.model import Manager, StateReader, Unit, UnitState
from rollback_ops.hosts.managers.names import checked, number
from rollback_ops.hosts.managers.since import SET_SINCE

_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]+")
_UNIT_HINT = r"a systemd unit's name has letters, digits and : _ . \ @ - only; name each unit, without * or spaces"
_SUFFIXES = (".service", ".socket", ".target", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".scope")

# A command over SSH is not always a login session, and only a login session sets XDG_RUNTIME_DIR.
_AS_USER = 'XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}" systemctl --user'

_PROPERTIES = "Id,Names,LoadState,ActiveState,SubState,Result,MainPID,NRestarts,InvocationID"
_STATES: dict[str, UnitState] = {
    "active": "running",
    "reloading": "running",
    "refreshing": "running",
    "activating": "starting",
    "deactivating": "stopping",
    "inactive": "stopped",
    "failed": "failed",
}
# Load states of a unit that runs, and could not be started again once it was stopped.
_UNSTARTABLE = {
    "not-found": "has no unit file any more",
    "masked": "is masked",
    "bad-setting": "has a unit file that systemd refuses",
    "error": "has a unit file that cannot be read",
}
_MISSING = r"s/^\(.*\)\nLoadState=not-found\nActiveState=inactive$/the unit \1 does not exist/p"
_OTHERS = [rf"s/^\(.*\)\nLoadState={state}\n.*/the unit \1 {words}/p" for state, words in _UNSTARTABLE.items()]
READER = StateReader(
    identity="^(MainPID|NRestarts|InvocationID)=.*",
    # `systemctl show` prints Id before LoadState before ActiveState.
    unstartable="\n".join(["/^Id=/{s/^Id=//;h;}", "/^LoadState=/H", "/^ActiveState=/{H;g", _MISSING, *_OTHERS, "}"]),
)
# Words that add nothing to the unit's state.
_PLAIN = frozenset({"", "loaded", "active", "running", "dead", "failed", "success"})


def commands(service: Service, name: str) -> Manager:
    units = _units(service, name)
    user = service.manager == "systemd-user"
    query = _AS_USER if user else "systemctl"
    change = _AS_USER if user else "$SUDO systemctl"
    quoted = shlex.join(units)
    return Manager(
        kind=service.manager,
        stop=f"{change} stop -- {quoted}",
        # systemctl fails for units that do not run any more, after it has killed the others.
        kill=f"{change} kill -s KILL -- {quoted} || :",
        # It fails for a unit that systemd has unloaded, and such a unit has nothing to reset.
        reset=f"{change} reset-failed -- {quoted} 2>/dev/null || :",
        start=f"{change} start -- {quoted}",
        running=_count(f"{query} is-active -- {quoted}", "active|reloading|refreshing", len(units)),
        stopped=_count(f"{query} is-active -- {quoted}", "inactive|failed|unknown", len(units)),
        state=f"{query} show -p {_PROPERTIES} -- {quoted}",
        logs=_logs(units, user),
        first_aid=_first_aid("systemctl --user" if user else "systemctl", "" if user else "sudo ", quoted),
        needs=() if user else tuple(f"systemctl {verb} -- {' '.join(units)}" for verb in _PRIVILEGED),
    )


_PRIVILEGED = ("stop", "kill -s KILL", "reset-failed", "start")


def parse(service: Service, name: str, text: str) -> tuple[Unit, ...]:
    blocks = [_properties(block) for block in re.split(r"\n\s*\n", text)]
    return tuple(_unit(unit, blocks) for unit in _units(service, name))


def _units(service: Service, name: str) -> tuple[str, ...]:
    units = checked(f"services.{name}.units", service.units or (name,), _UNIT, _UNIT_HINT)
    return tuple(dict.fromkeys(unit if unit.endswith(_SUFFIXES) else f"{unit}.service" for unit in units))


def _count(command: str, states: str, units: int) -> str:
    """Count the states. ``is-active`` prints one for each unit, and succeeds when any unit is active."""
    return f"test \"$({command} | grep -cxE '{states}')\" -eq {units}"


def _first_aid(systemctl: str, sudo: str, quoted: str) -> tuple[str, ...]:
    """Return what the rights of docs/hosts.md allow."""
    return (
        f"{systemctl} status -- {quoted}",
        f"{sudo}{systemctl} reset-failed -- {quoted}",
        f"{sudo}{systemctl} start -- {quoted}",
    )


def _logs(units: tuple[str, ...], user: bool) -> str:
    option = "--user-unit" if user else "--unit"
    chosen = shlex.join(f"{option}={unit}" for unit in units)
    read = f"journalctl -q --no-pager -n 30 -o short-iso ${{SINCE:+--since=@$SINCE}} {chosen}"
    # journalctl prints nothing for a user that may not read the journal; its exit status is 0 or 1.
    return SET_SINCE + read if user else f"{SET_SINCE}{read} 2>/dev/null | grep '' || $SUDO {read}"


def _properties(block: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in block.split("\n"))}


def _unit(unit: str, blocks: list[dict[str, str]]) -> Unit:
    found = next((b for b in blocks if unit in (b.get("Id"), *b.get("Names", "").split())), {})
    state = _STATES.get(found.get("ActiveState", ""), "unknown")
    if found.get("LoadState") == "not-found" and state == "stopped":
        return Unit(unit, "missing")
    words = (found.get(key, "") for key in ("LoadState", "SubState", "Result"))
    return Unit(
        name=unit,
        state=state,
        pid=number(found.get("MainPID", "")),
        restarts=number(found.get("NRestarts", "")),
        invocation=found.get("InvocationID", ""),
        detail=", ".join(word for word in words if word not in _PLAIN),
        blocker=_UNSTARTABLE.get(found.get("LoadState", ""), ""),
    )
