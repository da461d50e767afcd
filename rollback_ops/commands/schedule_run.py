"""``schedule run``: carry out the scheduled rollbacks that are due."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from rollback_ops.commands.context import Context
from rollback_ops.commands.result import SURVEY_WITHIN, RunResult, sort_answers
from rollback_ops.commands.rollback import rollback
from rollback_ops.commands.run import fleet_of, info_of, publish, spec_of
from rollback_ops.commands.schedule_stores import Found, Stores
from rollback_ops.config.reason import Reason
from rollback_ops.core.errors import Exit, RollbackOpsError, UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.ports import Progress
from rollback_ops.core.recorder import record_of
from rollback_ops.core.run import RunState, new_run
from rollback_ops.core.schedule import (
    NoteKind,
    ScheduledRollback,
    ScheduleEntry,
    claim,
    note_of,
)
from rollback_ops.core.tasks import Cancellation
from rollback_ops.engine import preflight
from rollback_ops.engine.claim import at_work, kept
from rollback_ops.engine.schedule import schedule_blocker

Now = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


# The outcomes of hosts on which nothing was changed.
_UNCHANGED = ("nothing_to_do", "refused", "unreachable", "cancelled", "not_begun")
_ABANDONED = "the run that began it was killed, or could not note its outcome: `list` shows what is live"


@frozen
class Carried:
    """The result for an entry that was due. ``result``: of its rollback, or of the message that was sent instead.

    ``skipped``: another run carries it out. ``claimed`` without it: it is unknown whether one still does.
    """

    entry: ScheduleEntry
    what: NoteKind
    why: str = ""
    result: RunResult | None = None
    skipped: bool = False

    @property
    def exit_code(self) -> int:
        if self.skipped or self.what == "done":
            return Exit.OK
        return self.result.exit_code if self.what == "failed" and self.result else Exit.REFUSED


@frozen
class Ran:
    """The result of ``schedule run``. ``left`` counts the entries that are not due yet.

    ``cancelled`` is the exit code of the signal that ended it; 0 without one.
    """

    carried: Sequence[Carried]
    left: int
    lost: Mapping[str, RollbackOpsError]
    cancelled: int = 0

    @property
    def exit_code(self) -> int:
        if self.cancelled:
            return self.cancelled
        codes = {each.exit_code for each in self.carried} | {Exit.REFUSED if self.lost else Exit.OK}
        codes -= {Exit.OK}
        return Exit.OK if not codes else codes.pop() if len(codes) == 1 else Exit.PARTIAL


def run_due(stores: Stores, progress: Progress, cancellation: Cancellation, now: Now = utc_now) -> Ran:
    """Carry out the entries that are due. All conditions are checked again; one that no longer holds changes nothing.

    Raises ``UsageError`` as ``Stores.refuse_limits``.
    """
    stores.refuse_limits()
    carried: list[Carried] = []
    left = 0
    for found in stores.find():
        moment = now().timestamp()
        try:
            if found.entry.is_silent(moment):
                carried.append(_asked_after(stores, found, cancellation))
            elif found.entry.is_due(moment):
                carried.append(_carry_out(stores, found, progress, cancellation, now))
            else:
                left += not found.entry.ended
        except RollbackOpsError as error:
            # Nothing was begun: the store did not give the claim.
            stores.lost[found.entry.asked.id] = error
        if cancellation.asked:
            break
    return Ran(carried, left, stores.lost, 128 + cancellation.signal if cancellation.asked else 0)


def _asked_after(stores: Stores, found: Found, cancellation: Cancellation) -> Carried:
    """End an entry whose runner was killed, and tell others. The hosts finish what they have begun.

    It is left alone while a run still holds one of its hosts, or where that is unknown.
    """
    try:
        context = stores.open(found.entry.asked)
    except UsageError:
        return _ended(found, "failed", new_run(), _ABANDONED)
    with context.closing():
        answers = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        working, why = at_work(list(answers.found.values()), answers.lost)
        if working is not False:
            return Carried(found.entry, "claimed", why, skipped=bool(working))
        return _ended(found, "failed", new_run(), _ABANDONED, _told(context, f"failed: {_ABANDONED}"))


def _carry_out(stores: Stores, found: Found, progress: Progress, cancellation: Cancellation, now: Now) -> Carried:
    asked, run = found.entry.asked, new_run()
    if not claim(found.store, found.entry, run):
        return Carried(found.store.again(asked), "claimed", "another run was first", skipped=True)
    try:
        context = stores.open(asked)
    except UsageError as error:
        what, why = unopened(stores, asked, error, now)
        return _ended(found, what, run, why)
    with context.closing():
        try:
            against = _against(context, found.entry, progress, cancellation, now)
        except RollbackOpsError as error:
            against = "waiting", error.message
        if against is None:
            with kept(found.store, asked, run):
                result = rollback(context, progress, cancellation)
            against = _not_begun(result)
            if against is None:
                done: NoteKind = "done" if result.exit_code == Exit.OK else "failed"
                return _ended(found, done, run, f"run {result.record.id}: {result.record.outcome}", result)
        told = None if against[0] == "waiting" else _told(context, f"{against[0]}: {against[1]}")
        return _ended(found, against[0], run, context.redact(against[1]), told)


def unopened(stores: Stores, asked: ScheduledRollback, error: UsageError, now: Now) -> tuple[NoteKind, str]:
    """Return the note for an entry that cannot be carried out with these settings. A wrong secret can be corrected."""
    if why := stores.lacks(asked):
        return "stale", f"the settings have changed: {why}"
    return ("expired" if now().timestamp() > asked.until else "waiting"), error.message


def _against(
    context: Context, entry: ScheduleEntry, progress: Progress, cancellation: Cancellation, now: Now
) -> tuple[NoteKind, str] | None:
    """Return why an entry is not carried out: too late, no permission, or the hosts have changed; else None."""
    asked = entry.asked
    if now().timestamp() > asked.until:
        waited = f"; it waited: {entry.last.why}" if entry.state == "waiting" else ""
        return "expired", f"it was to begin before {asked.not_after}{waited}"
    permission = context.permission
    if permission and permission.refusal:
        return ("stale" if permission.asked else "waiting"), permission.refusal.message
    answers = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
    surveys = list(answers.found.values())
    if found := schedule_blocker(asked, surveys, answers.lost, now().timestamp()):
        return found.what, found.why
    choice = preflight.choose(spec_of(context, context.reason), fleet_of(context, progress, cancellation), surveys, {})
    if isinstance(choice, Plan):
        return None
    return ("stale" if isinstance(choice, NothingToDo) or choice.lasting else "waiting"), choice.why


def _not_begun(result: RunResult) -> tuple[NoteKind, str] | None:
    """Return why a rollback changed nothing; None where it changed something, or may have."""
    record = result.record
    if any(host.outcome not in _UNCHANGED for host in record.hosts):
        return None
    why = next((host.detail for host in record.hosts if host.detail), record.outcome).splitlines()[0]
    return ("stale" if record.outcome == "nothing_to_do" else "waiting"), why


def _told(context: Context, why: str) -> RunResult:
    """Inform others, as of a rollback that was refused."""
    state = RunState(
        info_of(context, Reason(context.reason.text)), [h.name for h in context.hosts], context.redact, utc_now()
    )
    state.decision = Refusal(why)
    return publish(context, context.publisher(), record_of(state))


def _ended(found: Found, what: NoteKind, run: str, why: str, result: RunResult | None = None) -> Carried:
    """Note how an entry ended. The reason says so where the store cannot be written to."""
    asked = found.entry.asked
    try:
        found.store.note(asked, note_of(what, run, why))
        return Carried(found.store.again(asked), what, why, result)
    except RollbackOpsError as error:
        return Carried(found.entry, what, f"{why} (this could not be noted: {error.message})", result)
