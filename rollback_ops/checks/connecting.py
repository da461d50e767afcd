"""How to judge a connection that could not be opened. Shared by the checks that open one."""

from __future__ import annotations

from socket import gaierror

from rollback_ops.core.health import Finding
from rollback_ops.core.model import AutomaticTrigger

# A name that does not resolve, a connection that sshd or a firewall forbids or that the host could not open for an
# unknown reason, an SSH connection that was lost.
_NOT_ASKED = (gaierror, UnicodeError, PermissionError, ConnectionAbortedError, ConnectionResetError)


def not_connected(
    address: str, error: Exception, timeout: float, trigger: AutomaticTrigger = "verification-failed"
) -> Finding:
    """Return "unknown" where the service was never asked, and "failed" where it refused or did not answer.

    ``timeout`` is in seconds.
    """
    if isinstance(error, TimeoutError):
        return Finding("failed", f"{address}: no answer within {timeout:g} s", trigger=trigger, silent=True)
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, _NOT_ASKED):
        return Finding("unknown", f"{address} could not be checked: {reason}")
    return Finding("failed", f"{address}: {reason}", trigger=trigger)
