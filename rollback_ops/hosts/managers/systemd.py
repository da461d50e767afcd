"""systemd: the services of the system (through sudo where needed) or of the login user (systemd-user)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from rollback_ops.config import Service
from rollback_ops.core.model import Manager, StateReader, Unit, UnitState
from rollback_ops.hosts.managers.names import checked, number
from rollback_ops.hosts.managers.since import SET_SINCE

# Not a template: only its instances, like worker@1, run.
_UNIT = re.compile(r"(?!.*@(?:\.[a-z]+)?$)[A-Za-z0-9:_.\\@-]+")
_UNIT_HINT = (
    r"A systemd unit's name has letters, digits and : _ . \ @ - only. Name each unit without * or spaces, and each "
    "instance of a template (worker@1)."
)
_SUFFIXES = (".service", ".socket", ".target", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".scope")

# A command over SSH is not always a login session, and only a login session sets XDG_RUNTIME_DIR.
_AS_USER = 'XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}" systemctl --user'

_JUDGED = "Id,LoadState,ActiveState,Type,Result,ConditionResult"
_PROCESSES = "MainPID,NRestarts,InvocationID,ControlGroup,KillMode,SendSIGKILL"
# Through these dependencies a stop of a unit stops others, too (systemd.unit(5)). A start does not start them again.
_PULLED_DOWN = "RequiredBy,RequisiteOf,BoundBy,ConsistsOf,PropagatesStopTo"
_PROPERTIES = f"{_JUDGED},Names,SubState,{_PROCESSES},FragmentPath,DropInPaths,TriggeredBy,{_PULLED_DOWN}"
# The units that a target pulls in: systemd calls the target active even when they have failed.
_MEMBERS = "Requires,BindsTo,Wants"
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
# Each unit is a paragraph. One that ran to its end, or that systemd skips, is not down.
_DOWN = r"""
/./{
H
$!d
}
x
/\nActiveState=failed/{
s/.*/stopped/p
d
}
/\nActiveState=inactive/{
/\n(LoadState=(not-found|masked)|ConditionResult=no)/d
/\nType=oneshot/{
/\nResult=success/d
}
s/.*/stopped/p
d
}
/\nActiveState=activating/{
/\nNRestarts=[1-9]/s/.*/crashed/p
}"""
_NO_ANSWER = "s/^Failed to /the state of its units is unknown: &/p"
READER = StateReader(
    identity="^(MainPID|NRestarts|InvocationID)=.*",
    # `systemctl show` prints Id before LoadState before ActiveState.
    unstartable="\n".join(
        ["/^Id=/{s/^Id=//;h;}", "/^LoadState=/H", "/^ActiveState=/{H;g", _MISSING, *_OTHERS, "}", _NO_ANSWER]
    ),
    down=_DOWN,
    restarts=r"s/^NRestarts=([1-9][0-9]{0,8})$/\1/p",
)
# Words that add nothing to the unit's state.
_PLAIN = frozenset({"", "loaded", "active", "running", "dead", "failed", "success"})

Block = Mapping[str, str]


def commands(service: Service, name: str) -> Manager:
    units = _units(service, name)
    user = service.manager == "systemd-user"
    query = _AS_USER if user else "systemctl"
    change = _AS_USER if user else "$ROLLBACK_SUDO systemctl"
    # With exec, the shell becomes the command: one process less. That is not possible where variables stand before it.
    alone = "" if user else "exec "
    quoted = shlex.join(units)
    return Manager(
        kind=service.manager,
        stop=f"{alone}{change} stop -- {quoted}",
        # systemctl fails for units that do not run any more, after it has killed the others.
        kill=f"{change} kill -s KILL -- {quoted} || :",
        # It fails for a unit that systemd has unloaded, and such a unit has nothing to reset.
        reset=f"{change} reset-failed -- {quoted} 2>/dev/null || :",
        # Not "start": a socket, a timer or another unit may have started the old release again since the stop.
        start=f"{alone}{change} restart -- {quoted}",
        running=_running(_show(query, _JUDGED, units), len(units)),
        stopped=f"test \"$({query} is-active -- {quoted} | grep -cxE 'inactive|failed|unknown')\" -eq {len(units)}",
        state=_show(f"{alone}{query}", _PROPERTIES, units),
        logs=_logs(units, user),
        related=f"{query} show -p Id,ActiveState,{_PULLED_DOWN} --",
        # Only these units, and not the ones that they would pull in.
        revive=f"{change} {_REVIVE}",
        reload=f"{change} daemon-reload",
        first_aid=_first_aid("systemctl --user" if user else "systemctl", "" if user else "sudo ", quoted),
        needs=() if user else tuple(f"systemctl {verb} -- {' '.join(units)}" for verb in _PRIVILEGED),
    )


_PRIVILEGED = ("stop", "kill -s KILL", "reset-failed", "restart")
_REVIVE = "start --job-mode=ignore-requirements --"


def parse(service: Service, name: str, text: str) -> tuple[Unit, ...]:
    units = _units(service, name)
    blocks = [_properties(block) for block in re.split(r"\n\s*\n", text)]
    found = {unit: _block(unit, blocks) for unit in units}
    problem = next((line for line in text.split("\n") if line.strip() and "=" not in line), "")
    shown = [_unit(unit, found[unit]) if found[unit] else Unit(unit, "unknown", detail=problem) for unit in units]
    own = [block.get("Id") for block in found.values()]
    return (*shown, *(_members(blocks, own) if any(map(_is_target, units)) else ()))


def _units(service: Service, name: str) -> tuple[str, ...]:
    units = checked(f"services.{name}.units", service.units or (name,), _UNIT, _UNIT_HINT)
    return tuple(dict.fromkeys(unit if unit.endswith(_SUFFIXES) else f"{unit}.service" for unit in units))


def _is_target(unit: str) -> bool:
    return unit.endswith(".target")


def _show(systemctl: str, properties: str, units: tuple[str, ...]) -> str:
    """Show the units and, behind them, the members of the targets among them."""
    show = f"{systemctl} show -p {properties} -- {shlex.join(units)}"
    targets = shlex.join(filter(_is_target, units))
    if not targets:
        return show
    members = f"$({systemctl} show -p {_MEMBERS} --value -- {targets})"
    return f"set -f\n# shellcheck disable=SC2046 # a word each\n{show} {members}"


def _running(show: str, units: int) -> str:
    """Judge each unit as ``_unit`` and ``_is_member_well`` do, from one systemctl."""
    return f"{show} | {{\nunits={units}\n{_JUDGE}}}"


_JUDGE = """\
shown=0 well=0 absent='' active='' type='' result=''
judge() {
    shown=$((shown + 1))
    [ "$shown" -gt "$units" ] || absent=''
    case $active,$type,$result,$absent in
        active,* | reloading,* | refreshing,* | inactive,oneshot,success,* | inactive,*,yes) well=$((well + 1)) ;;
    esac
    absent='' active='' type='' result=''
}
while IFS='=' read -r key value || [ -n "$active" ]; do
    case $key,$value in
        LoadState,not-found | LoadState,masked | ConditionResult,no) absent=yes ;;
        ActiveState,*) active=$value ;;
        Type,*) type=$value ;;
        Result,*) result=$value ;;
        ,) [ -z "$active" ] || judge ;;
    esac
done
test "$shown" -ge "$units" && test "$well" -eq "$shown"
"""


def _first_aid(systemctl: str, sudo: str, quoted: str) -> tuple[str, ...]:
    """Return the commands that the rights in docs/hosts.md allow."""
    return (
        f"{systemctl} status -- {quoted}",
        f"{sudo}{systemctl} reset-failed -- {quoted}",
        f"{sudo}{systemctl} restart -- {quoted}",
    )


def _logs(units: tuple[str, ...], user: bool) -> str:
    option = "--user-unit" if user else "--unit"
    chosen = shlex.join(f"{option}={unit}" for unit in units)
    read = f"journalctl -q --no-pager -n 30 -o short-iso ${{SINCE:+--since=@$SINCE}} {chosen}"
    # journalctl prints nothing for a user that may not read the journal; its exit status is 0 or 1.
    return SET_SINCE + read if user else f"{SET_SINCE}{read} 2>/dev/null | grep '' || $ROLLBACK_SUDO {read}"


def _properties(block: str) -> Block:
    return {key: value for key, _, value in (line.partition("=") for line in block.split("\n"))}


def _block(unit: str, blocks: list[Block]) -> Block:
    return next((b for b in blocks if unit in (b.get("Id"), *b.get("Names", "").split())), {})


def _members(blocks: list[Block], own: list[str | None]) -> Iterator[Unit]:
    """Yield the members of targets that are not well, or have a process."""
    for name, block in {b["Id"]: b for b in blocks if b.get("Id") and b["Id"] not in own}.items():
        absent = block.get("LoadState") in ("not-found", "masked") or block.get("ConditionResult") == "no"
        unit = _unit(name, {**block, "LoadState": ""})
        if not (absent and unit.state == "stopped") and (unit.state != "running" or unit.pid):
            yield unit


def _unit(unit: str, found: Block) -> Unit:
    state = _STATES.get(found.get("ActiveState", ""), "unknown")
    if found.get("LoadState") == "not-found" and state == "stopped":
        return Unit(unit, "missing")
    if (found.get("Type"), state, found.get("Result")) == ("oneshot", "stopped", "success"):
        state = "finished"
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
