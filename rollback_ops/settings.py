"""What rollback.toml may say, as types: every key, its default and its bounds. Durations are seconds."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_DURATION = re.compile(r"(?P<amount>\d+(?:\.\d+)?)(?P<unit>ms|s|m)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def parse_duration(value: object) -> object:
    """Seconds of a text like ``500ms``, ``20s`` or ``2m``; a plain number is seconds already."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("a duration is a number with its unit: 500ms, 20s or 2m")
    return float(match["amount"]) * _UNIT_SECONDS[match["unit"]]


Seconds = Annotated[float, BeforeValidator(parse_duration), Field(ge=0, le=3600)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class HttpCheck(Section):
    kind: Literal["http"]
    url: str
    source: Literal["host", "runner"] = Field("host", alias="from")
    status: int = 200
    text: str = ""
    fields: dict[str, Any] = Field(default_factory=dict, alias="json")
    headers: dict[str, str] = {}
    timeout: Seconds = 2.0


class TcpCheck(Section):
    kind: Literal["tcp"]
    address: str
    source: Literal["host", "runner"] = Field("host", alias="from")
    timeout: Seconds = 2.0


class ProcessCheck(Section):
    kind: Literal["process"]


class CommandCheck(Section):
    kind: Literal["command"]
    run: str
    phase: Literal["before", "after"] = "after"
    timeout: Seconds = 10.0


Check = Annotated[HttpCheck | TcpCheck | ProcessCheck | CommandCheck, Field(discriminator="kind")]


class Verify(Section):
    healthy_deadline: Seconds = 20.0
    min_healthy_time: Seconds = 3.0
    on_failure: Literal["report", "restore", "older"] = "report"


class Limits(Section):
    """The specification's table of maxima ("Performance Targets")."""

    connect: Seconds = 5.0
    find: Seconds = 3.0
    stop: Seconds = 10.0
    switch: Seconds = 3.0
    start: Seconds = 30.0
    verification: Seconds = 60.0
    total: Seconds = 60.0
    emergency_total: Seconds = 30.0


class CustomCommands(Section):
    """Shell command lines of ``manager = "custom"``; each runs on the host, in the live release."""

    stop: str
    start: str
    status: str
    logs: str = ""


class Service(Section):
    root: str
    layout: Literal["backups", "releases"] = "releases"
    releases: str = ""
    pattern: str = ""
    current: str = "current"
    manager: Literal["systemd", "systemd-user", "supervisor", "compose", "custom"] = "systemd"
    units: tuple[str, ...] = ()
    commands: CustomCommands | None = None
    project: str = ""
    links: dict[str, str] = {}
    requires: tuple[str, ...] = ()
    checks: dict[str, Check] = {}
    verify: Verify = Verify()
    limits: Limits = Limits()


class Environment(Section):
    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    url: str = ""
    require_permission: str = ""
