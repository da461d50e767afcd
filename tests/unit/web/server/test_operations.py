"""Forms whose rollback does what the page showed, or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from rollback_ops.commands.preview import Preview
from rollback_ops.config.request import CommandOptions, Request
from rollback_ops.core.changes import Commits
from rollback_ops.core.errors import HostUnreachable
from rollback_ops.core.model import ServiceId
from rollback_ops.core.plan import HostPlan, NothingToDo, Plan, Refusal
from rollback_ops.web.server.operations import IGNORED, asked, form_of
from tests.support.fakes import live_at

ABOUT = ServiceId("web", "prod")


def preview(*lives: str, lost: int = 0, decision: NothingToDo | Refusal | None = None) -> Preview:
    hosts = tuple(HostPlan(f"h{n}", live_at(live), "switch", "b1") for n, live in enumerate(lives))
    missing = {f"lost{n}": HostUnreachable("no answer") for n in range(lost)}
    plan = decision or Plan("b1", "", hosts)
    return Preview("prod", plan, None, None, commits=Commits(), migrations=None, lost=missing, hash="a" * 64)


def test_a_rollback_is_the_plan_that_was_shown_and_nothing_where_another_release_is_live() -> None:
    form = form_of(ABOUT, preview("b3", "b3"), emergency=False)
    assert form
    options = asked(form, "because")
    assert (options.approved, options.if_current, options.backup, options.emergency) == ("a" * 64, "b3", None, False)
    assert (options.environment, options.service, options.trigger) == ("prod", "web", "manual")


def test_an_emergency_names_the_target_so_that_a_host_that_went_down_does_not_stop_it() -> None:
    form = form_of(ABOUT, preview("b3", "b3"), emergency=True)
    assert form
    options = asked(form, "")
    assert (options.approved, options.if_current, options.backup, options.emergency) == (None, "b3", "b1", True)


class Read(dict[str, str]):
    """An environment that knows which variables were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def test_no_variable_of_one_command_changes_what_a_page_says() -> None:
    environ = Read()
    Request.build(environ, CommandOptions("prod", "web"))
    asked_for = {name for name in environ.names if name.startswith("ROLLBACK_")}
    assert "ROLLBACK_BACKUP" in asked_for
    # All commands inform the same people in the same form.
    assert asked_for - IGNORED <= {"ROLLBACK_WEBHOOK_FORMAT", "ROLLBACK_RECORD_DEPLOYMENT"}


@pytest.mark.parametrize("found", [preview("b3", "b2"), preview("b3", lost=1)], ids=["several live", "a host lost"])
def test_where_hosts_differ_the_plan_alone_counts(found: Preview) -> None:
    form = form_of(ABOUT, found, emergency=False)
    assert form
    assert (asked(form, "because").if_current, form.approved) == (None, "a" * 64)


@pytest.mark.parametrize("decision", [NothingToDo("nothing"), Refusal("no"), None])
def test_without_a_host_to_change_there_is_no_form(decision: NothingToDo | Refusal | None) -> None:
    assert form_of(ABOUT, preview(decision=decision), emergency=False) is None
    assert form_of(ABOUT, preview(decision=decision), emergency=True) is None
