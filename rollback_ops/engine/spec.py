"""One rollback as it was asked for, and what each host is told to do for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rollback_ops.checks import Look, Visit
from rollback_ops.config import Limits, Verify
from rollback_ops.core.health import Pace
from rollback_ops.core.model import SwitchOrder, Unit
from rollback_ops.core.plan import HostPlan, Wish
from rollback_ops.core.redaction import mask
from rollback_ops.core.run import Chronicle, Heading, rfc3339


@dataclass(frozen=True, slots=True)
class Order:
    """One rollback as it was asked for. ``checks`` makes the checks for a release, anew for each host."""

    heading: Heading
    wish: Wish
    checks: Callable[[str], Mapping[str, Look | Visit]]
    policy: Verify
    paces: Mapping[str, Pace]
    limits: Limits = field(default_factory=Limits)


def for_host(order: Order, host: HostPlan, chronicle: Chronicle) -> SwitchOrder:
    """The transaction of one host in the attempt that was just begun."""
    heading, number = order.heading, len(chronicle.attempts)
    intent = {
        "event": "intent",
        "id": heading.run,
        "service": heading.service,
        "environment": heading.environment,
        "mode": heading.mode,
        "trigger": heading.trigger,
        "reason": mask(heading.reason),
        "actor": heading.actor,
        "run_url": heading.run_url or None,
        "from": (chronicle.surveys[host.host].origin if number == 1 else host.source.name) or None,
        "to": host.target,
        "at": rfc3339(chronicle.started_at),
    }
    return SwitchOrder(
        run=heading.run if number == 1 else f"{heading.run}.{number}",
        source=host.source.path,
        target=host.target,
        owner=heading.actor,
        run_url=heading.run_url,
        intent=json.dumps(intent, separators=(",", ":")),
        break_lock=order.wish.emergency,
        relink=not chronicle.attempts[-1].goes_back,
        reset=number > 1 or not _is_steady(chronicle.surveys[host.host].units),
    )


def _is_steady(units: Sequence[Unit]) -> bool:
    """Whether there is nothing that a manager could hold against starting them."""
    return bool(units) and all(unit.state == "running" and not unit.restarts for unit in units)
