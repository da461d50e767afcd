"""The request of one command, from variables and options."""

from __future__ import annotations

import dataclasses
import os
import pwd
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rollback_ops.config.asked import TRIGGERS, moment
from rollback_ops.config.request import CommandOptions, Request
from rollback_ops.config.starter import user_name
from rollback_ops.core.errors import Exit, UsageError
from tests.support.settings_files import holds

DISPATCHED = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "workflow_dispatch"}


def test_every_part_of_a_request_can_come_from_a_variable() -> None:
    request = Request.build(
        {
            "ROLLBACK_ENVIRONMENT": "prod",
            "ROLLBACK_SERVICE": "rosey",
            "ROLLBACK_RELEASE": "backup_0 ",
            "ROLLBACK_BACKUP": " backup_1\n",
            "ROLLBACK_REASON": "login fails; $(id) 🚑",
            "ROLLBACK_EMERGENCY": "true",
            "ROLLBACK_DRY_RUN": "False",
            "ROLLBACK_IF_CURRENT": "backup_2",
            "ROLLBACK_HOST": "deploy@a, b:2222\nc a",
            "ROLLBACK_TRIGGER": "deploy-failed",
            "ROLLBACK_LOCAL": "1",
            "ROLLBACK_RECORD": "out/record.json",
            "GITHUB_ACTOR": "octocat",
        }
    )
    assert request == Request(
        environment="prod",
        service="rosey",
        release="backup_0",
        backup="backup_1",
        reason="login fails; $(id) 🚑",
        emergency=True,
        dry_run=False,
        if_current="backup_2",
        hosts=("deploy@a", "b:2222", "c", "a"),
        trigger="deploy-failed",
        local=True,
        record=Path("out/record.json"),
        actor="octocat",
    )


def test_options_win_over_variables() -> None:
    environ = {
        "ROLLBACK_ENVIRONMENT": "prod",
        "ROLLBACK_REASON": "theirs",
        "ROLLBACK_EMERGENCY": "true",
        "ROLLBACK_LOCAL": "nonsense that nobody asks for",
        "ROLLBACK_HOST": "a",
        "ROLLBACK_TRIGGER": "workflow",
        "ROLLBACK_RECORD": "theirs.json",
    }
    request = Request.build(
        environ,
        CommandOptions(
            environment="test",
            reason="mine",
            emergency=False,
            local=False,
            hosts=("b",),
            trigger="manual",
            record=Path("mine.json"),
        ),
    )
    assert (request.environment, request.reason, request.emergency, request.local) == ("test", "mine", False, False)
    assert (request.hosts, request.trigger, request.record) == (("b",), "manual", Path("mine.json"))


def test_an_empty_service_or_reason_replaces_the_variable() -> None:
    environ = {"ROLLBACK_ENVIRONMENT": "prod", "ROLLBACK_SERVICE": "bot", "ROLLBACK_REASON": "why"}
    request = Request.build(environ, CommandOptions(service="", reason=""))
    assert (request.service, request.reason) == ("", "")


@pytest.mark.parametrize("blank", ["", " ", "\n"])
@pytest.mark.parametrize("name", ["if_current", "backup", "hosts"])
def test_a_blank_release_or_host_is_refused_as_an_option(name: str, blank: str) -> None:
    given: dict[str, Any] = {name: ("a", blank) if name == "hosts" else blank}
    with pytest.raises(UsageError) as caught:
        Request.build({}, CommandOptions(environment="prod", **given))
    assert caught.value.exit_code == Exit.USAGE
    assert f"--{name.removesuffix('s').replace('_', '-')} " in caught.value.message


@pytest.mark.parametrize(
    ("variable", "blank"),
    [
        ("IF_CURRENT", " "),
        ("RELEASE", " "),
        ("BACKUP", "\n"),
        ("HOST", " "),
        ("HOST", " , "),
        ("HOST", ",,"),
        ("HOST", "\t"),
    ],
)
def test_a_blank_release_or_host_is_refused_as_a_variable(variable: str, blank: str) -> None:
    with pytest.raises(UsageError) as caught:
        Request.build({f"ROLLBACK_{variable}": blank}, CommandOptions(environment="prod"))
    assert caught.value.exit_code == Exit.USAGE
    assert f"ROLLBACK_{variable} " in caught.value.message


def test_an_option_for_hosts_replaces_even_a_blank_variable() -> None:
    assert Request.build({"ROLLBACK_HOST": " , "}, CommandOptions(environment="prod", hosts=("a", "a"))).hosts == ("a",)


def test_empty_variables_count_as_unset() -> None:
    """The action hands over every input, the ones that were not given as empty texts."""
    names = [field.name.upper() for field in dataclasses.fields(Request) if field.name not in ("actor", "run_url")]
    empty = {f"ROLLBACK_{name}": "" for name in [*names, "HOST"]}
    environ = {"USER": "ann", "ROLLBACK_ENVIRONMENT": "prod"}
    assert Request.build({**empty, **environ}) == Request.build(environ)


@pytest.mark.parametrize("environ", [{}, {"ROLLBACK_ENVIRONMENT": " "}])
def test_an_environment_has_to_be_named(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="ROLLBACK_ENVIRONMENT") as caught:
        Request.build(environ)
    assert caught.value.exit_code == Exit.USAGE


def test_a_yes_or_no_that_is_neither_is_refused() -> None:
    with pytest.raises(UsageError, match=r'ROLLBACK_EMERGENCY = "maybe".*true.*false'):
        Request.build({"ROLLBACK_EMERGENCY": "maybe"}, CommandOptions(environment="prod"))


def test_an_unknown_trigger_gets_the_nearest_one_and_the_list() -> None:
    with pytest.raises(UsageError) as caught:
        Request.build({}, CommandOptions(environment="prod", trigger="deploy_failed"))
    assert holds(caught.value.message, f'"deploy_failed" … {", ".join(TRIGGERS)} … "deploy-failed"')


@pytest.mark.parametrize(
    ("environ", "trigger"),
    [
        ({}, "manual"),
        (DISPATCHED, "workflow"),
        ({**DISPATCHED, "GITHUB_EVENT_NAME": "push"}, "manual"),
        ({"GITHUB_EVENT_NAME": "workflow_dispatch"}, "manual"),
        ({**DISPATCHED, "ROLLBACK_TRIGGER": "health-timeout"}, "health-timeout"),
    ],
)
def test_without_a_trigger_a_dispatched_workflow_is_workflow_and_all_else_is_manual(
    environ: dict[str, str], trigger: str
) -> None:
    assert Request.build(environ, CommandOptions(environment="prod")).trigger == trigger


@pytest.mark.parametrize(
    ("emergency", "backup", "mode"),
    [(False, "", "standard"), (False, "b1", "targeted"), (True, "", "emergency"), (True, "b1", "emergency")],
)
def test_the_mode_follows_from_emergency_and_backup(emergency: bool, backup: str, mode: str) -> None:
    assert Request("prod", emergency=emergency, backup=backup).mode == mode


def test_the_actor_is_githubs_or_the_user_of_the_machine() -> None:
    machine = os.uname().nodename
    assert Request.build({"GITHUB_ACTOR": "octocat", "USER": "ann"}, CommandOptions(environment="e")).actor == "octocat"
    assert Request.build({"USER": "ann"}, CommandOptions(environment="e")).actor == f"ann@{machine}"
    assert Request.build({"LOGNAME": "bob"}, CommandOptions(environment="e")).actor == f"bob@{machine}"
    assert Request.build({}, CommandOptions(environment="e")).actor == f"{pwd.getpwuid(os.getuid()).pw_name}@{machine}"
    assert Request.build({"USER": "a\nb"}, CommandOptions(environment="e")).actor == f"a\\nb@{machine}"


def test_a_user_without_an_entry_in_the_password_database_is_named_by_number() -> None:
    assert user_name(2_000_000_019) == "2000000019"
    assert user_name(0) == "root"


def test_the_actor_of_a_repeated_run_is_the_one_that_started_it_again() -> None:
    environ = {"GITHUB_ACTOR": "octocat", "GITHUB_TRIGGERING_ACTOR": "hubot"}
    assert Request.build(environ, CommandOptions(environment="e")).actor == "hubot"


@pytest.mark.parametrize(("text", "asked"), [("", None), (" ", None), ("true", True), ("false", False), ("0", False)])
def test_recording_a_deployment_is_on_off_or_not_given(text: str, asked: bool | None) -> None:
    assert (
        Request.build({"ROLLBACK_RECORD_DEPLOYMENT": text}, CommandOptions(environment="e")).record_deployment is asked
    )


def test_recording_a_deployment_is_refused_when_it_is_neither_on_nor_off() -> None:
    with pytest.raises(UsageError, match="ROLLBACK_RECORD_DEPLOYMENT"):
        Request.build({"ROLLBACK_RECORD_DEPLOYMENT": "perhaps"}, CommandOptions(environment="e"))


@pytest.mark.parametrize(("said", "there"), [("true", True), ("", False), ("false", False), ("1", False)])
def test_only_github_actions_true_means_a_workflow(said: str, there: bool) -> None:
    assert Request.build({"GITHUB_ACTIONS": said}, CommandOptions(environment="e")).in_actions == there


def test_the_url_of_the_run_has_its_attempt() -> None:
    environ = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7"}
    url = "https://github.com/o/r/actions/runs/7"
    assert Request.build(environ, CommandOptions(environment="e")).run_url == url
    assert (
        Request.build({**environ, "GITHUB_RUN_ATTEMPT": "2"}, CommandOptions(environment="e")).run_url
        == f"{url}/attempts/2"
    )
    assert Request.build({**environ, "GITHUB_RUN_ID": ""}, CommandOptions(environment="e")).run_url == ""


@pytest.mark.parametrize(
    ("text", "moment_then"),
    [
        ("2026-11-01", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01T14:05Z", "2026-11-01T14:05:00+00:00"),
        ("2026-11-01T14:05+02:00", "2026-11-01T14:05:00+02:00"),
    ],
)
def test_a_moment_is_a_day_or_a_time(text: str, moment_then: str) -> None:
    assert moment("--since", text).isoformat() == moment_then


def test_a_moment_is_so_long_ago() -> None:
    assert abs(datetime.now(UTC) - moment("--since", "30d") - timedelta(days=30)) < timedelta(hours=1)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "30x", "9" * 40 + "d"])
def test_anything_else_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        moment("--since", text)
