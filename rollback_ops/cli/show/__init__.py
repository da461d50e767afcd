"""Shows the result of each command: as text, as JSON, and in the step of a workflow. Each ends with its exit code."""

from rollback_ops.cli.show.deploy import armed, confirmed, gate, holds, rehearsal, sealed
from rollback_ops.cli.show.look import (
    advice,
    history,
    logged,
    outlook,
    preview,
    releases,
    releases_of_group,
    statistics,
)
from rollback_ops.cli.show.roll_back import (
    carried_out,
    drills,
    finished,
    marked,
    planned,
    run,
    schedule,
    shards,
    traces,
    verified,
    verified_group,
)
from rollback_ops.cli.show.set_up import installation, settings, uninstalled, workflow

__all__ = [
    "advice",
    "armed",
    "carried_out",
    "confirmed",
    "drills",
    "finished",
    "gate",
    "history",
    "holds",
    "installation",
    "logged",
    "marked",
    "outlook",
    "planned",
    "preview",
    "rehearsal",
    "releases",
    "releases_of_group",
    "run",
    "schedule",
    "sealed",
    "settings",
    "shards",
    "statistics",
    "traces",
    "uninstalled",
    "verified",
    "verified_group",
    "workflow",
]
