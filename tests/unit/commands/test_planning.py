"""Plans for later, and for many jobs: what is refused before a host is contacted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollback_ops.commands.context import Context, open_context
from rollback_ops.commands.schedule import add
from rollback_ops.commands.schedule_run import unopened
from rollback_ops.commands.schedule_stores import Stores
from rollback_ops.commands.shards import shards
from rollback_ops.config import Settings
from rollback_ops.config.request import CommandOptions
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.errors import UsageError
from rollback_ops.core.tasks import Cancellation
from tests.support.fakes import Listener
from tests.unit.core.test_schedule import asked as an_entry

SETTINGS = Settings.model_validate(
    {
        "services": {"bot": {"root": "/srv/bot", "manager": "systemd", "units": ["bot"]}},
        "environments": {"prod": {"hosts": ["deploy@h1.example.org", "deploy@h2.example.org"]}},
    }
)


def asked(**said: Any) -> tuple[CommandOptions, Context]:
    options = CommandOptions(environment="prod", reason="the promotion ends", **said)
    return options, open_context(SETTINGS, {"USER": "alice"}, options, Secrets())


def test_a_plan_is_kept_only_where_the_run_that_carries_it_out_looks() -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    options, context = asked(hosts=("deploy@h2.example.org",), at=tomorrow)
    with pytest.raises(UsageError):
        add(context, Stores(SETTINGS, {}, options, Secrets(), in_journals=True), Cancellation())


def test_a_plan_waits_for_a_secret_that_is_wrong_and_ends_where_the_settings_lack_its_service() -> None:
    stores = Stores(SETTINGS, {}, CommandOptions(), Secrets.read({"ROLLBACK_SSH_KEY": "no key"}), in_journals=True)
    planned = an_entry()
    with pytest.raises(UsageError) as wrong:
        stores.open(planned)
    in_time, late = (lambda: datetime.fromisoformat(planned.at)), (lambda: datetime.now(UTC) + timedelta(days=9999))
    gone = planned.model_copy(update={"service": "gone"})
    found = [
        unopened(stores, each, wrong.value, now)[0]
        for each, now in ((planned, in_time), (planned, late), (gone, in_time))
    ]
    assert found == ["waiting", "expired", "stale"]


def test_an_emergency_is_not_divided_into_jobs() -> None:
    _, context = asked(emergency=True)
    with pytest.raises(UsageError):
        shards(context, Listener([]), Cancellation())
