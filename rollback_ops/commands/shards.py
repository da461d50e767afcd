"""``shards``: plan a rollback of very many hosts, and divide it into jobs. Changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rollback_ops.commands.context import Context
from rollback_ops.commands.pinned import ANEW, Pinned, settings_hash
from rollback_ops.commands.run import fleet_of, spec_of
from rollback_ops.config import Strategy
from rollback_ops.core.errors import Cancelled, Refused, UsageError
from rollback_ops.core.fleet_plan import (
    MOST_SHARDS,
    FleetPlan,
    LostHost,
    all_shares,
    divide,
    least_size,
    shards_at_once,
)
from rollback_ops.core.frozen import frozen
from rollback_ops.core.plan import Plan
from rollback_ops.core.ports import Progress
from rollback_ops.core.record import Record
from rollback_ops.core.recorder import record_of
from rollback_ops.core.rollout import Amount
from rollback_ops.core.run import RunState, rfc3339
from rollback_ops.core.shard_jobs import RegionJobs, jobs_of, stopped_at
from rollback_ops.core.shard_order import confirmed
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.rollback import Rollback
from rollback_ops.engine.spec import RollbackSpec

DEFAULT_FILE = Path("rollback-plan.json")


@frozen
class Sharded:
    """The plan that was written. None where nothing is to be, or can be, changed: ``record`` says why.

    ``jobs``: what is carried out now, region by region.
    """

    record: Record
    file: Path
    plan: FleetPlan | None = None
    jobs: tuple[RegionJobs, ...] = ()

    @property
    def exit_code(self) -> int:
        return 0 if self.plan else self.record.exit_code


def shards(context: Context, progress: Progress, cancellation: Cancellation) -> Sharded:
    """Survey all hosts, choose one target for them, and write the plan to a file. Or go on with a plan.

    Raises ``UsageError`` where the request or the strategy cannot be divided, and ``Refused`` without permission or
    where the file cannot be written.
    """
    context.check_permission()
    if context.pinned:
        return _gone_on_with(context, context.pinned, progress, cancellation)
    strategy = _strategy(context)
    file = context.request.plan or DEFAULT_FILE
    spec = replace(spec_of(context, context.reason), strategy=strategy)
    with context.closing():
        state = _planned(Rollback(spec, fleet_of(context, progress, cancellation), context.publisher()))
    record = record_of(state)
    if state.cancelled or not isinstance(state.decision, Plan) or state.rollout is None:
        return Sharded(record, file)
    plan = _divided(context, spec, state, state.decision)
    if len(plan.shards) > MOST_SHARDS:
        least = least_size(plan)
        raise UsageError(
            f"{len(plan.shards)} shards are more than the {MOST_SHARDS} jobs of a matrix",
            f"Use --size {least} or more." if least else "Use --region: make a plan for some of the regions at a time.",
        )
    return _kept(Sharded(record, file, plan, tuple(jobs_of(plan, {}))))


def _kept(found: Sharded) -> Sharded:
    """Write the plan to its file. Raises ``Refused`` where that is not possible."""
    if found.plan:
        try:
            found.file.write_text(found.plan.text(), encoding="utf-8")
        except OSError as error:
            raise Refused(f"the plan could not be written to {found.file}: {error.strerror}") from None
    return found


def _gone_on_with(context: Context, pinned: Pinned, progress: Progress, cancellation: Cancellation) -> Sharded:
    """Verify the hosts that are done again, and note in the plan that its hosts are as it says.

    Raises ``Refused`` where they are not, or where too many have failed.
    """
    if pinned.refusal:
        raise pinned.refusal
    file = context.request.plan or DEFAULT_FILE
    with context.closing():
        fleet = fleet_of(context, progress, cancellation)
        run = Rollback(spec_of(context, context.reason), fleet, context.publisher())
        try:
            state = _planned(run)
            if not state.cancelled:
                run.carry_out()
        except Cancelled as cancelled:
            state.cancelled = cancelled.exit_code
        finally:
            fleet.release()
    record = record_of(state)
    if state.cancelled or not isinstance(state.decision, Plan):
        return Sharded(record, file)
    plan = confirmed(pinned.order.fleet, pinned.records, record, set(state.left_alone))
    jobs = jobs_of(plan, pinned.records)
    if why := stopped_at(plan, jobs, pinned.records):
        raise Refused(f"the rollback {plan.id} cannot be gone on with: {why}", ANEW)
    return _kept(Sharded(record, file, plan, tuple(jobs)))


def _planned(run: Rollback) -> RunState:
    """Return the state of a rollback that was only planned: other jobs carry it out."""
    try:
        run.survey()
        run.plan()
    except Cancelled as cancelled:
        run.state.cancelled = cancelled.exit_code
    run.state.finished_at = datetime.now(UTC)
    return run.state


def _strategy(context: Context) -> Strategy:
    """Return the strategy for all shards together. The connections of a runner limit each shard alone.

    Raises ``UsageError`` for a request or a strategy that cannot be divided.
    """
    job, every = context.job, len(context.hosts)
    if context.request.emergency:
        hint = f"Run `rollback-ops rollback {job.environment_name} --emergency`: it changes all hosts at once."
        raise UsageError("an emergency does not wait for the jobs of a matrix", hint)
    if context.request.local:
        raise UsageError("--local is one host, which cannot be divided", "Use `rollback-ops rollback --local`.")
    strategy = job.strategy or Strategy(max_failures=Amount(100, percent=True))
    return strategy.model_copy(update={"connections": max(1, every)})


def _divided(context: Context, spec: RollbackSpec, state: RunState, plan: Plan) -> FleetPlan:
    info, job, regions = spec.info, context.job, context.job.environment.region_of
    if state.rollout is None:
        raise AssertionError("a plan that changes hosts has waves")
    rollout = all_shares(plan, state.rollout, regions)
    return FleetPlan(
        id=info.id,
        service=info.service,
        environment=info.environment,
        at=rfc3339(state.started_at),
        settings=settings_hash(context.settings, info.service, info.environment),
        mode=info.mode,
        trigger=info.trigger,
        reason=info.reason,
        actor=info.actor,
        run_url=info.run_url,
        bad=info.bad,
        whole=context.request.whole,
        origin=state.origin,
        target=plan.target,
        revision=plan.revision,
        rollout=replace(rollout, waves=()),
        shards=divide(plan, rollout, context.request.size, job.connections, lost=list(state.lost), regions=regions),
        at_once=shards_at_once(rollout, context.request.size),
        lost={
            name: LostHost(context.redact(error.without(name)), regions.get(name, ""))
            for name, error in state.lost.items()
        },
        targets={host.host: host.target for host in plan.hosts if host.target != plan.target},
    )
