"""The forms for holds and for marks of releases."""

from __future__ import annotations

from typing import get_args

from rollback_ops.commands.hold import hold
from rollback_ops.commands.list import list_releases
from rollback_ops.commands.mark import mark
from rollback_ops.config.request import CommandOptions
from rollback_ops.core.errors import UsageError
from rollback_ops.core.hold import standing
from rollback_ops.core.model import Opinion
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.tasks import Cancellation
from rollback_ops.web import moments
from rollback_ops.web.server.actions.values import (
    FormAddress,
    FormInput,
    Offer,
    Opener,
    form_of,
    tell_lost,
    tell_result,
)
from rollback_ops.web.server.forms import RollbackForm
from rollback_ops.web.server.runs import Run, Work


def offer_hold(opener: Opener, asked: FormAddress) -> Offer:
    context = opener.context(CommandOptions(asked.environment, asked.service))
    usual = f"{context.job.service.hold.seconds / 3600:g}h"
    held = hold(context, Cancellation())
    holds = standing(held.holds, held.now)
    if asked.action == "lift" and not holds:
        return Offer(None, "no hold stands", held.lost)
    return Offer(form_of(asked), lost=held.lost, holds=holds, usual=usual)


def do_hold(opener: Opener, form: RollbackForm, typed: FormInput) -> tuple[Redactor, Work]:
    lifts = form.action == "lift"
    options = CommandOptions(form.environment, form.service, reason=typed.reason, span=typed.span or None, lift=lifts)
    context = opener.context(options)
    _ = context.reason

    def work(run: Run) -> None:
        done = hold(context, run.cancellation)
        tell_lost(run, done.lost)
        told = "all holds are lifted" if lifts else f"deployments are held until {moments.shown(done.holds[0].until)}"
        tell_result(run, told, done.lost)

    return context.redact, work


def offer_mark(opener: Opener, asked: FormAddress) -> Offer:
    found = list_releases(opener.context(CommandOptions(asked.environment, asked.service)), Cancellation())
    marks = {r.name: r.mark for survey in found.surveys.values() for r in survey.releases}
    lives = {survey.live.name for survey in found.surveys.values()}
    if not marks:
        return Offer(None, "no release could be found", found.lost)
    return Offer(form_of(asked), lost=found.lost, marks=dict(sorted(marks.items(), reverse=True)), lives=lives)


def do_mark(opener: Opener, form: RollbackForm, typed: FormInput) -> tuple[Redactor, Work]:
    opinion: Opinion | None = next((word for word in get_args(Opinion) if word == typed.opinion), None)
    if not typed.release or opinion is None:
        raise UsageError("choose a release, and good, bad or clear")
    chosen = opinion
    context = opener.context(CommandOptions(form.environment, form.service, release=typed.release, reason=typed.reason))
    _ = context.reason

    def work(run: Run) -> None:
        done = mark(context, typed.release, chosen, run.cancellation)
        tell_lost(run, done.lost)
        word = "has no mark now" if chosen == "clear" else f"is marked {chosen}"
        tell_result(run, f"{typed.release} {word} on {len(done.hosts)} of {len(context.hosts)} hosts", done.lost)

    return context.redact, work
