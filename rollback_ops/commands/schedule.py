"""``schedule``: plan a rollback for a time, show and cancel such plans, and carry out those that are due."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rollback_ops.commands.choice import choose
from rollback_ops.commands.context import Context, open_context, refuse_dry_run, repository_of
from rollback_ops.commands.result import SURVEY_WITHIN, RunResult, sort_answers
from rollback_ops.commands.rollback import rollback
from rollback_ops.commands.run import fleet_of, info_of, publish, selection_of, spec_of
from rollback_ops.config import Settings
from rollback_ops.config.moments import window
from rollback_ops.config.reason import Reason
from rollback_ops.config.request import Options, Request
from rollback_ops.config.resolve import resolve
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.errors import Exit, Refused, RollbackOpsError, UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Survey
from rollback_ops.core.plan import NothingToDo, Plan, Refusal
from rollback_ops.core.ports import Progress
from rollback_ops.core.recorder import record_of
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.run import RunState, new_run, rfc3339
from rollback_ops.core.schedule import (
    Entry,
    NoteKind,
    ScheduledRollback,
    ScheduleStore,
    claim,
    note_of,
)
from rollback_ops.core.tasks import Cancellation
from rollback_ops.core.versions import Versions
from rollback_ops.engine import preflight
from rollback_ops.engine.schedule import JournalSchedule, obstacle

Now = Callable[[], datetime]
# The outcomes of hosts on which nothing was changed.
_UNCHANGED = ("nothing_to_do", "refused", "unreachable", "cancelled", "not_begun")
_ABANDONED = "the run that began it was killed, or could not say how it ended: `list` shows what is live"


def _now() -> datetime:
    return datetime.now(UTC)


@frozen
class Found:
    """An entry, and the store that keeps it."""

    entry: Entry
    store: ScheduleStore


@frozen
class Schedule:
    """The entries, in the order in which they are due. ``lost``: where none could be read."""

    entries: Sequence[Entry]
    lost: Mapping[str, RollbackOpsError]

    @property
    def exit_code(self) -> int:
        return Exit.REFUSED if self.lost else Exit.OK


@frozen
class Carried:
    """What became of an entry that was due. ``result``: of its rollback, or of what was told instead of it.

    ``skipped``: another run carries it out.
    """

    entry: Entry
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
    """What ``schedule run`` did. ``left`` counts the entries that are not due yet.

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


class Stores:
    """Where scheduled rollbacks are kept: on GitHub, or (``in_journals``) in the journal of the first host of each
    service and environment.

    Raises ``UsageError`` where GitHub is to be used, and the repository or the token is missing.
    """

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], options: Options, secrets: Secrets, *, in_journals: bool
    ) -> None:
        self._settings, self._options, self._secrets = settings, options, secrets
        # What was planned is a rollback that is verified.
        self._environ = {name: text for name, text in environ.items() if name != "ROLLBACK_EMERGENCY"}
        self._in_journals = in_journals
        self._repository = None if in_journals else repository_of(environ, secrets)
        if not in_journals and self._repository is None:
            raise UsageError(
                "scheduled rollbacks are kept on GitHub, and GITHUB_REPOSITORY or GITHUB_TOKEN is missing",
                "Set them, or use --local-store: the journal of the first host.",
            )
        self.lost: dict[str, RollbackOpsError] = {}

    @property
    def record(self) -> Path | None:
        """The file to which the record of the last rollback is written, where there is one."""
        name = self._environ.get("ROLLBACK_RECORD", "").strip()
        return Path(name) if name else None

    def of(self, context: Context) -> ScheduleStore:
        """Return the store for one service and environment.

        Raises ``UsageError`` for a context without the host in whose journal everybody looks.
        """
        if self._in_journals:
            every = context.job.environment.hosts_of(context.job.service_name)
            if not context.request.local and context.job.hosts[0] != every[0]:
                hint = f"Leave the hosts out, name {every[0]}, too, or keep it on GitHub."
                raise UsageError(f"scheduled rollbacks are kept on {every[0]}, which is not among the hosts", hint)
            return JournalSchedule(context.hosts[0], context.job.about)
        return self._on_github(context.job.environment_name, context.redact)

    def refuse_dry_run(self) -> None:
        """Raise ``UsageError`` for a dry run, which would end what is due without having done it."""
        # It may name no environment: then all of them are meant.
        options = replace(self._options, environment=self._options.environment or "all")
        refuse_dry_run(Request.build(self._environ, options))

    def find(self) -> Iterator[Found]:
        """Yield all entries. Stores that cannot be read are in ``lost``."""
        for name, store in self._all():
            try:
                entries = store.entries()
            except RollbackOpsError as error:
                self.lost[name] = error
                continue
            yield from (Found(entry, store) for entry in entries)

    def open(self, asked: ScheduledRollback) -> Context:
        """Return the context in which an entry is carried out: with who asked for it, and what they asked for."""
        context = open_context(self._settings, self._environ, self._chosen(asked), self._secrets)
        request = replace(context.request, trigger="scheduled", actor=asked.by, scheduled=asked.requested)
        return replace(context, request=request)

    def lacks(self, asked: ScheduledRollback) -> str:
        """Return what the settings do not have any more of an entry; empty where they have all of it."""
        try:
            resolve(self._settings, Request.build(self._environ, self._chosen(asked)))
        except UsageError as error:
            return error.message
        return ""

    def _chosen(self, asked: ScheduledRollback) -> Options:
        return replace(
            self._options,
            environment=asked.environment,
            service=asked.service,
            hosts=asked.hosts,
            backup=asked.to,
            if_current=asked.live,
            reason=asked.reason,
        )

    def _all(self) -> Iterator[tuple[str, ScheduleStore]]:
        options = self._options
        if not self._in_journals:
            yield "GitHub", self._on_github(options.environment or "", Redactor(self._secrets.texts()))
            return
        for environment in [options.environment] if options.environment else self._settings.environments:
            for service in [options.service] if options.service else self._settings.services:
                chosen = replace(options, environment=environment, service=service)
                context = open_context(self._settings, self._environ, chosen, self._secrets)
                with context.closing():
                    yield context.hosts[0].name, self.of(context)

    def _on_github(self, environment: str, redact: Redactor) -> ScheduleStore:
        from rollback_ops.integrations.github.schedule import GitHubSchedule

        if self._repository is None:
            raise UsageError("scheduled rollbacks are kept on GitHub, and GITHUB_REPOSITORY or GITHUB_TOKEN is missing")
        return GitHubSchedule(self._repository, redact, environment)


def add(context: Context, stores: Stores, cancellation: Cancellation, now: Now = _now) -> Entry:
    """Plan what a rollback would do now for later: from the live release to the target, and to no other.

    Raises ``UsageError`` for a bad time or reason, and as ``Stores.of``. Raises ``Refused`` where nothing could be
    rolled back now, a host cannot be reached, or the permission is missing.
    """
    context.refuse_dry_run()
    request, job, store = context.request, context.job, stores.of(context)
    at, not_after = window(request.at, request.not_after, now())
    reason = context.redact(context.reason.text)
    context.check_permission()
    with context.closing():
        answers = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
        for host, error in answers.lost.items():
            raise Refused(f"{host}: {error.without(host)}", "All hosts must be reachable to plan a rollback.")
        surveys = list(answers.found.values())
        plan = choose(context, selection_of(context), answers, cancellation)
        if not isinstance(plan, Plan):
            raise Refused(f"a rollback could not be done now: {plan.why}", getattr(plan, "hint", ""))
        asked = ScheduledRollback(
            id=new_run(),
            service=job.service_name,
            environment=job.environment_name,
            at=rfc3339(at),
            not_after=rfc3339(not_after),
            by=request.actor,
            reason=reason,
            live=_live(surveys),
            to=plan.target,
            to_revision=plan.revision,
            hosts=() if request.whole else job.hosts,
            created_at=rfc3339(now()),
        )
        store.add(asked)
    return Entry(asked)


def entries(stores: Stores) -> Schedule:
    """Return all entries that are kept."""
    found = sorted((found.entry for found in stores.find()), key=lambda entry: entry.asked.due)
    return Schedule(found, stores.lost)


def cancel(stores: Stores, number: str, by: str) -> Entry:
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


def run_due(stores: Stores, progress: Progress, cancellation: Cancellation, now: Now = _now) -> Ran:
    """Carry out what is due. Everything is checked again, and what is no longer true changes nothing.

    Raises ``UsageError`` for a dry run.
    """
    stores.refuse_dry_run()
    carried: list[Carried] = []
    left = 0
    for found in stores.find():
        moment = now().timestamp()
        try:
            if found.entry.is_abandoned(moment):
                carried.append(_given_up(stores, found))
            elif found.entry.is_due(moment):
                carried.append(_carry_out(stores, found, progress, cancellation, now))
            else:
                left += not found.entry.ended
        except RollbackOpsError as error:
            # Nothing was begun: the store could not be asked for the claim.
            stores.lost[found.entry.asked.id] = error
        if cancellation.asked:
            break
    return Ran(carried, left, stores.lost, 128 + cancellation.signal if cancellation.asked else 0)


def _given_up(stores: Stores, found: Found) -> Carried:
    """End an entry whose runner was killed, and tell others. What the hosts had begun they have finished."""
    try:
        context = stores.open(found.entry.asked)
    except UsageError:
        return _ended(found, "failed", new_run(), _ABANDONED)
    with context.closing():
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
            result = rollback(context, progress, cancellation)
            against = _not_begun(result)
            if against is None:
                done: NoteKind = "done" if result.exit_code == Exit.OK else "failed"
                return _ended(found, done, run, f"run {result.record.id}: {result.record.outcome}", result)
        told = None if against[0] == "waiting" else _told(context, f"{against[0]}: {against[1]}")
        return _ended(found, against[0], run, context.redact(against[1]), told)


def unopened(stores: Stores, asked: ScheduledRollback, error: UsageError, now: Now) -> tuple[NoteKind, str]:
    """Return what becomes of an entry whose parts could not be connected. A secret that is wrong can be corrected."""
    if why := stores.lacks(asked):
        return "stale", f"the settings have changed: {why}"
    return ("expired" if now().timestamp() > asked.until else "waiting"), error.message


def _against(
    context: Context, entry: Entry, progress: Progress, cancellation: Cancellation, now: Now
) -> tuple[NoteKind, str] | None:
    """Return why an entry is not carried out: too late, no permission any more, or other than when it was planned."""
    asked = entry.asked
    if now().timestamp() > asked.until:
        waited = f"; it waited: {entry.last.why}" if entry.state == "waiting" else ""
        return "expired", f"it was to begin before {asked.not_after}{waited}"
    permission = context.permission
    if permission and permission.refusal:
        return ("stale" if permission.asked else "waiting"), permission.refusal.message
    answers = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation))
    surveys = list(answers.found.values())
    if found := obstacle(asked, surveys, answers.lost, now().timestamp()):
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
    """Tell others, as of a rollback that was refused."""
    state = RunState(
        info_of(context, Reason(context.reason.text)), [h.name for h in context.hosts], context.redact, _now()
    )
    state.decision = Refusal(why)
    return publish(context, context.publisher(), record_of(state))


def _ended(found: Found, what: NoteKind, run: str, why: str, result: RunResult | None = None) -> Carried:
    """Note what became of an entry. A store that cannot be written to is said in the reason."""
    asked = found.entry.asked
    try:
        found.store.note(asked, note_of(what, run, why))
        return Carried(found.store.again(asked), what, why, result)
    except RollbackOpsError as error:
        return Carried(found.entry, what, f"{why} (this could not be noted: {error.message})", result)


def _live(surveys: Sequence[Survey]) -> str:
    """Return the label of the live release. Raises ``Refused`` where hosts run different ones."""
    versions = Versions(surveys)
    lives = sorted({versions.label(survey.host, survey.origin) for survey in surveys})
    if len(lives) != 1 or not lives[0]:
        raise Refused(f"hosts run different releases: {', '.join(lives)}", "Plan a rollback when all run the same one.")
    return lives[0]
