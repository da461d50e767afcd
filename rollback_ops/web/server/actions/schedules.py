"""The forms for scheduled rollbacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from rollback_ops.commands.list import list_releases
from rollback_ops.commands.schedule import add, cancel, entries
from rollback_ops.config.moments import window
from rollback_ops.config.request import CommandOptions
from rollback_ops.core.plan import Plan
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.schedule import ScheduleEntry
from rollback_ops.core.tasks import Cancellation
from rollback_ops.web import moments
from rollback_ops.web.server.actions.values import FormAddress, FormInput, Offer, Opener, form_of
from rollback_ops.web.server.forms import RollbackForm
from rollback_ops.web.server.runs import Run, Work


def offer_schedule(opener: Opener, asked: FormAddress) -> Offer:
    found = list_releases(
        opener.context(CommandOptions(asked.environment, asked.service, dry_run=True)), Cancellation()
    )
    plan = found.decision
    if found.lost:
        return Offer(None, "all hosts must be reachable to plan a rollback", found.lost)
    if not isinstance(plan, Plan) or not plan.with_action("switch"):
        return Offer(None, getattr(plan, "why", "every host runs the target already"))
    left = sorted({host.source.name for host in plan.with_action("switch")})
    form = replace(form_of(asked), leaves=left[0] if len(left) == 1 else "", target=plan.target)
    return Offer(form, plan=plan, leaves=left)


_CARRIED_OUT = "`rollback-ops schedule run` carries out what is due, with --local-store where hosts keep it."


def do_schedule(opener: Opener, form: RollbackForm, typed: FormInput) -> tuple[Redactor, Work]:
    options = CommandOptions(
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


def offer_cancel(opener: Opener, asked: FormAddress) -> Offer:
    stores = opener.stores(CommandOptions(asked.environment, asked.service))
    found = next((each for each in entries(stores).entries if each.asked.id == asked.number and not each.ended), None)
    if found is None:
        return Offer(None, f"no scheduled rollback {asked.number} is still to be carried out", stores.lost)
    return Offer(form_of(asked), entry=_shown(found))


def do_cancel(opener: Opener, form: RollbackForm, typed: FormInput) -> tuple[Redactor, Work]:
    options = CommandOptions(form.environment, form.service, dry_run=True)
    context, stores = opener.context(options), opener.stores(options)

    def work(run: Run) -> None:
        run.said = f"cancelled: {_shown(cancel(stores, form.number, context.request.actor))}"

    return context.redact, work


def _shown(entry: ScheduleEntry) -> str:
    asked = entry.asked
    return f"{asked.live} → {asked.to} at {moments.shown(asked.due)}, asked for by {asked.by}: {asked.reason}"
