"""docker compose, version 2 or later: the containers of one project, as each release's compose file describes them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Self

from rollback_ops.config import Check, CommandCheck, Service
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Manager, StateReader, Unit, UnitState
from rollback_ops.hosts.managers.library import LIBRARY, library
from rollback_ops.hosts.managers.names import checked, number
from rollback_ops.hosts.managers.since import SET_SINCE

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
_PROJECT_HINT = "a compose project has lower-case letters, digits, - and _ only; set it with project = …"
_UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UNIT_HINT = "units are the services of the compose file: letters, digits and . _ - only"

# Seconds of the limit for a stop that are left for docker to kill the containers that did not stop.
_SECONDS_TO_KILL = 2

# Docker's states of a container. Podman, which serves Docker's API too, has "stopped" for one that ended just now.
_STATES: dict[str, UnitState] = {
    "running": "running",
    "paused": "paused",
    "restarting": "starting",
    "removing": "stopping",
    "created": "stopped",
    "exited": "stopped",
    "stopped": "stopped",
    "dead": "failed",
}
_HEALTH: dict[str, UnitState] = {
    "": "running",
    "none": "running",
    "healthy": "running",
    "starting": "starting",
    "unhealthy": "failed",
}
_ENDED = ("exited", "stopped")
# Exit codes of a container that ended by itself (0) or by a signal of `stop` (128 + SIGINT, 128 + SIGTERM).
_CLEAN_EXITS = ("0", "130", "143")
_STARTABLE = "compose"

# The beginning of a pattern for sed -E: a container of one of the services in the first line.
_OF_A_SERVICE = r"/^([^\n]* )?([^ \n]+) [^\n]*\n(.*\n)?container\|\2"
# Any code but those of _CLEAN_EXITS: a container that ended well may be a job.
_FAILED = "([1-9]|[1-9][0-9]|1[0-2][0-9]|13[1-9]|14[0-24-9]|1[5-9][0-9]|[2-9][0-9][0-9])"
_STOPPED = rf"(dead|created|running\|unhealthy|(exited|stopped)\|[^|]*\|{_FAILED})"

READER = StateReader(
    # Up to the time of the start: see _Container.
    identity=r"^container(\|[^|]*){5}",
    unstartable="\n".join(
        [
            r"s/^unknown|\([^|]*\)|\(.*\)/the state of the unit \1 is unknown: \2/p",
            "s/^services|$/its compose file has none of the units/p",
            "1s/^$/docker did not answer/p",
        ]
    ),
    down=f"""
s/^unusable\\|.*/stopped/p
/^container/H
/^services/!d
s/^services\\|(.*)/\\1 /
G
{_OF_A_SERVICE}(\\|[^|]*){{5}}\\|{_STOPPED}\\|/s/.*/stopped/p
{_OF_A_SERVICE}(\\|[^|]*){{2}}\\|[1-9][0-9]*(\\|[^|]*){{2}}\\|restarting\\|/s/.*/crashed/p""",
    restarts=r"s/^container(\|[^|]*){3}\|([1-9][0-9]{0,8})\|.*/\2/p",
)


def commands(service: Service, name: str) -> Manager:
    units, project = _units(service, name), _project(service, name)
    compose = f"docker compose -p {shlex.quote(project)}"
    values = {
        "project": project,
        "releases": f"{service.root}/{service.releases}",
        "units": " ".join(units),
        "patience": str(max(1, int(service.limits.stop) - _SECONDS_TO_KILL)),
    }
    return Manager(
        kind=service.manager,
        stop=f"{LIBRARY}stop",
        kill=f"{LIBRARY}end kill",
        reset=":",
        start=f"{LIBRARY}start",
        running=f"{LIBRARY}is_running",
        stopped=f"{LIBRARY}is_stopped",
        state=f"{LIBRARY}show",
        logs=f'{SET_SINCE}{LIBRARY}logs "$SINCE"',
        first_aid=(
            f"cd {service.root}/{service.current}",
            f"{compose} ps --all",
            shlex.join([*shlex.split(compose), "up", "--detach", "--force-recreate", *units]),
        ),
        functions=library(values, "compose.sh", "compose_change.sh"),
    )


def checks(service: Service, name: str) -> Mapping[str, Check]:
    """Return the check that the target's compose file can be used, and that the host has its images."""
    return {_STARTABLE: CommandCheck(kind="command", run=f"{LIBRARY}is_startable", phase="before")}


def parse(service: Service, name: str, text: str) -> tuple[Unit, ...]:
    units, project = _units(service, name), _project(service, name)
    lines = [line.split("|") for line in text.split("\n")]
    containers = [c for c in map(_Container.of, lines) if c and (not units or c.service in units)]
    services = next((line[1].split(" ") for line in lines if line[0] == "services" and len(line) == 2), None)
    unusable = [line for line in lines if line[0] == "unusable"]
    if services is None and not unusable:
        why = next((line[-1] for line in lines if line[0] == "unknown"), "docker did not answer")
        return (Unit(project, "unknown", detail=why),)
    if services == [""]:
        return tuple(Unit(unit, "missing") for unit in units or (project,))
    if services is not None:
        containers = [c for c in containers if c.service in services]
    jobs = {job for c in containers for job in c.waits_for}
    there = {c.service for c in containers}
    return (
        *(c.unit(is_job=c.service in jobs) for c in containers),
        # `up` creates missing containers, so a container that was removed counts as stopped.
        *(Unit(s, "stopped", detail="no container") for s in services or () if s not in there),
        # The containers are not of this release, or could not be started again. A rollback can leave them.
        *(Unit(project, "failed", detail=f"its compose file cannot be used: {line[-1]}") for line in unusable),
        *(Unit(project, "unknown", detail=line[-1]) for line in lines if line[0] == "unknown"),
    )


@frozen
class _Container:
    """A line that `containers` of compose.sh prints: these fields, in this order, with | between them."""

    service: str
    name: str
    id: str
    restarts: str
    started: str
    pid: str
    state: str
    health: str
    code: str
    depends: str
    place: str

    @classmethod
    def of(cls, line: list[str]) -> Self | None:
        return cls(*line[1:]) if line[0] == "container" and len(line) == len(fields(cls)) + 1 else None

    @property
    def waits_for(self) -> Iterator[str]:
        """The services whose end this container waits for: the label reads db:service_healthy:true,…"""
        for each in self.depends.split(","):
            if (fields := each.split(":"))[1:2] == ["service_completed_successfully"]:
                yield fields[0]

    def unit(self, *, is_job: bool) -> Unit:
        state = _STATES.get(self.state, "unknown")
        detail = "" if self.state in ("running", "paused", "exited") else self.state
        if self.state == "running":
            state = _HEALTH.get(self.health, "unknown")
            detail = "" if state == "running" else self.health
        elif self.state in _ENDED and self.code == "0" and is_job:
            state, detail = "finished", ""
        elif self.state in _ENDED and self.code not in _CLEAN_EXITS:
            state, detail = "failed", f"exit code {self.code}"
        return Unit(
            self.name.removeprefix("/") or self.service,
            state,
            pid=number(self.pid),
            restarts=number(self.restarts),
            invocation=f"{self.id[:12]} {self.started}",
            detail=detail,
        )


def _units(service: Service, name: str) -> tuple[str, ...]:
    return checked(f"services.{name}.units", service.units, _UNIT, _UNIT_HINT)


def _project(service: Service, name: str) -> str:
    (project,) = checked(f"services.{name}.project", (service.project or name,), _PROJECT, _PROJECT_HINT)
    return project
