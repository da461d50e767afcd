"""``shards``: plan a rollback of very many hosts, and divide it into jobs. Changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rollback_ops.commands.context import Context
from rollback_ops.commands.pinned import settings_hash
from rollback_ops.commands.run import fleet_of, spec_of
from rollback_ops.config import Strategy
from rollback_ops.core.errors import Cancelled, Refused, UsageError
from rollback_ops.core.fleet_plan import MOST_SHARDS, FleetPlan, divide, shards_at_once
from rollback_ops.core.frozen import frozen
from rollback_ops.core.plan import Plan
from rollback_ops.core.ports import Progress
from rollback_ops.core.record import Record
from rollback_ops.core.recorder import record_of
from rollback_ops.core.rollout import Amount
from rollback_ops.core.run import RunState, rfc3339
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.rollback import Rollback
from rollback_ops.engine.spec import RollbackSpec

DEFAULT_FILE = Path("rollback-plan.json")


@frozen
class Sharded:
    """The plan that was written. None where nothing is to be, or can be, changed: ``record`` says why."""

    record: Record
    file: Path
    plan: FleetPlan | None = None

    @property
    def exit_code(self) -> int:
        return 0 if self.plan else self.record.exit_code


def shards(context: Context, progress: Progress, cancellation: Cancellation) -> Sharded:
    """Survey all hosts, choose one target for them, and write the plan to a file.

    Raises ``UsageError`` where the request or the strategy cannot be divided, and ``Refused`` without permission or
    where the file cannot be written.
    """
    context.check_permission()
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
        least = -(-sum(len(shard.hosts) for shard in plan.shards) // (MOST_SHARDS - 3))
        raise UsageError(
            f"{len(plan.shards)} shards are more than the {MOST_SHARDS} jobs of a matrix",
            f"Use --size {least} or more.",
        )
    try:
        file.write_text(plan.text(), encoding="utf-8")
    except OSError as error:
        raise Refused(f"the plan could not be written to {file}: {error.strerror}") from None
    return Sharded(record, file, plan)


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
    parts = {job.environment.region_of.get(host, "") for host in job.hosts}
    if len(parts) > 1:
        raise UsageError(
            f"the hosts are in {len(parts)} regions, which go one after the other",
            "Make a plan for each: name one with --region, and give the next ones its target with --to.",
        )
    strategy = job.strategy or Strategy(max_failures=Amount(100, percent=True))
    if strategy.after_canary == "stop":
        hint = "Remove it, and let the job of the other shards wait for a review (`review` of the reusable workflow)."
        raise UsageError('strategy.after_canary = "stop" cannot be kept by the jobs of a matrix', hint)
    return strategy.model_copy(update={"connections": max(1, every)})


def _divided(context: Context, spec: RollbackSpec, state: RunState, plan: Plan) -> FleetPlan:
    info, job, rollout = spec.info, context.job, state.rollout
    if rollout is None:
        raise AssertionError("a plan that changes hosts has waves")
    budget = rollout.max_failures - len(state.lost)
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
        max_failures=budget,
        told=rollout.told,
        shards=divide(plan, rollout, budget, context.request.size, job.connections),
        at_once=shards_at_once(rollout, context.request.size),
        lost={name: context.redact(error.without(name)) for name, error in state.lost.items()},
        targets={host.host: host.target for host in plan.hosts if host.target != plan.target},
        region=rollout.shares[0].region,
        excluded=rollout.excluded,
    )
