"""The screen "Numbers": success rates and durations of rollbacks. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from rollback_ops.core.statistics import Statistics
from rollback_ops.core.summary import RECOVERY_UNSEEN, fail_rate, fail_rate_unseen
from rollback_ops.core.text import age
from rollback_ops.web.view import NumbersView


def numbers_of(found: Statistics) -> NumbersView:
    """Return the screen of the statistics that ``history stats`` shows."""
    groups = {
        "Environment": found.by_environment,
        "Trigger": found.by_trigger,
        "Month": found.by_month,
        "Drills, counted separately": {"all": found.drills} if found.drills else {},
    }
    return NumbersView(found, {title: group for title, group in groups.items() if group}, tuple(_figures(found)))


def _figures(found: Statistics) -> Iterator[tuple[str, str, str]]:
    if found.failed_deployments or found.change_failures:
        yield "Change fail rate (DORA)", fail_rate(found), fail_rate_unseen(found)
    if spread := found.recovery:
        told = f"median {age(spread.median)}, 95th percentile {age(spread.p95)}, worst {age(spread.worst)}"
        yield "Failed deployment recovery time (DORA)", told, RECOVERY_UNSEEN
    if found.drills and (healthy := found.drills.healthy):
        seconds = f"median {healthy.median:.2f} s, 95th percentile {healthy.p95:.2f} s, worst {healthy.worst:.2f} s"
        yield "Drills: from their beginning to the first healthy answer", seconds, "a host that is broken"
