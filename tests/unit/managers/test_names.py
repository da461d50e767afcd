"""Names cannot break out of their quoting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollback_ops.core.errors import UsageError
from rollback_ops.hosts import managers
from tests.support.toolbox import Box, make_box, service

HOSTILE = [
    "$(touch${IFS}canary)",
    "`touch${IFS}canary`",
    "a;touch${IFS}canary;",
    "a'\"';touch${IFS}canary;'",
    "a&&touch${IFS}canary",
    "a|tee${IFS}canary",
    ">canary",
    "a\\\\;touch\\tcanary",
    "-x",
    "--help",
    "../../etc",
    "group:*",
    "a\\x2db",
    "worker@1",
    "$ROLLBACK_CURRENT",
    "~",
    "{a,b}",
    "#a",
    "!a",
]
NEVER = ["", " ", "a b", "a\nb", "a\tb", "a\0b", "a\x1b[0m", "web all"]
LETTERS = st.sampled_from("abz09-_.:@\\/'\"`$(){}[];&|<>*?!#~=%^,+ \n\t\0é")


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Box:
    return make_box(
        tmp_path_factory.mktemp("names") / "box", "dash", "systemctl", "journalctl", "supervisorctl", "docker"
    )


def files(box: Box) -> set[str]:
    return {*os.listdir(box.home), *os.listdir(box.home / "current")} - {"calls"}


@pytest.mark.parametrize("kind", ["systemd", "systemd-user", "supervisor", "compose"])
@given(unit=st.text(LETTERS, min_size=1, max_size=24) | st.sampled_from(HOSTILE))
@settings(max_examples=40, deadline=None)
@example(unit="$(touch${IFS}canary)")
def test_a_unit_reaches_its_tool_as_one_argument_or_is_refused(standing: Box, kind: str, unit: str) -> None:
    try:
        manager = managers.build(service(kind, unit, "plain"), "rosey")
    except UsageError:
        return
    standing.calls()
    before = files(standing)
    wanted = {unit, f"{unit}.service", f"--unit={unit}", f"--unit={unit}.service", f"--user-unit={unit}.service"}
    lines = (manager.stop, manager.kill, manager.start, manager.running, manager.state, manager.logs)
    # The other functions of Compose compare names.
    for line in (manager.stop, manager.logs) if kind == "compose" else lines:
        standing.run(line, ROLLBACK_FUNCTIONS=manager.functions, ROLLBACK_STATE=f"{standing.home}/bin")
        calls = standing.calls()
        assert calls
        assert any(wanted & set(call) for call in calls), (line, calls)
    assert files(standing) == before


@pytest.mark.parametrize("unit", NEVER)
@pytest.mark.parametrize("kind", ["systemd", "systemd-user", "supervisor", "compose"])
def test_a_name_that_a_manager_would_split_is_refused_before_any_host_is_contacted(kind: str, unit: str) -> None:
    with pytest.raises(UsageError, match=r"^services\.rosey\.units: ") as caught:
        managers.build(service(kind, "plain", unit), "rosey")
    assert caught.value.message.isprintable()
    assert caught.value.hint


@pytest.mark.parametrize("unit", ["*", "worker@*", "bot?", "bot[12]"])
def test_globs_never_reach_systemd(unit: str) -> None:
    with pytest.raises(UsageError, match=r"^services\.rosey\.units: "):
        managers.build(service("systemd", unit), "rosey")


@pytest.mark.parametrize("project", ["Rosey", "a.b", "-p", "a b", "$(id)"])
def test_a_project_name_that_compose_does_not_allow_is_refused(project: str) -> None:
    with pytest.raises(UsageError, match=r"^services\.rosey\.project: "):
        managers.build(service("compose").model_copy(update={"project": project}), "rosey")


def test_the_name_of_the_service_must_be_a_unit_name_when_units_is_not_set() -> None:
    with pytest.raises(UsageError, match=r"^services\.a b\.units: 'a b' "):
        managers.build(service("systemd"), "a b")


def test_a_custom_command_ends_where_its_line_ends(tmp_path: Path) -> None:
    box = make_box(tmp_path / "box", "dash")
    commands = {"stop": "exit 0 # ) } '", "start": "echo 'it''s' \"$ROLLBACK_CURRENT\"", "status": "false; exit 3"}
    manager = managers.build(service("custom", commands=commands), "rosey")
    assert box.holds(manager.stop)
    assert box.run(manager.start).stdout == f"its {box.home}/current\n"
    assert box.run(manager.state).stdout == "status=3\n"
