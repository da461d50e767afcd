"""The screen "Numbers": how often rollbacks succeeded, and how long they took. Pure."""

from __future__ import annotations

from rollback_ops.core.statistics import Statistics
from rollback_ops.web.view import NumbersView


def numbers_of(found: Statistics) -> NumbersView:
    """Return the screen of the statistics that ``history stats`` shows."""
    groups = {
        "Environment": found.by_environment,
        "Trigger": found.by_trigger,
        "Month": found.by_month,
        "Drills, counted separately": {"all": found.drills} if found.drills else {},
    }
    return NumbersView(found, {title: group for title, group in groups.items() if group})
