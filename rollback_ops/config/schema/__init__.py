"""The keys of rollback.toml as pydantic models, with their defaults and bounds. Durations are in seconds."""

from __future__ import annotations

import rollback_ops.core.lean_pydantic  # noqa: F401 - before all that import pydantic
from rollback_ops.config.schema.checks import (
    AskedCheck,
    Check,
    CheckSettings,
    CommandCheck,
    HttpCheck,
    LogsCheck,
    MetricCheck,
    ProcessCheck,
    TcpCheck,
)
from rollback_ops.config.schema.environment import Advisor, Environment, Group, Region, Strategy
from rollback_ops.config.schema.section import Section
from rollback_ops.config.schema.service import (
    CustomCommands,
    Event,
    Guard,
    HoldSettings,
    Limits,
    MessageFormat,
    Notify,
    Schema,
    Service,
    Traffic,
    Verify,
)
from rollback_ops.config.types import Name

__all__ = [
    "Advisor",
    "AskedCheck",
    "Check",
    "CheckSettings",
    "CommandCheck",
    "CustomCommands",
    "Environment",
    "Event",
    "Group",
    "Guard",
    "HoldSettings",
    "HttpCheck",
    "Limits",
    "LogsCheck",
    "MessageFormat",
    "MetricCheck",
    "Notify",
    "ProcessCheck",
    "Region",
    "Schema",
    "Section",
    "Service",
    "Settings",
    "Strategy",
    "TcpCheck",
    "Traffic",
    "Verify",
]


class Settings(Section):
    """The whole file: services, groups of services, and environments by name. ``advisor``: None asks no model."""

    services: dict[Name, Service] = {}
    groups: dict[Name, Group] = {}
    environments: dict[Name, Environment] = {}
    advisor: Advisor | None = None
