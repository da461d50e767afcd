"""The starter of the command, and the run of its workflow."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from rollback_ops.core.model import Trigger
from rollback_ops.core.text import one_line


def trigger_of(environ: Mapping[str, str]) -> Trigger:
    """Return the trigger of a run that names none."""
    dispatched = runs_in_actions(environ) and environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch"
    return "workflow" if dispatched else "manual"


def runs_in_actions(environ: Mapping[str, str]) -> bool:
    return environ.get("GITHUB_ACTIONS") == "true"


def actor_of(environ: Mapping[str, str]) -> str:
    """Return the person who started the command: GitHub's name for them, else the user of this machine.

    A workflow run that is started again has two actors; the triggering actor started it again.
    """
    user = environ.get("USER") or environ.get("LOGNAME") or user_name(os.getuid())
    known = environ.get("GITHUB_TRIGGERING_ACTOR") or environ.get("GITHUB_ACTOR")
    return one_line(known or f"{user}@{os.uname().nodename}")


def user_name(uid: int) -> str:
    """Return a user's name in the password database, or the number of a user that has no entry there."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def run_url_of(environ: Mapping[str, str]) -> str:
    """Return the page of this attempt of the workflow's run; empty outside of a workflow."""
    server, repository, run = (environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if not (server and repository and run):
        return ""
    attempt = environ.get("GITHUB_RUN_ATTEMPT", "")
    return one_line(f"{server}/{repository}/actions/runs/{run}" + (f"/attempts/{attempt}" if attempt else ""))
