"""The errors of this package. Each has a message, a hint and an exit code."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of all commands. docs/commands.md explains them to users."""

    OK = 0
    REFUSED = 1
    VERIFICATION_FAILED = 2
    RESTORED = 3
    FAILED = 4
    PARTIAL = 5
    SUPERSEDED = 6
    USAGE = 64
    INTERRUPTED = 130
    TERMINATED = 143


class RollbackOpsError(Exception):
    """A failure that this package can explain.

    ``message`` says what happened. ``hint`` says what to do next; it may be empty.
    """

    exit_code: Exit = Exit.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def without(self, host: str) -> str:
        """Return the text for a place that has named the host already."""
        return str(self).removeprefix(f"{host}: ")

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(RollbackOpsError):
    """The command line or the settings are wrong. No host was contacted."""

    exit_code = Exit.USAGE


class Refused(RollbackOpsError):
    """Nothing was changed, because it was not safe or not possible to continue."""

    exit_code = Exit.REFUSED


class HostUnreachable(Refused):
    """The connection to a host failed, so nothing was changed there."""


class HostUntrusted(HostUnreachable):
    """The host key is unknown or is not the expected one. Never retried."""


class AuthenticationFailed(HostUnreachable):
    """The host does not accept the key. Never retried: hosts block addresses that retry."""


class ConnectionLost(RollbackOpsError):
    """The connection ended before the answer was complete. It is not known yet what the host did."""


class BadAnswer(RollbackOpsError):
    """The answer of a host does not follow the agent's protocol."""


class Cancelled(RollbackOpsError):
    """A signal asked the command to stop. ``exit_code`` is 128 plus the signal's number."""

    def __init__(self, signal_number: int) -> None:
        super().__init__("stopped by a signal")
        self.exit_code = Exit(128 + signal_number)
