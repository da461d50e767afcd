"""One rollback as it was asked for, and what each host is told to do for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rollback_ops.checks import HostProbe, NetworkProbe
from rollback_ops.config import Limits, Verify
from rollback_ops.core.health import Thresholds
from rollback_ops.core.model import SwitchOrder, Unit
from rollback_ops.core.plan import HostPlan, Selection
from rollback_ops.core.redaction import mask
from rollback_ops.core.run import RunInfo, RunState, rfc3339


@dataclass(frozen=True, slots=True)
class RollbackSpec:
    """One rollback as it was asked for. ``checks`` makes the checks for a release, anew for each host."""

    info: RunInfo
    selection: Selection
    checks: Callable[[str], Mapping[str, HostProbe | NetworkProbe]]
    policy: Verify
    thresholds: Mapping[str, Thresholds]
    limits: Limits = field(default_factory=Limits)


def for_host(spec: RollbackSpec, host: HostPlan, state: RunState) -> SwitchOrder:
    """The transaction of one host in the attempt that was just begun."""
    info, number = spec.info, len(state.attempts)
    intent = {
        "event": "intent",
        "id": info.run,
        "service": info.service,
        "environment": info.environment,
        "mode": info.mode,
        "trigger": info.trigger,
        "reason": mask(info.reason),
        "actor": info.actor,
        "run_url": info.run_url or None,
        "from": (state.surveys[host.host].origin if number == 1 else host.source.name) or None,
        "to": host.target,
        "at": rfc3339(state.started_at),
    }
    return SwitchOrder(
        run=info.run if number == 1 else f"{info.run}.{number}",
        source=host.source.path,
        target=host.target,
        owner=info.actor,
        run_url=info.run_url,
        intent=json.dumps(intent, separators=(",", ":")),
        break_lock=spec.selection.emergency,
        relink=not state.attempts[-1].goes_back,
        reset=number > 1 or not _is_steady(state.surveys[host.host].units),
    )


def _is_steady(units: Sequence[Unit]) -> bool:
    """Whether there is nothing that a manager could hold against starting them."""
    return bool(units) and all(unit.state == "running" and not unit.restarts for unit in units)
