"""What the forms beside the rollback ask for: the facts that their pages show, and the commands that they run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Protocol, get_args

from rollback_ops.commands import group as groups
from rollback_ops.commands.context import Context
from rollback_ops.commands.follow import Following, follow
from rollback_ops.commands.group import GroupContext
from rollback_ops.commands.hold import hold
from rollback_ops.commands.list import list_releases
from rollback_ops.commands.mark import mark
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.commands.rollback import rollback
from rollback_ops.commands.schedule import add, cancel, entries
from rollback_ops.commands.schedule_stores import Stores
from rollback_ops.config.moments import window
from rollback_ops.config.request import Options
from rollback_ops.core.errors import Refused, RollbackOpsError, UsageError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.hold import standing
from rollback_ops.core.model import Hold, Opinion
from rollback_ops.core.plan import Plan
from rollback_ops.core.record import Record
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.schedule import Entry
from rollback_ops.core.tasks import Cancellation
from rollback_ops.web import moments
from rollback_ops.web.server.forms import Action, RollbackForm, new_key
from rollback_ops.web.server.runs import Run, RunProgress, Work


class Opener(Protocol):
    """Connects the parts of a command, with settings that are read anew."""

    def context(self, options: Options) -> Context: ...
    def group(self, options: Options) -> GroupContext: ...
    def stores(self, options: Options) -> Stores: ...


@frozen
class Asked:
    """What the address of a form names. Empty: nothing."""

    action: Action
    environment: str
    service: str = ""
    group: str = ""
    number: str = ""
    emergency: bool = False


@frozen
class Offer:
    """What a page shows before somebody decides. ``form`` is None where nothing can be done; ``why`` says why not.

    ``found``: what is interrupted. ``holds`` that stand, and the ``usual`` time of one. ``marks``: the releases, each
    with its mark; ``lives`` are live. ``plan`` and ``leaves``: what a scheduled rollback would do. ``entry``: one that
    is scheduled. ``group``: what a rollback of the group would do. ``lost``: the hosts that did not answer.
    """

    form: RollbackForm | None
    why: str = ""
    lost: Mapping[str, RollbackOpsError] = field(default_factory=dict)
    found: Following | None = None
    holds: Sequence[Hold] = ()
    usual: str = ""
    marks: Mapping[str, str] = field(default_factory=dict)
    lives: Collection[str] = ()
    plan: Plan | None = None
    leaves: Sequence[str] = ()
    entry: str = ""
    group: Record | None = None


@frozen
class Typed:
    """What a person wrote into a form. Empty: nothing."""

    reason: str = ""
    span: str = ""
    at: str = ""
    not_after: str = ""
    release: str = ""
    opinion: str = ""


def offered(opener: Opener, asked: Asked) -> Offer:
    """Ask the hosts what the page of a form has to show. Changes nothing."""
    if asked.group:
        return _of_group(opener, asked)
    return _OFFERS[asked.action](opener, asked)


def work_of(opener: Opener, form: RollbackForm, typed: Typed) -> tuple[Redactor, Work]:
    """Return what carries a form out, and what hides secrets in what it tells. Contacts no host.

    Raises ``UsageError`` for what was typed and cannot be.
    """
    if form.group:
        return _group_work(opener, form, typed)
    return _WORK[form.action](opener, form, typed)


# --- resume ----------------------------------------------------------------------------------------------


def _offer_resume(opener: Opener, asked: Asked) -> Offer:
    found = follow(opener.context(Options(asked.environment, asked.service, dry_run=True)), Cancellation())
    return Offer(_form(asked), found=found)


def _resume(opener: Opener, form: RollbackForm, typed: Typed) -> tuple[Redactor, Work]:
    context = opener.context(Options(form.environment, form.service, reason=typed.reason, resume=True))
    return context.redact, lambda run: _roll(context, run)


def _roll(context: Context, run: Run) -> Record:
    context.begin(change=True)
    return rollback(context, RunProgress(run), run.cancellation).record


# --- holds and marks -------------------------------------------------------------------------------------


def _offer_hold(opener: Opener, asked: Asked) -> Offer:
    context = opener.context(Options(asked.environment, asked.service))
    usual = f"{context.job.service.hold.seconds / 3600:g}h"
    held = hold(context, Cancellation())
    holds = standing(held.holds, held.now)
    if asked.action == "lift" and not holds:
        return Offer(None, "no hold stands", held.lost)
    return Offer(_form(asked), lost=held.lost, holds=holds, usual=usual)


def _hold(opener: Opener, form: RollbackForm, typed: Typed) -> tuple[Redactor, Work]:
    lifts = form.action == "lift"
    options = Options(form.environment, form.service, reason=typed.reason, span=typed.span or None, lift=lifts)
    context = opener.context(options)
    _ = context.reason

    def work(run: Run) -> None:
        done = hold(context, run.cancellation)
        _tell_lost(run, done.lost)
        told = "all holds are lifted" if lifts else f"deployments are held until {moments.shown(done.holds[0].until)}"
        _said(run, told, done.lost)

    return context.redact, work


def _offer_mark(opener: Opener, asked: Asked) -> Offer:
    found = list_releases(opener.context(Options(asked.environment, asked.service)), Cancellation())
    marks = {r.name: r.mark for survey in found.surveys.values() for r in survey.releases}
    lives = {survey.live.name for survey in found.surveys.values()}
    if not marks:
        return Offer(None, "no release could be found", found.lost)
    return Offer(_form(asked), lost=found.lost, marks=dict(sorted(marks.items(), reverse=True)), lives=lives)


def _mark(opener: Opener, form: RollbackForm, typed: Typed) -> tuple[Redactor, Work]:
    opinion: Opinion | None = next((word for word in get_args(Opinion) if word == typed.opinion), None)
    if not typed.release or opinion is None:
        raise UsageError("choose a release, and good, bad or clear")
    chosen = opinion
    context = opener.context(Options(form.environment, form.service, release=typed.release, reason=typed.reason))
    _ = context.reason

    def work(run: Run) -> None:
        done = mark(context, typed.release, chosen, run.cancellation)
        _tell_lost(run, done.lost)
        word = "has no mark now" if chosen == "clear" else f"is marked {chosen}"
        _said(run, f"{typed.release} {word} on {len(done.hosts)} of {len(context.hosts)} hosts", done.lost)

    return context.redact, work


# --- scheduled rollbacks ---------------------------------------------------------------------------------


def _offer_schedule(opener: Opener, asked: Asked) -> Offer:
    found = list_releases(opener.context(Options(asked.environment, asked.service, dry_run=True)), Cancellation())
    plan = found.decision
    if found.lost:
        return Offer(None, "all hosts must be reachable to plan a rollback", found.lost)
    if not isinstance(plan, Plan) or not plan.with_action("switch"):
        return Offer(None, getattr(plan, "why", "every host runs the target already"))
    left = sorted({host.source.name for host in plan.with_action("switch")})
    form = replace(_form(asked), leaves=left[0] if len(left) == 1 else "", target=plan.target)
    return Offer(form, plan=plan, leaves=left)


def _schedule(opener: Opener, form: RollbackForm, typed: Typed) -> tuple[Redactor, Work]:
    options = Options(
        form.environment,
        form.service,
        backup=form.target,
        if_current=form.leaves or None,
        reason=typed.reason,
        at=typed.at,
        not_after=typed.not_after or None,
    )
    context, stores = opener.context(options), opener.stores(options)
    window(context.request.at, context.request.not_after, datetime.now(UTC))
    _ = context.reason

    def work(run: Run) -> None:
        run.said = f"{_shown(add(context, stores, run.cancellation))}. {_CARRIED_OUT}"

    return context.redact, work


_CARRIED_OUT = "`rollback-ops schedule run` carries out what is due, with --local-store where hosts keep it."


def _offer_cancel(opener: Opener, asked: Asked) -> Offer:
    stores = opener.stores(Options(asked.environment, asked.service))
    found = next((each for each in entries(stores).entries if each.asked.id == asked.number and not each.ended), None)
    if found is None:
        return Offer(None, f"no scheduled rollback {asked.number} is still to be carried out", stores.lost)
    return Offer(_form(asked), entry=_shown(found))


def _cancel(opener: Opener, form: RollbackForm, typed: Typed) -> tuple[Redactor, Work]:
    options = Options(form.environment, form.service, dry_run=True)
    context, stores = opener.context(options), opener.stores(options)

    def work(run: Run) -> None:
        run.said = f"cancelled: {_shown(cancel(stores, form.number, context.request.actor))}"

    return context.redact, work


def _shown(entry: Entry) -> str:
    asked = entry.asked
    return f"{asked.live} → {asked.to} at {moments.shown(asked.due)}, asked for by {asked.by}: {asked.reason}"


# --- groups ----------------------------------------------------------------------------------------------


def _of_group(opener: Opener, asked: Asked) -> Offer:
    """Say what a rollback of a group would do now: the same checks, in the same order, without a change."""
    options = Options(asked.environment, group=asked.group, dry_run=True, emergency=asked.emergency)
    group, run = opener.group(options), _unseen(asked)
    group.begin()
    record = groups.check(group, RunProgress(run), Cancellation()).record
    going = [one for one in record.services if one.to.release and one.to.release != one.from_.release]
    if record.exit_code or not going:
        told = next((one.detail for one in record.hosts if one.detail), "") or "; ".join(record.warnings)
        return Offer(None, told or "every service runs its target already", group=record)
    form = replace(
        _form(asked),
        leaves=_each_one({one.service: _several(h.from_.release or "" for h in one.hosts) for one in record.services}),
        target=_each_one({one.service: one.to.release or one.from_.release or "" for one in record.services}),
        emergency=asked.emergency,
    )
    return Offer(form, group=record)


def _group_work(opener: Opener, form: RollbackForm, typed: Typed) -> tuple[Redactor, Work]:
    options = Options(
        form.environment,
        group=form.group,
        backup=form.target,
        reason=typed.reason,
        emergency=form.emergency,
        trigger="manual",
    )
    group = opener.group(options)
    _ = group.first.reason

    def work(run: Run) -> Record:
        with group.closing():
            group.begin(change=True)
            now = _each_one({name: _lives(context, run.cancellation) for name, context in group.contexts.items()})
            if now != form.leaves:
                hint = "Nothing was done. Look again."
                raise Refused(f"what is live is not what the page showed: {now}, and not {form.leaves}", hint)
            return groups.rollback(group, RunProgress(run), run.cancellation).record

    return group.redact, work


def _lives(context: Context, cancellation: Cancellation) -> str:
    """Return what is live by the survey that the rollback uses, too."""
    found = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation)).found
    return _several(survey.live.name for survey in found.values())


def _several(releases: Iterable[str]) -> str:
    return "+".join(sorted(set(releases)))


def _each_one(releases: Mapping[str, str]) -> str:
    return ",".join(f"{service}={release}" for service, release in releases.items())


def _unseen(asked: Asked) -> Run:
    """Return a run that nobody watches, for the progress of what changes nothing."""
    return Run(0, _form(asked), "", Redactor())


# --- shared ----------------------------------------------------------------------------------------------


def _form(asked: Asked) -> RollbackForm:
    return RollbackForm(
        asked.environment,
        asked.service,
        emergency=False,
        leaves="",
        target="",
        approved="",
        key=new_key(),
        action=asked.action,
        group=asked.group,
        number=asked.number,
    )


def _tell_lost(run: Run, lost: Mapping[str, RollbackOpsError]) -> None:
    for host, error in lost.items():
        run.tell("host", host, error.without(host), "bad")


def _said(run: Run, told: str, lost: Mapping[str, RollbackOpsError]) -> None:
    """Say what a change came to. Where a host is missing, it is not done."""
    if lost:
        run.error = f"{told}, but not on {', '.join(lost)}: repeat it when they answer"
    else:
        run.said = told


_OFFERS: Mapping[Action, Callable[[Opener, Asked], Offer]] = {
    "resume": _offer_resume,
    "hold": _offer_hold,
    "lift": _offer_hold,
    "mark": _offer_mark,
    "schedule": _offer_schedule,
    "cancel": _offer_cancel,
}
_WORK: Mapping[Action, Callable[[Opener, RollbackForm, Typed], tuple[Redactor, Work]]] = {
    "resume": _resume,
    "hold": _hold,
    "lift": _hold,
    "mark": _mark,
    "schedule": _schedule,
    "cancel": _cancel,
}
