"""The values of a form: its address, the facts on its page, and the typed text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from rollback_ops.commands.context import Context
from rollback_ops.commands.follow import Following
from rollback_ops.commands.group import GroupContext
from rollback_ops.commands.preview_group import GroupPreview
from rollback_ops.commands.schedule_stores import Stores
from rollback_ops.config.request import CommandOptions
from rollback_ops.core.errors import RollbackOpsError
from rollback_ops.core.frozen import frozen
from rollback_ops.core.model import Hold
from rollback_ops.core.plan import Plan
from rollback_ops.core.record import Record
from rollback_ops.web.server.forms import Action, RollbackForm, new_key
from rollback_ops.web.server.runs import Run


class Opener(Protocol):
    """Connects the parts of a command, with settings that are read anew."""

    def context(self, options: CommandOptions) -> Context: ...
    def group(self, options: CommandOptions) -> GroupContext: ...
    def stores(self, options: CommandOptions) -> Stores: ...


@frozen
class FormAddress:
    """The names in the address of a form. Empty: none."""

    action: Action
    environment: str
    service: str = ""
    group: str = ""
    number: str = ""
    emergency: bool = False


@frozen
class Offer:
    """The facts for a decision. ``form`` is None where nothing can be done; ``why`` says why not.

    ``found``: what is interrupted. ``holds`` that stand, and the ``usual`` time of one. ``marks``: the releases, each
    with its mark; ``lives`` are live. ``plan`` and ``leaves``: what a scheduled rollback would do. ``entry``: one that
    is scheduled. ``preview``: what a rollback of the group would do; ``group``: what its emergency would do. ``lost``:
    the hosts that did not answer.
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
    preview: GroupPreview | None = None
    group: Record | None = None


@frozen
class FormInput:
    """The text that a person typed into a form. Empty: none."""

    reason: str = ""
    span: str = ""
    at: str = ""
    not_after: str = ""
    release: str = ""
    opinion: str = ""


def form_of(asked: FormAddress) -> RollbackForm:
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


def tell_lost(run: Run, lost: Mapping[str, RollbackOpsError]) -> None:
    for host, error in lost.items():
        run.tell("host", host, error.without(host), "bad")


def tell_result(run: Run, told: str, lost: Mapping[str, RollbackOpsError]) -> None:
    """Tell the result of a change. Where a host is missing, the change is not done."""
    if lost:
        run.error = f"{told}, but not on {', '.join(lost)}: repeat it when they answer"
    else:
        run.said = told
