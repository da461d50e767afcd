"""The forms that roll back: a service that was interrupted, and a group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rollback_ops.commands import group as groups
from rollback_ops.commands.context import Context
from rollback_ops.commands.follow import follow
from rollback_ops.commands.group import GroupContext
from rollback_ops.commands.preview_group import preview_group
from rollback_ops.commands.result import SURVEY_WITHIN, sort_answers
from rollback_ops.commands.rollback import rollback
from rollback_ops.config.request import CommandOptions
from rollback_ops.core.errors import Refused
from rollback_ops.core.plan import Plan
from rollback_ops.core.record import Record
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.tasks import Cancellation
from rollback_ops.web.server.actions.values import FormAddress, FormInput, Offer, Opener, form_of
from rollback_ops.web.server.forms import RollbackForm
from rollback_ops.web.server.runs import Run, RunProgress, Work

_ALL_THERE = "every service runs its target already"


def offer_resume(opener: Opener, asked: FormAddress) -> Offer:
    found = follow(opener.context(CommandOptions(asked.environment, asked.service, dry_run=True)), Cancellation())
    return Offer(form_of(asked), found=found)


def resume(opener: Opener, form: RollbackForm, typed: FormInput) -> tuple[Redactor, Work]:
    context = opener.context(CommandOptions(form.environment, form.service, reason=typed.reason, resume=True))
    return context.redact, lambda run: _roll(context, run)


def _roll(context: Context, run: Run) -> Record:
    context.begin(change=True)
    return rollback(context, RunProgress(run), run.cancellation).record


def offer_group(opener: Opener, asked: FormAddress) -> Offer:
    """Return what a rollback of a group would do now. An emergency does not wait for commits, files and history."""
    group = opener.group(CommandOptions(asked.environment, group=asked.group, dry_run=True, emergency=asked.emergency))
    group.begin()
    return _offer_emergency(group, asked) if asked.emergency else _offer_previewed(group, asked)


def _offer_previewed(group: GroupContext, asked: FormAddress) -> Offer:
    found = preview_group(group, Cancellation())
    why = found.refusal or ("" if found.changes else _ALL_THERE)
    if found.lost and not why:
        why = f"{asked.group} is changed as a whole or not at all, and {', '.join(found.lost)} did not answer"
    if why:
        return Offer(None, why, found.lost, preview=found)
    lives = {name: _several(releases) for name, releases in found.lives.items()}
    plans = {name: one.decision for name, one in found.services.items() if isinstance(one.decision, Plan)}
    target = lives | {name: plan.target for name, plan in plans.items()}
    return Offer(replace(form_of(asked), leaves=_each_one(lives), target=_each_one(target)), preview=found)


def _offer_emergency(group: GroupContext, asked: FormAddress) -> Offer:
    record = groups.check(group, RunProgress(_unseen(asked)), Cancellation()).record
    going = [one for one in record.services if one.to.release and one.to.release != one.from_.release]
    if record.exit_code or not going:
        told = next((one.detail for one in record.hosts if one.detail), "") or "; ".join(record.warnings)
        return Offer(None, told or _ALL_THERE, group=record)
    form = replace(
        form_of(asked),
        leaves=_each_one({one.service: _several(h.from_.release or "" for h in one.hosts) for one in record.services}),
        target=_each_one({one.service: one.to.release or one.from_.release or "" for one in record.services}),
        emergency=True,
    )
    return Offer(form, group=record)


def group_work(opener: Opener, form: RollbackForm, typed: FormInput) -> tuple[Redactor, Work]:
    options = CommandOptions(
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
                hint = "Nothing was done. Load the page again to see what is live."
                raise Refused(f"{now} is live now, and not {form.leaves}, which the page showed", hint)
            return groups.rollback(group, RunProgress(run), run.cancellation).record

    return group.redact, work


def _lives(context: Context, cancellation: Cancellation) -> str:
    """Return the live release, from the survey that the rollback uses, too."""
    found = sort_answers(context.survey.results(SURVEY_WITHIN, cancellation)).found
    return _several(survey.live.name for survey in found.values())


def _several(releases: Iterable[str]) -> str:
    return "+".join(sorted(set(releases)))


def _each_one(releases: Mapping[str, str]) -> str:
    return ",".join(f"{service}={release}" for service, release in releases.items())


def _unseen(asked: FormAddress) -> Run:
    """Return a run that no page shows, for the progress of a command that changes nothing."""
    return Run(0, form_of(asked), "", Redactor())
