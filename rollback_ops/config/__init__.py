"""Settings of rollback.toml and the ``ROLLBACK_*`` variables. ``schema`` has the keys, ``load`` reads the file."""

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
    Strategy,
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
    "Strategy",
    "TcpCheck",
    "Verify",
]
