"""The forms beside the rollback: the facts that their pages show, and the commands that they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rollback_ops.core.redaction import Redactor
from rollback_ops.web.server.actions.marks import do_hold, do_mark, offer_hold, offer_mark
from rollback_ops.web.server.actions.rollbacks import group_work, offer_group, offer_resume, resume
from rollback_ops.web.server.actions.schedules import do_cancel, do_schedule, offer_cancel, offer_schedule
from rollback_ops.web.server.actions.values import FormAddress, FormInput, Offer, Opener
from rollback_ops.web.server.forms import Action, RollbackForm
from rollback_ops.web.server.runs import Work

__all__ = ["FormAddress", "FormInput", "Offer", "offered", "work_of"]


def offered(opener: Opener, asked: FormAddress) -> Offer:
    """Ask the hosts for the facts on the page of a form. Changes nothing."""
    if asked.group:
        return offer_group(opener, asked)
    return _OFFERS[asked.action](opener, asked)


def work_of(opener: Opener, form: RollbackForm, typed: FormInput) -> tuple[Redactor, Work]:
    """Return the work of a form, and the redactor for its progress. Contacts no host.

    Raises ``UsageError`` for typed values that are not valid.
    """
    if form.group:
        return group_work(opener, form, typed)
    return _WORK[form.action](opener, form, typed)


_OFFERS: Mapping[Action, Callable[[Opener, FormAddress], Offer]] = {
    "resume": offer_resume,
    "hold": offer_hold,
    "lift": offer_hold,
    "mark": offer_mark,
    "schedule": offer_schedule,
    "cancel": offer_cancel,
}
_WORK: Mapping[Action, Callable[[Opener, RollbackForm, FormInput], tuple[Redactor, Work]]] = {
    "resume": resume,
    "hold": do_hold,
    "lift": do_hold,
    "mark": do_mark,
    "schedule": do_schedule,
    "cancel": do_cancel,
}
