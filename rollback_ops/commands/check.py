"""``check``: do all of a rollback that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from rollback_ops.commands.context import Context
from rollback_ops.commands.install import outdated
from rollback_ops.commands.result import SURVEY_WITHIN, RunResult, sort_answers
from rollback_ops.commands.run import fleet_of, publish, spec_of
from rollback_ops.core.errors import Exit
from rollback_ops.core.hold import about, merged, standing
from rollback_ops.core.journal import read_journal
from rollback_ops.core.model import Hold, Survey
from rollback_ops.core.ports import Progress
from rollback_ops.core.run import rfc3339
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine.fleet import Fleet
from rollback_ops.engine.readiness import few_left, warnings
from rollback_ops.engine.rollback import roll_back
from rollback_ops.engine.spec import RollbackSpec
from rollback_ops.integrations.publish import warned


def check(context: Context, progress: Progress, cancellation: Cancellation) -> RunResult:
    """Find out whether a rollback could be done and verified now. Changes nothing (the request is a dry run)."""
    reason, publisher = context.reason, context.publisher()
    with context.closing():
        reached = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation)).found
        spec, fleet = spec_of(context, reason), fleet_of(context, progress, cancellation)
        warnings = warnings_of(context, spec, fleet, reached)
        old = _drill_is_old(context, fleet)
        record = roll_back(spec, fleet, publisher)
        if old:
            record = record.model_copy(update={"outcome": "refused", "exit_code": int(Exit.REFUSED)})
        return publish(context, publisher, warned(record, old, reason.warning, *warnings))


def warnings_of(context: Context, spec: RollbackSpec, fleet: Fleet, reached: Mapping[str, Survey]) -> list[str]:
    """Return what a person should know before a rollback is needed."""
    surveys = list(reached.values())
    return [
        *map(held_until, standing(merged(surveys), context.started_at.timestamp())),
        *outdated(context, reached),
        *_no_marker(context),
        *warnings(spec, fleet, surveys),
        *few_left(surveys, spec.selection),
    ]


def held_until(hold: Hold) -> str:
    """Warn of holds. A hold never stops a rollback."""
    by = f" (by {hold.by}, until {rfc3339(datetime.fromtimestamp(hold.until, UTC))})" if hold.readable else ""
    return f"{about(hold)} is held{by}: {hold.reason}"


def _drill_is_old(context: Context, fleet: Fleet) -> str:
    """Return why the last good drill does not count any more, as far as hosts know one; empty when it does.

    A journal that cannot be read shows no drill.
    """
    limit = context.request.max_drill_age
    if limit is None:
        return ""
    asked = f"--max-drill-age is {limit / 86400:g} days"
    lines = [line for found in fleet.journals(fleet.names).values() for line in found]
    good = [each for each in read_journal(lines, context.job.about)[0] if each.drill and each.outcome == "succeeded"]
    if not good:
        return f"no good drill is recorded on the hosts that answer, and {asked}"
    age = context.started_at - datetime.fromisoformat(good[0].finished_at)
    if age.total_seconds() <= limit:
        return ""
    return f"the last good drill was {age.total_seconds() / 86400:.1f} days ago (run {good[0].id}), and {asked}"


def _no_marker(context: Context) -> Iterator[str]:
    """Warn when nothing tells a complete release from an incomplete copy."""
    job = context.job
    if not job.service.requires:
        key = f"services.{job.service_name}.requires"
        yield f"{key} is empty, so a half copied release counts as complete: name a file that is written last"
