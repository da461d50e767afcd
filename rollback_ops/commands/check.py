"""``check``: a rollback up to the moment at which it would change something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from rollback_ops.commands.context import Context
from rollback_ops.commands.install import outdated
from rollback_ops.commands.result import SURVEY_WITHIN, RunResult, sort_answers
from rollback_ops.commands.run import fleet_of, publish, spec_of
from rollback_ops.core.hold import about, merged, standing
from rollback_ops.core.model import Hold, Survey
from rollback_ops.core.ports import Progress
from rollback_ops.core.run import rfc3339
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.readiness import doubts, few_left
from rollback_ops.engine.rollback import roll_back
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.integrations.publish import warned


def check(context: Context, progress: Progress, cancellation: Cancellation) -> RunResult:
    """Say whether a rollback could be done now, and could be verified. Changes nothing (the request is a dry run)."""
    reason, publisher = context.reason, context.publisher()
    with context.closing():
        reached = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation)).found
        spec, fleet = spec_of(context, reason), fleet_of(context, progress, cancellation)
        warnings = warnings_of(context, spec, fleet, reached)
        record = roll_back(spec, fleet, publisher)
        return publish(context, publisher, warned(record, reason.warning, *warnings))


def warnings_of(context: Context, spec: RollbackSpec, fleet: Fleet, reached: Mapping[str, Survey]) -> list[str]:
    """Return what a person should know before a rollback is needed."""
    surveys = list(reached.values())
    return [
        *map(held_until, standing(merged(surveys), context.started_at.timestamp())),
        *outdated(context, reached),
        *_no_marker(context),
        *doubts(spec, fleet, surveys),
        *few_left(surveys, spec.selection),
    ]


def held_until(hold: Hold) -> str:
    """Warn of holds. A hold never stops a rollback."""
    by = f" (by {hold.by}, until {rfc3339(datetime.fromtimestamp(hold.until, UTC))})" if hold.readable else ""
    return f"{about(hold)} is held{by}: {hold.reason}"


def _no_marker(context: Context) -> Iterator[str]:
    """Warn when nothing tells a complete release from an incomplete copy."""
    job = context.job
    if not job.service.requires:
        key = f"services.{job.service_name}.requires"
        yield f"{key} is empty, so a half copied release counts as complete: name a file that is written last"
