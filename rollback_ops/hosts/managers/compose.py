"""docker compose, version 2: the containers of one project, as each release's compose file describes them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

from rollback_ops.config import Service
from rollback_ops.core.model import Manager, StateReader, Unit, UnitState
from rollback_ops.hosts.managers.names import checked
from rollback_ops.hosts.managers.since import SET_SINCE

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
_PROJECT_HINT = "a compose project has lower-case letters, digits, - and _ only; set it with project = …"
_UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UNIT_HINT = "units are the services of the compose file: letters, digits and . _ - only"

# Seconds of the limit for a stop that are left for docker to kill the containers that did not stop.
_SECONDS_TO_KILL = 2

_STATES: dict[str, UnitState] = {
    "running": "running",
    "restarting": "starting",
    "removing": "stopping",
    "created": "stopped",
    "exited": "stopped",
    "dead": "failed",
}
_UNHEALTHY: dict[str, UnitState] = {"starting": "starting", "unhealthy": "failed"}
# Exit codes of a container that ended by itself (0) or by a signal of `stop` (128 + SIGINT, 128 + SIGTERM).
_CLEAN_EXITS = (0, 130, 143)
# The label of a container of `docker compose run`: it has the service's name, but is not the service.
_ONE_OFF = "com.docker.compose.oneoff=True"
READER = StateReader(identity='"ID":"[^"]*"')


def commands(service: Service, name: str) -> Manager:
    units = _units(service, name)
    (project,) = checked(f"services.{name}.project", (service.project or name,), _PROJECT, _PROJECT_HINT)
    compose = f'docker compose --project-directory "$ROLLBACK_CURRENT" -p {shlex.quote(project)}'
    chosen = f" -- {shlex.join(units)}" if units else ""
    patience = max(1, int(service.limits.stop) - _SECONDS_TO_KILL)
    listing = f"{compose} ps --all --format json{chosen}"
    return Manager(
        kind=service.manager,
        stop=f"{compose} stop --timeout {patience}{chosen}",
        kill=f"{compose} kill{chosen}",
        reset=":",
        # --force-recreate: no file of the other release stays mounted. --pull missing: an image is fetched only where
        # the start would fail without it. No --wait: it fails for a container that ends when its work is done.
        start=f"{compose} up --detach --no-build --pull missing --force-recreate{chosen}",
        running=_running(listing, units),
        stopped=_judge(listing, _none('"State":"[a-z]+"', '"(created|exited|dead)"$')),
        state=listing,
        logs=f'{SET_SINCE}{compose} logs --no-color --tail 30 ${{SINCE:+"--since=$SINCE"}}{chosen}',
        first_aid=_first_aid(service, listing, f"{compose} up --detach{chosen}"),
    )


def _first_aid(service: Service, *commands: str) -> tuple[str, ...]:
    return tuple(command.replace('"$ROLLBACK_CURRENT"', f"{service.root}/{service.current}") for command in commands)


def parse(service: Service, name: str, text: str) -> tuple[Unit, ...]:
    containers = [c for c in _containers(text) if _ONE_OFF not in _word(c, "Labels")]
    known = {_word(c, "Service") for c in containers}
    units = _units(service, name)
    expected = units or (() if containers else (service.project or name,))
    # `up` creates missing containers, so a container that was removed counts as stopped.
    absent: UnitState = "stopped" if containers or not text.strip(" \n[]") else "unknown"
    return (
        *(_unit(c) for c in containers if not units or _word(c, "Service") in units),
        *(Unit(unit, absent, detail="no container") for unit in expected if unit not in known),
    )


def _units(service: Service, name: str) -> tuple[str, ...]:
    return checked(f"services.{name}.units", service.units, _UNIT, _UNIT_HINT)


def _judge(listing: str, *conditions: str) -> str:
    """Test conditions on the output of the listing (the function ``shown``). All fail where docker cannot list."""
    shown = f"shown() {{ printf '%s\\n' \"$text\" | grep -vF {_ONE_OFF}; }}"
    return f"{shown}; text=$({listing}) && {' && '.join(conditions)}"


def _running(listing: str, units: tuple[str, ...]) -> str:
    wanted = [f'"Service":"{unit}"' for unit in units] or ['"State":"running"']
    there = [f"shown | grep -qF {shlex.quote(text)}" for text in wanted]
    return _judge(listing, *there, _none('"State":"[a-z]+"|"Health":"(starting|unhealthy)"', '"running"$'))


def _none(pattern: str, allowed: str) -> str:
    return f"! shown | grep -oE '{pattern}' | grep -qvE '{allowed}'"


def _containers(text: str) -> Iterator[dict[str, Any]]:
    """Parse the listing: since version 2.21 it has one object on each line, before that it is one array."""
    for chunk in text.split("\n"):
        try:
            value = json.loads(chunk)
        except (ValueError, RecursionError):
            continue
        yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict))


def _unit(container: dict[str, Any]) -> Unit:
    word, health, code = _word(container, "State"), _word(container, "Health"), container.get("ExitCode")
    state = _STATES.get(word, "unknown")
    detail = "" if word in ("running", "exited") else word
    if word == "running" and health in _UNHEALTHY:
        state, detail = _UNHEALTHY[health], health
    if word == "exited" and isinstance(code, int) and code not in _CLEAN_EXITS:
        state, detail = "failed", f"exit code {code}"
    name = _word(container, "Name") or _word(container, "Service")
    return Unit(name, state, invocation=_word(container, "ID"), detail=detail)


def _word(container: dict[str, Any], key: str) -> str:
    value = container.get(key)
    return value if isinstance(value, str) else ""
