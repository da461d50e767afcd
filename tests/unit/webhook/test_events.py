"""The events that are sent and their format, as set in the settings and the variable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import responses
from pydantic import SecretStr

from rollback_ops.commands.context import load_settings, open_context
from rollback_ops.config import Event, Notify
from rollback_ops.config.request import CommandOptions, Request
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.errors import UsageError
from rollback_ops.core.redaction import Redactor
from rollback_ops.integrations.webhook import Notifier
from tests.support.records import record

URL = "https://hooks.example.org/services/T0SECRETPATH"
REDACT = Redactor([URL])
BASE = {"ROLLBACK_ENVIRONMENT": "prod"}


@pytest.mark.parametrize(
    ("on", "words", "calls"),
    [
        (("success", "failure"), {}, 1),
        (("success", "failure"), {"outcome": "refused", "exit_code": 1}, 1),
        (("success",), {"outcome": "failed", "exit_code": 4}, 0),
        (("failure",), {}, 0),
        (("failure",), {"outcome": "cancelled", "exit_code": 130}, 1),
        ((), {}, 0),
        (("success", "failure"), {"outcome": "nothing_to_do"}, 0),
        (("success", "failure"), {"outcome": "refused", "dry_run": True}, 0),
    ],
)
def test_the_end_of_a_run_is_sent_only_for_the_configured_events(
    on: tuple[Event, ...], words: dict[str, Any], calls: int
) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        web.post(URL)
        assert Notifier(SecretStr(f" {URL}\n"), REDACT, "slack", on).ended(record(**words)) == ()
        assert len(web.calls) == calls


def test_without_an_address_nothing_is_sent_and_there_is_no_warning() -> None:
    with responses.RequestsMock():
        assert Notifier(None, REDACT, "slack", ("success", "failure")).ended(record()) == ()


def test_a_notifier_does_not_show_its_address() -> None:
    assert "SECRET" not in repr(vars(Notifier(SecretStr(URL), REDACT, "slack", ("success",))))


def test_success_and_failure_are_sent_to_slack_by_default() -> None:
    assert (Notify().format, Notify().on) == ("slack", ("success", "failure"))


def test_the_format_can_come_from_a_variable() -> None:
    assert Request.build(BASE).webhook_format is None
    assert Request.build({**BASE, "ROLLBACK_WEBHOOK_FORMAT": ""}).webhook_format is None
    assert Request.build({**BASE, "ROLLBACK_WEBHOOK_FORMAT": " teams\n"}).webhook_format == "teams"


def test_an_unknown_format_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r'"slak".*slack, teams, json.*"slack"'):
        Request.build({**BASE, "ROLLBACK_WEBHOOK_FORMAT": "slak"})


@pytest.mark.parametrize(("variable", "key"), [("", "text"), ("json", "schema_version")])
def test_the_variable_wins_over_the_settings(tmp_path: Path, variable: str, key: str) -> None:
    settings = tmp_path / "rollback.toml"
    settings.write_text('[services.bot]\nroot = "/srv/bot"\nunits = ["bot"]\n[environments.prod]\n')
    environ = {"ROLLBACK_WEBHOOK_URL": URL, "ROLLBACK_WEBHOOK_FORMAT": variable}
    options = CommandOptions(environment="prod", local=True)
    context = open_context(load_settings(str(settings), environ), environ, options, Secrets.read(environ))
    with responses.RequestsMock() as web:
        web.post(URL)
        assert context.publisher().ended(record()).warnings == ("beware",)
        assert key in json.loads(web.calls[0].request.body or "")
