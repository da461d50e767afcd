"""``schedule add``, ``list`` and ``cancel``: plan a rollback for a time, show and cancel such plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rollback_ops.commands.choice import choose
from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.commands.run import selection_of
from rollback_ops.commands.schedule_run import Now, utc_now
from rollback_ops.commands.schedule_stores import Stores
from rollback_ops.config.moments import window
from rollback_ops.core.errors import Exit, Refused, RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Survey
from rollback_ops.core.plan import Plan
from rollback_ops.core.run import new_run, rfc3339
from rollback_ops.core.schedule import (
    ScheduledRollback,
    ScheduleEntry,
    note_of,
)
from rollback_ops.core.stored_plan import approves
from rollback_ops.core.tasks import Cancellation
from rollback_ops.core.versions import Versions


@frozen
class Schedule:
    """The entries, in the order in which they are due. ``lost``: where none could be read."""

    entries: Sequence[ScheduleEntry]
    lost: Mapping[str, RollbackOpsError]

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.lost else Exit.OK


def add(context: Context, stores: Stores, cancellation: Cancellation, now: Now = utc_now) -> ScheduleEntry:
    """Schedule the rollback that would be done now: from the live release to the target, and to no other.

    Raises ``UsageError`` for a bad time or reason, and as ``Stores.of``. Raises ``Refused`` where nothing could be
    rolled back now, a host cannot be reached, or the permission is missing.
    """
    context.refuse_limits()
    request, job, store = context.request, context.job, stores.of(context)
    at, not_after = window(request.at, request.not_after, now())
    reason = context.redact(context.reason.text)
    context.check_permission()
    with context.closing():
        plan, live = _plan_now(context, cancellation)
        asked = ScheduledRollback(
            id=new_run(),
            service=job.service_name,
            environment=job.environment_name,
            at=rfc3339(at),
            not_after=rfc3339(not_after),
            by=request.actor,
            reason=reason,
            live=live,
            to=plan.target,
            to_revision=plan.revision,
            hosts=() if request.whole else job.hosts,
            created_at=rfc3339(now()),
        )
        store.add(asked)
    return ScheduleEntry(asked)


def _plan_now(context: Context, cancellation: Cancellation) -> tuple[Plan, str]:
    """Return the plan of a rollback now, and the live release. Raises ``Refused`` where there is nothing to do."""
    request, answers = context.request, sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
    for host, error in answers.lost.items():
        raise Refused(f"{host}: {error.without(host)}", "All hosts must be reachable to plan a rollback.")
    plan = choose(context, selection_of(context), answers, cancellation)
    if not isinstance(plan, Plan):
        raise Refused(f"a rollback could not be done now: {plan.why}", getattr(plan, "hint", ""))
    if request.approved and not approves(request.approved, context.job.about, plan):
        raise Refused(f"the plan is not the approved one ({request.approved[:12]}): it goes to {plan.target}")
    live = _live(list(answers.found.values()))
    if request.if_current and live != request.if_current:
        raise Refused(
            f"{live} is live, and not {request.if_current}", "Nothing was scheduled. `list` shows what is live."
        )
    return plan, live


def entries(stores: Stores) -> Schedule:
    """Return all entries that are kept."""
    found = sorted((found.entry for found in stores.find()), key=lambda entry: entry.asked.due)
    return Schedule(found, stores.lost)


def cancel(stores: Stores, number: str, by: str) -> ScheduleEntry:
    """Cancel an entry. Raises ``Refused`` where there is none, or where it has ended or begun already."""
    for found in stores.find():
        if found.entry.asked.id != number:
            continue
        if found.entry.state in ("added", "waiting"):
            found.store.note(found.entry.asked, note_of("cancelled", by))
        entry = found.store.again(found.entry.asked)
        if entry.state != "cancelled":
            raise Refused(f"the scheduled rollback {number} cannot be cancelled: {entry.state} ({entry.last.why})")
        return entry
    where = f"\n{'; '.join(f'{name}: {error.message}' for name, error in stores.lost.items())}" if stores.lost else ""
    raise Refused(f"there is no scheduled rollback {number}{where}", "`rollback-ops schedule list` shows them.")


def _live(surveys: Sequence[Survey]) -> str:
    """Return the label of the live release. Raises ``Refused`` where hosts run different ones."""
    versions = Versions(surveys)
    lives = sorted({versions.label(survey.host, survey.origin) for survey in surveys})
    if len(lives) != 1 or not lives[0]:
        raise Refused(f"hosts run different releases: {', '.join(lives)}", "Plan a rollback when all run the same one.")
    return lives[0]
