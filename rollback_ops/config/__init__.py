"""rollback.toml and its variables: what they may say (``schema``), and how they are read (``file``)."""

from rollback_ops.config.schema import (
    Check,
    CommandCheck,
    CustomCommands,
    Environment,
    Event,
    HttpCheck,
    Limits,
    LogsCheck,
    MessageFormat,
    Notify,
    ProcessCheck,
    Service,
    Settings,
    TcpCheck,
    Verify,
)

__all__ = [
    "Check",
    "CommandCheck",
    "CustomCommands",
    "Environment",
    "Event",
    "HttpCheck",
    "Limits",
    "LogsCheck",
    "MessageFormat",
    "Notify",
    "ProcessCheck",
    "Service",
    "Settings",
    "TcpCheck",
    "Verify",
]
