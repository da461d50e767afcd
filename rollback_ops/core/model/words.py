"""The words that runs, hosts and people use: modes, triggers, states, marks and outcomes."""

from __future__ import annotations

from typing import Literal

Mode = Literal["standard", "emergency", "targeted"]
# The automatic triggers that a check can have.
AutomaticTrigger = Literal[
    "verification-failed",
    "health-timeout",
    "log-error",
    "process-crash",
    "config-invalid",
    "database-unreachable",
    "metric-degraded",
]
Trigger = Literal["manual", "workflow", "deploy-failed", AutomaticTrigger, "unconfirmed", "scheduled", "drill"]
# A person asked for the rollback; every other trigger is automatic.
PERSONAL_TRIGGERS: tuple[Trigger, ...] = ("manual", "workflow", "scheduled")
# finished: it ended with success, as it should. paused: a person froze it, for an unknown time. files: no process.
UnitState = Literal[
    "running", "starting", "paused", "stopping", "stopped", "finished", "files", "failed", "missing", "unknown"
]
LiveState = Literal["release", "missing", "dangling", "directory", "elsewhere"]
Mark = Literal["", "good", "bad"]
# The note of a run on a release: its verdict, or only that a rollback left it.
Note = Literal["good", "bad", "left"]
# The marks that a person may set. "clear": remove the mark.
Opinion = Literal["good", "bad", "clear"]
InstallOutcome = Literal["installed", "replaced", "unchanged"]
# The results of a removal of the break-glass program. "purged": the state of the service is gone, too.
UninstallOutcome = Literal["removed", "absent", "purged"]
StepOutcome = Literal["ok", "warning", "failed"]
SwitchOutcome = Literal[
    "switched", "not_started", "still_starting", "refused", "put_back", "failed", "superseded", "unknown"
]
