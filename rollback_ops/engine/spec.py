"""The request of a run (``RollbackSpec``), and the transaction that each host is sent for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rollback_ops.checks import HostProbe, NetworkProbe
from rollback_ops.config import Limits, MetricCheck, Schema, Strategy, Verify
from rollback_ops.core.frozen import frozen
from rollback_ops.core.health import Thresholds
from rollback_ops.core.hold import HoldPolicy
from rollback_ops.core.model import Survey, SwitchOrder, Unit
from rollback_ops.core.plan import HostPlan, Selection
from rollback_ops.core.record import EvidenceRecord
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.run import RunInfo, RunState, rfc3339

if TYPE_CHECKING:
    from rollback_ops.core.fleet_plan import PinnedShard
    from rollback_ops.engine.analysis.series import Series


@frozen
class RollbackSpec:
    """The request of a run. ``checks`` makes the checks for a release, anew for each host.

    ``wait``: seconds to wait for a host that another run holds. None: until the lease of a dead owner is over.
    ``strategy``: None changes all hosts at the same time. ``regions`` maps hosts to their region, ``excluded`` are the
    regions that were left out. ``metrics`` are watched by a guard, ``fetch`` and ``buckets`` read those that are not on
    the hosts (``engine.metrics``), and ``evidence`` is what they showed a guard before this run.
    ``deployed_at``: when the live release was deployed (seconds since the epoch), where the request says so.
    ``pinned``: the shard of a larger plan that is carried out, and nothing else.
    ``traffic_time``: seconds that each transaction may take beyond the limits, as its host is drained.
    """

    info: RunInfo
    selection: Selection
    checks: Callable[[str], Mapping[str, HostProbe | NetworkProbe]]
    policy: Verify
    thresholds: Mapping[str, Thresholds]
    limits: Limits = field(default_factory=Limits)
    redact: Redactor = field(default_factory=Redactor)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    wait: float | None = None
    hold: HoldPolicy = field(default_factory=HoldPolicy)
    strategy: Strategy | None = None
    regions: Mapping[str, str] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    schema: Schema | None = None
    ignore_schema: bool = False
    metrics: Mapping[str, MetricCheck] = field(default_factory=dict)
    fetch: Callable[[MetricCheck, str, float], Series] | None = None
    evidence: tuple[EvidenceRecord, ...] = ()
    traffic_time: float = 0.0
    deployed_at: float | None = None
    buckets: Callable[[MetricCheck, str, float], Mapping[float, Series]] | None = None
    pinned: PinnedShard | None = None


def for_host(spec: RollbackSpec, host: HostPlan, state: RunState) -> SwitchOrder:
    """Return the transaction of one host in the attempt that has just begun."""
    info, number = spec.info, len(state.attempts)
    intent = {
        "event": "intent",
        **info.facts(),
        "reason": spec.redact(info.reason),
        "from": (state.surveys[host.host].origin if number == 1 else host.source.name) or None,
        "to": host.target,
        "at": rfc3339(state.started_at),
    }
    return SwitchOrder(
        run=info.id + _suffix(state),
        source=host.source.path,
        target=host.target,
        owner=info.actor,
        run_url=info.run_url,
        intent=json.dumps(intent, separators=(",", ":")),
        break_lock=spec.selection.emergency,
        relink=not state.attempts[-1].goes_back,
        reset=number > 1 or not _is_steady(state.surveys[host.host].units),
        look=number > 1 or bool(state.surveys[host.host].reaches),
    )


def _suffix(state: RunState) -> str:
    """Return the suffix of the run's id for a further transaction of this run on the host."""
    number, again = len(state.attempts), state.locked_out
    if number > 1:
        return f".{number}"
    return f".again{again}" if again else ""


def without_own_lease(survey: Survey, run: str) -> Survey:
    """Return the survey without its lease where that is the run's own."""
    mine = survey.lease is not None and survey.lease.run.partition(".")[0] == run
    return replace(survey, lease=None) if mine else survey


def _is_steady(units: Sequence[Unit]) -> bool:
    """Return whether no unit has a failure on record that could make its manager refuse a start."""
    return bool(units) and all(unit.state in ("running", "finished", "files") and not unit.restarts for unit in units)
