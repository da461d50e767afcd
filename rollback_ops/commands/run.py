"""Shared by the commands that change hosts or mark releases: the facts of a run, and its publication."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from rollback_ops import checks
from rollback_ops.commands.context import Context, hurried
from rollback_ops.commands.result import RunResult
from rollback_ops.config import MetricCheck
from rollback_ops.config.reason import Reason
from rollback_ops.core.hold import HoldPolicy
from rollback_ops.core.model import PERSONAL_TRIGGERS
from rollback_ops.core.plan import Selection
from rollback_ops.core.ports import Progress
from rollback_ops.core.record import Record
from rollback_ops.core.run import RunInfo, new_run
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.integrations.publish import Publisher

if TYPE_CHECKING:
    from rollback_ops.engine.analysis.series import Series
    from rollback_ops.engine.meters import Fetch, FetchBuckets


def spec_of(context: Context, reason: Reason) -> RollbackSpec:
    """Describe a new run."""
    request, job = context.request, context.job
    service = job.service
    return RollbackSpec(
        info_of(context, reason),
        selection_of(context),
        partial(checks.build, service.checks),
        service.verify,
        checks.thresholds(service.checks, service.verify),
        service.limits,
        context.redact,
        context.started_at,
        request.wait,
        HoldPolicy(service.hold.after_rollback, service.hold.seconds),
        job.strategy,
        job.environment.region_of,
        job.excluded,
        service.database,
        request.ignore_schema,
        checks.metrics(service.checks),
        fetched_by(context),
        pinned=context.pinned.order if context.pinned else None,
        traffic_time=(hurried(service) if request.emergency else service).traffic_time,
        deployed_at=request.since,
        buckets=buckets_by(context),
    )


def fetched_by(context: Context) -> Fetch:
    """Return the function with which a command reads stored metrics."""
    return partial(fetched, context)


def buckets_by(context: Context) -> FetchBuckets:
    """Return the function with which a command reads stored histograms."""
    return partial(bucketed, context)


def bucketed(
    context: Context, check: MetricCheck, query: str, seconds: float, at: float | None = None
) -> Mapping[float, Series]:
    """Read a histogram from Prometheus, as ``fetched`` does."""
    from rollback_ops.integrations.prometheus import buckets

    return buckets(check.url, query, seconds, context.secrets.metrics_token, check.timeout, at)


def fetched(context: Context, check: MetricCheck, query: str, seconds: float, at: float | None = None) -> Series:
    """Read a metric from Prometheus, with the token of the variable ROLLBACK_METRICS_TOKEN, if it is set.

    ``at``: the seconds are those before this moment (since the epoch); None: before now.
    """
    from rollback_ops.integrations.prometheus import samples

    return samples(check.url, query, seconds, context.secrets.metrics_token, check.timeout, at)


def info_of(context: Context, reason: Reason) -> RunInfo:
    """Return the facts of a new run. No other code makes them."""
    request, job = context.request, context.job
    return RunInfo(
        id=new_run(),
        service=job.service_name,
        environment=job.environment_name,
        mode=context.pinned.order.fleet.mode if context.pinned else request.mode,
        trigger=request.trigger,
        reason=context.redact(reason.text),
        actor=request.actor,
        run_url=request.run_url,
        dry_run=request.dry_run,
        scheduled=request.scheduled,
        bad=request.bad,
        approved=request.approved,
    )


def selection_of(context: Context) -> Selection:
    request, service = context.request, context.job.service
    return Selection(
        request.backup,
        request.if_current,
        request.emergency,
        request.resume,
        service.order,
        ignore_deploy_lock=request.ignore_deploy_lock or service.ignore_deploy_lock,
        automatic=request.trigger not in PERSONAL_TRIGGERS,
    )


def fleet_of(context: Context, progress: Progress, cancellation: Cancellation) -> Fleet:
    """Return the hosts with the survey that has begun, or begins now."""
    connections = context.job.connections
    return Fleet(context.hosts, context.survey, progress, cancellation, context.total, connections)


def publish(context: Context, publisher: Publisher, record: Record) -> RunResult:
    """Inform others how the run ended. Messages that could not be sent are warnings in the record."""
    published = publisher.ended(record)
    unpublished = tuple(warning for warning in published.warnings if warning not in record.warnings)
    changes = publisher.changes(published)
    return RunResult(published, context.first_aid, unpublished, local=context.request.local, changes=changes)
