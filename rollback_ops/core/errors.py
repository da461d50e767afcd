"""One tree of errors: what happened, what to do about it, and the exit code it ends with."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command; the README's table explains them to users."""

    OK = 0
    REFUSED = 1
    VERIFICATION_FAILED = 2
    RESTORED = 3
    FAILED = 4
    PARTIAL = 5
    USAGE = 64
    INTERRUPTED = 130
    TERMINATED = 143


class RollbackOpsError(Exception):
    """Any failure that this package can explain.

    ``message`` says what happened, ``hint`` what to do next (may be empty).
    """

    exit_code: Exit = Exit.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(RollbackOpsError):
    """The command line or the settings are wrong; nothing was contacted."""

    exit_code = Exit.USAGE


class Refused(RollbackOpsError):
    """Nothing was changed, because going on would not have been safe or possible."""

    exit_code = Exit.REFUSED


class HostUnreachable(Refused):
    """No connection to a host, so nothing was changed there."""


class HostUntrusted(HostUnreachable):
    """The host key is unknown or is not the expected one. Never retried."""


class AuthenticationFailed(HostUnreachable):
    """The host does not accept the key. Never retried: hosts lock out addresses that do."""


class ConnectionLost(RollbackOpsError):
    """The connection ended before the answer did: what the host did is not known yet."""


class BadAnswer(RollbackOpsError):
    """A host answered with something that is not the program's protocol."""


class Cancelled(RollbackOpsError):
    """A signal asked the command to stop. ``exit_code`` is 128 plus the signal's number."""

    def __init__(self, signal_number: int) -> None:
        super().__init__("stopped by a signal")
        self.exit_code = Exit(128 + signal_number)
