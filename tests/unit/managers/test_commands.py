"""The exact command lines of each manager: the runbook of all that runs on a host."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from rollback_ops.config import Service
from rollback_ops.core.errors import UsageError
from rollback_ops.core.model import Manager
from rollback_ops.hosts import managers
from rollback_ops.hosts.managers import supervisor, systemd
from rollback_ops.hosts.managers.since import SET_SINCE
from tests.support.toolbox import COMMANDS, Box, service, tool

AS_USER = 'XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}" systemctl --user'
PULLED = "RequiredBy,RequisiteOf,BoundBy,ConsistsOf,PropagatesStopTo"
JUDGED = "Id,LoadState,ActiveState,Type,Result,ConditionResult"
PROPERTIES = (
    f"{JUDGED},Names,SubState,MainPID,NRestarts,InvocationID,ControlGroup,KillMode,SendSIGKILL,"
    f"FragmentPath,DropInPaths,TriggeredBy,{PULLED}"
)
REVIVE = "start --job-mode=ignore-requirements --"
MEMBERS_OF = (
    "set -f\n# shellcheck disable=SC2046 # a word each\n"
    + AS_USER.replace("{", "{{").replace("}", "}}")
    + " show -p {} -- rosey.target $("
    + AS_USER.replace("{", "{{").replace("}", "}}")
    + " show -p Requires,BindsTo,Wants --value -- rosey.target)"
)
JOURNAL = "journalctl -q --no-pager -n 30 -o short-iso ${SINCE:+--since=@$SINCE} --unit=bot.service --unit=mail.timer"

SYSTEMD = Manager(
    kind="systemd",
    stop="exec $ROLLBACK_SUDO systemctl stop -- bot.service mail.timer",
    kill="$ROLLBACK_SUDO systemctl kill -s KILL -- bot.service mail.timer || :",
    reset="$ROLLBACK_SUDO systemctl reset-failed -- bot.service mail.timer 2>/dev/null || :",
    start="exec $ROLLBACK_SUDO systemctl restart -- bot.service mail.timer",
    running=f"systemctl show -p {JUDGED} -- bot.service mail.timer | {{\nunits=2\n{systemd._JUDGE}}}",
    stopped="test \"$(systemctl is-active -- bot.service mail.timer | grep -cxE 'inactive|failed|unknown')\" -eq 2",
    state=f"exec systemctl show -p {PROPERTIES} -- bot.service mail.timer",
    related=f"systemctl show -p Id,ActiveState,{PULLED} --",
    revive=f"$ROLLBACK_SUDO systemctl {REVIVE}",
    reload="$ROLLBACK_SUDO systemctl daemon-reload",
    logs=f"{SET_SINCE}{JOURNAL} 2>/dev/null | grep '' || $ROLLBACK_SUDO {JOURNAL}",
    needs=(
        "systemctl stop -- bot.service mail.timer",
        "systemctl kill -s KILL -- bot.service mail.timer",
        "systemctl reset-failed -- bot.service mail.timer",
        "systemctl restart -- bot.service mail.timer",
    ),
)

SYSTEMD_USER = Manager(
    kind="systemd-user",
    stop=f"{AS_USER} stop -- rosey.service",
    kill=f"{AS_USER} kill -s KILL -- rosey.service || :",
    reset=f"{AS_USER} reset-failed -- rosey.service 2>/dev/null || :",
    start=f"{AS_USER} restart -- rosey.service",
    running=f"{AS_USER} show -p {JUDGED} -- rosey.service | {{\nunits=1\n{systemd._JUDGE}}}",
    stopped=f"test \"$({AS_USER} is-active -- rosey.service | grep -cxE 'inactive|failed|unknown')\" -eq 1",
    state=f"{AS_USER} show -p {PROPERTIES} -- rosey.service",
    related=f"{AS_USER} show -p Id,ActiveState,{PULLED} --",
    revive=f"{AS_USER} {REVIVE}",
    reload=f"{AS_USER} daemon-reload",
    logs=SET_SINCE + "journalctl -q --no-pager -n 30 -o short-iso ${SINCE:+--since=@$SINCE} --user-unit=rosey.service",
)

TARGET = dataclasses.replace(
    SYSTEMD_USER,
    **{
        name: getattr(SYSTEMD_USER, name).replace("rosey.service", "rosey.target")
        for name in ("stop", "kill", "reset", "start", "stopped", "logs")
    },
    running=f"{MEMBERS_OF.format(JUDGED)} | {{\nunits=1\n{systemd._JUDGE}}}",
    state=MEMBERS_OF.format(PROPERTIES),
)

SUPERVISOR = Manager(
    kind="supervisor",
    stop="$ROLLBACK_SUDO supervisorctl stop web",
    kill="$ROLLBACK_SUDO supervisorctl signal KILL web || :",
    reset=":",
    start=f"{supervisor._START}start web",
    running='text=$($ROLLBACK_SUDO supervisorctl status web); test -n "$text" && '
    "! printf '%s\\n' \"$text\" | grep -qvE '^[^ ]+ +RUNNING( |$)'",
    stopped='text=$($ROLLBACK_SUDO supervisorctl status web); test -n "$text" && '
    "! printf '%s\\n' \"$text\" | grep -qvE "
    "'^[^ ]+ +(STOPPED|EXITED|FATAL)( |$)|: ERROR \\(no such (process|group)\\)$'",
    state="$ROLLBACK_SUDO supervisorctl status web",
    logs="$ROLLBACK_SUDO supervisorctl status web | while read -r program _; do "
    '$ROLLBACK_SUDO supervisorctl tail -4000 "$program" </dev/null; '
    '$ROLLBACK_SUDO supervisorctl tail -4000 "$program" stderr </dev/null; done | tail -n 30',
    needs=(
        "supervisorctl stop web",
        "supervisorctl start web",
        "supervisorctl signal KILL web",
        "supervisorctl status web",
    ),
)

SUPERVISOR_SEVERAL = dataclasses.replace(
    SUPERVISOR,
    stop='set --; for unit in web \'jobs:*\'; do $ROLLBACK_SUDO supervisorctl stop "$unit" & set -- "$@" "$!"; done; '
    'failed=0; for pid in "$@"; do wait "$pid" || failed=1; done; test "$failed" = 0',
    start=f"{supervisor._START}set --; for unit in web 'jobs:*'; do "
    'start "$unit" & set -- "$@" "$!"; done; '
    'failed=0; for pid in "$@"; do wait "$pid" || failed=1; done; test "$failed" = 0',
    kill="$ROLLBACK_SUDO supervisorctl signal KILL web 'jobs:*' || :",
    running=SUPERVISOR.running.replace("status web", "status web 'jobs:*'"),
    stopped=SUPERVISOR.stopped.replace("status web", "status web 'jobs:*'"),
    state="$ROLLBACK_SUDO supervisorctl status web 'jobs:*'",
    logs=SUPERVISOR.logs.replace("status web", "status web 'jobs:*'"),
    needs=(
        "supervisorctl stop web",
        "supervisorctl stop jobs:*",
        "supervisorctl start web",
        "supervisorctl start jobs:*",
        "supervisorctl signal KILL web jobs:*",
        "supervisorctl status web jobs:*",
    ),
)

# What the functions do is in compose.sh, which is checked with the lines.
CALL = 'eval "$ROLLBACK_FUNCTIONS"; '
COMPOSE = Manager(
    kind="compose",
    stop=f"{CALL}stop",
    kill=f"{CALL}end kill",
    reset=":",
    start=f"{CALL}start",
    running=f"{CALL}is_running",
    stopped=f"{CALL}is_stopped",
    state=f"{CALL}show",
    logs=f'{SET_SINCE}{CALL}logs "$SINCE"',
)

PM2 = Manager(
    kind="pm2",
    stop=f"{CALL}stop",
    kill=f"{CALL}end",
    reset=":",
    start=f"{CALL}restart",
    running=f"{CALL}every online",
    stopped=f"{CALL}every 'stopped|errored|one-launch-status'",
    state=f"{CALL}show",
    logs=f"{CALL}logs",
)

NONE = Manager(
    kind="none", stop=":", kill=":", reset=":", start=":", running=":", stopped="! :", state="echo files", logs=":"
)

IN_RELEASE = 'cd "$ROLLBACK_CURRENT" 2>/dev/null || { [ -f "$ROLLBACK_CURRENT" ] && cd "$ROLLBACK_ROOT"; } && '
CUSTOM = Manager(
    kind="custom",
    stop=IN_RELEASE + "eval './bin/stop '\"'\"'all'\"'\"' # now'",
    kill=":",
    reset=":",
    start=IN_RELEASE + "eval ./bin/start",
    running=IN_RELEASE + "eval './bin/status | grep -q up' >/dev/null 2>&1",
    stopped=IN_RELEASE + "! (eval './bin/status | grep -q up') >/dev/null 2>&1",
    state=IN_RELEASE + "{ (eval './bin/status | grep -q up') >/dev/null 2>&1; echo \"status=$?\"; }",
    logs=":",
)

CASES = {
    "systemd": (service("systemd", "bot", "mail.timer"), SYSTEMD),
    "systemd-user": (service("systemd-user"), SYSTEMD_USER),
    "a target": (service("systemd-user", "rosey.target"), TARGET),
    "supervisor": (service("supervisor", "web"), SUPERVISOR),
    "supervisor, several": (service("supervisor", "web", "jobs:*"), SUPERVISOR_SEVERAL),
    "compose": (service("compose"), COMPOSE),
    "compose, some": (service("compose", "web", "worker", project="shop", limits={"stop": "30s"}), COMPOSE),
    "pm2": (service("pm2", "web", "worker"), PM2),
    "none": (service("none"), NONE),
    "custom": (service("custom", commands=COMMANDS), CUSTOM),
    "custom with logs": (
        service("custom", commands=COMMANDS | {"logs": "tail log/*"}),
        dataclasses.replace(CUSTOM, logs=IN_RELEASE + "sh -c 'tail log/*'"),
    ),
}
each_case = pytest.mark.parametrize(("settings", "manager"), CASES.values(), ids=CASES.keys())


@each_case
def test_the_command_lines_are_exactly_these(settings: Service, manager: Manager) -> None:
    built = managers.build(settings, "rosey")

    assert dataclasses.replace(built, first_aid=(), functions="") == manager


@pytest.mark.parametrize(
    ("settings", "first_aid"),
    [
        (
            Service(root="/srv/bot", units=("bot", "worker@1")),
            (
                "systemctl status -- bot.service worker@1.service",
                "sudo systemctl reset-failed -- bot.service worker@1.service",
                "sudo systemctl restart -- bot.service worker@1.service",
            ),
        ),
        (
            Service(root="/srv/bot", manager="systemd-user", units=("bot",)),
            (
                "systemctl --user status -- bot.service",
                "systemctl --user reset-failed -- bot.service",
                "systemctl --user restart -- bot.service",
            ),
        ),
        (
            Service(root="/srv/bot", manager="supervisor", units=("web",)),
            ("sudo supervisorctl status web", "sudo supervisorctl start web"),
        ),
        (
            Service(root="/srv/bot", manager="compose"),
            (
                "cd /srv/bot/current",
                "docker compose -p rosey ps --all",
                "docker compose -p rosey up --detach --force-recreate",
            ),
        ),
        (Service(root="/srv/bot", manager="pm2", units=("web",)), ("pm2 status", "pm2 restart web")),
        (Service(root="/srv/bot", manager="none"), ("ls -l /srv/bot/current",)),
    ],
    ids=lambda value: value.manager if isinstance(value, Service) else "",
)
def test_first_aid_can_be_typed_on_the_host(settings: Service, first_aid: tuple[str, ...]) -> None:
    assert managers.build(settings, "rosey").first_aid == first_aid


def test_every_manager_that_the_settings_allow_has_a_module() -> None:
    assert set(managers.KINDS) == set(get_args(Service.model_fields["manager"].annotation))


@each_case
def test_every_command_line_is_clean_posix_sh(settings: Service, manager: Manager, tmp_path: Path) -> None:
    files = [
        tmp_path / field.name
        for field in dataclasses.fields(manager)
        if field.name not in ("kind", "needs", "first_aid")
    ]
    for file in files:
        file.write_text(getattr(managers.build(settings, "rosey"), file.name) + "\n")
        for shell in ([tool("dash")], [tool("busybox"), "sh"]):
            subprocess.run([*shell, "-n", file], check=True)
    checked = subprocess.run([tool("shellcheck"), "-s", "sh", *files], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@each_case
def test_every_command_through_sudo_is_among_the_needs(settings: Service, manager: Manager, box: Box) -> None:
    for line in (
        manager.stop,
        manager.kill,
        manager.reset,
        manager.start,
        manager.running,
        manager.stopped,
        manager.state,
    ):
        box.run(line, ROLLBACK_SUDO="sudo -n")
    assert {" ".join(call[2:]) for call in box.calls() if call[:2] == ["sudo", "-n"]} == set(manager.needs)


def test_a_unit_that_is_named_twice_counts_once() -> None:
    twice = service("systemd", "bot", "mail.timer", "bot", "bot.service")
    assert dataclasses.replace(managers.build(twice, "rosey"), first_aid=()) == SYSTEMD


def test_custom_without_commands_names_the_missing_table() -> None:
    with pytest.raises(UsageError, match=r'services\.rosey: manager = "custom"') as caught:
        managers.build(service("custom"), "rosey")
    assert "[services.rosey.commands]" in caught.value.hint


def test_docker_gets_less_time_to_stop_than_the_limit_and_never_none() -> None:
    for limit, patience in (("2s", 1), ("30s", 28)):
        functions = managers.build(service("compose", limits={"stop": limit}), "rosey").functions
        assert f"patience={patience}" in functions.splitlines()
