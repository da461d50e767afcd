"""The content of messages: every fact, no mentions or formatting from outside, and within the limits."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, example, given, settings
from pydantic import SecretStr

from rollback_ops.config import MessageFormat
from rollback_ops.config.secrets import Secrets
from rollback_ops.core.record import Outcome, Record
from rollback_ops.core.redaction import Redactor
from rollback_ops.integrations.publish import start_of
from rollback_ops.integrations.webhook import FORMATS, Notification, StartEvent, body, slack
from tests.support.any_record import records
from tests.support.records import MIXED, USUAL, group, record

URL = "https://hooks.example.org/services/T000/B000/abcdefghijklmnop"
REDACT = Redactor(Secrets(webhook_url=SecretStr(URL)).texts())
HOSTILE = (
    "$(id) `whoami` ::set-output </details> <!channel> @here *bold* _it_ ~no~ [x](http://evil) & \n@everyone 🚑\u202e"
)
START = StartEvent(
    id="20240102T030405Z-0123abcd",
    service="bot",
    environment="prod",
    mode="standard",
    trigger="manual",
    reason="logins fail",
    actor="alice",
    at="2024-01-02T03:04:05Z",
    change="b3 → b2",
)


def sent(form: MessageFormat, notification: Notification) -> dict[str, Any]:
    document = json.loads(body(form, notification, REDACT))
    assert isinstance(document, dict)
    return document


def shown(form: MessageFormat, notification: Notification) -> str:
    """Every text of a message, one on each line."""

    def texts(value: Any) -> list[str]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return [value] if isinstance(value, str) else [text for each in inner for text in texts(each)]

    return "\n".join(texts(sent(form, notification)))


def test_every_format_of_the_settings_is_implemented() -> None:
    assert tuple(FORMATS) == get_args(MessageFormat)


def test_the_plain_text_for_slack_has_every_fact() -> None:
    assert sent("slack", record(run_url="https://github.com/o/r/actions/runs/1"))["text"].split("\n") == [
        "*🔄 Rollback executed: bot, prod*",
        "*Environment:* prod",
        "*Service:* bot",
        "*Time:* 2024-01-02 03:04:05 UTC",
        "*Initiated by:* alice",
        "*Reason:* logins fail",
        "*Status:* ✅ Service restored and operational",
        "*Run:* <https://github.com/o/r/actions/runs/1>",
        "*From:* b3 (sha-b3)",
        "*To:* b2 (sha-b2)",
        "*Duration:* 1.5 seconds",
        "*Verification:* ✅ Passed (1 check)",
        "*Held:* b3 (sha-b3), until 2024-01-03 03:04 UTC",
        "*Warnings:* beware",
        "• deploy@bot1: succeeded, b3 → b2, down for 0.2 s",
    ]


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_a_message_has_every_fact_that_the_specification_requires(form: MessageFormat) -> None:
    told = shown(form, record(run_url="https://github.com/o/r/actions/runs/1"))
    for words in ("prod", "2024-01-02 03:04:05 UTC", "alice", "logins fail", "b3 (sha-b3)", "b2 (sha-b2)"):
        assert words in told
    for words in ("1.5 seconds", "✅ Passed", "deploy@bot1", "Investigate root cause", "actions/runs/1", "operational"):
        assert words in told


def test_json_is_the_record_itself() -> None:
    assert sent("json", record()) == record().model_dump(mode="json", by_alias=True)
    assert sent("json", START)["event"] == "start"


@pytest.mark.parametrize("form", get_args(MessageFormat))
def test_the_message_at_the_start_names_the_service_the_person_and_the_reason(form: MessageFormat) -> None:
    told = shown(form, START)
    for words in ("bot", "prod", "alice", "logins fail", "b3 → b2"):
        assert words in told


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_a_failure_is_never_reported_as_a_success(outcome: Outcome) -> None:
    told = sent("slack", record(outcome=outcome))["text"]
    assert ("Rollback executed" in told) == (outcome == "succeeded")
    assert ("✅" in told.partition("Verification")[0]) <= (outcome in ("succeeded", "nothing_to_do"))
    assert ("🚨" in told or "⚠️" in told) == (outcome not in ("succeeded", "nothing_to_do"))


def checked(outcome: str) -> Record:
    check = {"name": "health", "kind": "http", "outcome": outcome, "detail": "", "seconds": 0.0}
    return record(mode="emergency", hosts=[{**USUAL["hosts"][0], "checks": [check]}])


def test_an_unverified_emergency_is_not_reported_as_operational() -> None:
    told = shown("slack", checked("skipped"))
    assert "Skipped" in told
    assert "⚠️" in told
    assert "operational" not in told
    assert "Run rollback-ops verify prod now" in told


def test_a_check_that_failed_is_named() -> None:
    assert "❌ Failed: health on deploy@bot1" in shown("slack", checked("failed"))


def test_an_automatic_rollback_names_its_trigger() -> None:
    assert "alice (automatic: health-timeout)" in shown("slack", record(trigger="health-timeout"))


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_the_message_at_the_start_names_the_waves_and_the_order_of_a_group(form: MessageFormat) -> None:
    strategy = {"told": ["canary 1, 2 at a time"], "hosts": 5, "max_failures": 0}
    assert "canary 1, 2 at a time" in shown(form, start_of(record(strategy=strategy)))
    assert "web, then api" in shown(form, start_of(group()))
    assert "canary" not in shown(form, start_of(record()))


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_the_message_at_the_end_names_the_waves_that_began_and_their_regions(form: MessageFormat) -> None:
    waves = [
        {"number": 1, "outcome": "succeeded", "region": "eu"},
        {"number": 2, "outcome": "failed", "region": "us"},
        {"number": 3, "region": "asia"},
    ]
    told = shown(form, record(waves=waves))
    assert "2 of 3 began in eu, us" in told
    assert "asia" not in told


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_the_message_of_a_group_says_which_services_are_where_and_what_to_do(form: MessageFormat) -> None:
    told = shown(form, group())
    assert "api: failed, a3 → a2" in told
    assert "web: succeeded, w3 → w2" in told
    assert "api on deploy@bot1: failed" in told
    assert all(MIXED[key] in told for key in ("stopped", "then", "back"))


@pytest.mark.parametrize("form", ["slack", "teams"])
def test_why_a_host_refused_and_what_to_do_are_one_line(form: MessageFormat) -> None:
    host = {**USUAL["hosts"][0], "outcome": "refused", "detail": "locked by alice\n  Wait for it."}
    assert "locked by alice Wait for it." in shown(form, record(outcome="refused", hosts=[host]))


# --- what people and hosts write -------------------------------------------------------------------------


def hostile(text: str) -> Record:
    host = {**USUAL["hosts"][0], "host": text, "outcome": "failed", "detail": text}
    return record(reason=text, actor=text, service=text, environment=text, run_url=text, hosts=[host], warnings=[text])


def test_text_of_people_and_hosts_neither_mentions_nor_formats_in_slack() -> None:
    told = shown("slack", hostile(HOSTILE))
    assert "<" not in told
    assert not re.search(r"@(?:here|channel|everyone|all)\b", told)
    assert not re.search(r"[`~]|\*bold|_it_|\]\(|\u202e", told)
    assert not re.search(r"&(?!amp;|lt;|gt;)", told)
    assert "\\n@" in told, "a line that somebody broke is one line"


def test_names_stay_as_they_are_and_can_be_copied() -> None:
    told = shown("slack", record(to={"release": "backup_2024_1", "revision": None}))
    assert "*To:* backup_2024_1\n" in told
    assert "deploy@bot1:" in told


def test_text_of_people_and_hosts_is_never_markdown_in_teams() -> None:
    def kinds(value: Any) -> set[str]:
        inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        own = {value["type"]} if isinstance(value, dict) and "type" in value else set()
        return own.union(*map(kinds, inner))

    assert kinds(sent("teams", hostile(HOSTILE))) == {"message", "AdaptiveCard", "RichTextBlock", "TextRun"}


@pytest.mark.parametrize("form", get_args(MessageFormat))
def test_secrets_in_text_of_people_are_redacted_and_the_address_too(form: MessageFormat) -> None:
    path = URL.partition(".org/")[2]
    told = shown(form, hostile(f"password=hunter2hunter2 posted to {URL} or /{path} with ghp_0123456789abcdef"))
    for secret in ("hunter2", "abcdefghijklmnop", "ghp_"):
        assert secret not in told


# --- limits ----------------------------------------------------------------------------------------------

MUCH = hostile("&🚑" * 5_000).model_copy(update={"hosts": hostile("🚑" * 500).hosts * 100})

any_record = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


@any_record
@given(records)
@example(MUCH)
def test_any_record_makes_a_message_within_the_limits_of_slack(any_: Record) -> None:
    document = sent("slack", any_)
    blocks = document["blocks"]
    assert 0 < slack.units(document["text"]) <= 1_900
    assert len(blocks) <= 50
    assert [block["type"] for block in blocks] == ["header", *["section"] * (len(blocks) - 1)]
    assert 0 < slack.units(blocks[0]["text"]["text"]) <= 150
    assert all(0 < slack.units(block["text"]["text"]) <= 3_000 for block in blocks[1:])


@any_record
@given(records)
@example(MUCH)
def test_any_record_makes_a_card_within_the_limits_of_teams(any_: Record) -> None:
    assert len(body("teams", any_, REDACT)) <= 28 * 1024


def test_hosts_that_are_left_out_are_counted() -> None:
    told = shown("slack", record(hosts=[USUAL["hosts"][0] | {"downtime_seconds": float(n)} for n in range(200)]))
    assert re.search(r"^… and \d+ more$", told, re.MULTILINE)
