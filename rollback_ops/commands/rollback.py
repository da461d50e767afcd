"""``rollback`` and ``resume``: change the hosts, verify and record it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollback_ops.commands.context import Context, Limit, refuse
from rollback_ops.commands.result import RunResult
from rollback_ops.commands.run import fleet_of, publish, spec_of
from rollback_ops.config.request import Request
from rollback_ops.core.errors import Refused
from rollback_ops.core.plan import Refusal
from rollback_ops.core.ports import Progress
from rollback_ops.core.record import Record
from rollback_ops.core.recorder import record_of
from rollback_ops.core.run import RunState
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.rollback import roll_back
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.integrations.publish import warned

if TYPE_CHECKING:
    from rollback_ops.commands.pinned import Pinned


def rollback(context: Context, progress: Progress, cancellation: Cancellation) -> RunResult:
    """Roll the service back on its hosts, or finish interrupted rollbacks (``request.resume``).

    Without permission, or where a plan is no longer valid, no host is contacted, and the record says so. Raises
    ``UsageError`` when a person gave no reason, or a limit that it does not have.
    """
    refuse(context.request, *unheeded(context.request))
    reason, permission = context.reason, context.permission
    spec, publisher = spec_of(context, reason), context.publisher()
    refusal = (permission and permission.refusal) or (context.pinned and context.pinned.refusal)
    if refusal:
        return publish(context, publisher, _refused(context, spec, refusal))
    with context.closing():
        record = roll_back(spec, fleet_of(context, progress, cancellation), publisher)
        if context.pinned:
            record = _judged(context.pinned, record)
        return publish(context, publisher, warned(record, reason.warning, permission.warning if permission else ""))


def _judged(pinned: Pinned, record: Record) -> Record:
    # Imported late, as in `context`.
    from rollback_ops.commands.pinned import judged

    return judged(pinned, record)


def unheeded(request: Request) -> tuple[Limit, ...]:
    """Return the limits that a rollback, or a ``resume``, does not take: a stored plan has release and hosts."""
    return ("rehearse", "shard", "backup") if request.resume else ("rehearse",)


def _refused(context: Context, spec: RollbackSpec, refusal: Refused) -> Record:
    names = [host.name for host in context.hosts]
    state = RunState(spec.info, names, context.redact, spec.started_at, regions=spec.regions)
    state.decision = Refusal(refusal.message, refusal.hint)
    if spec.pinned:
        state.pinned, state.plan = spec.pinned, spec.pinned.fleet.ref
    return record_of(state)
