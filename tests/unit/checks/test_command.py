"""The ``command`` check: its exit status decides, and its last lines are shown."""

from __future__ import annotations

from typing import Any

import pytest

from rollback_ops.checks import after, before, build
from rollback_ops.checks.command import Command
from rollback_ops.config import CommandCheck
from rollback_ops.core.model import CommandResult, HostCommand


def command(run: str = "true", **settings: Any) -> Command:
    return Command(CommandCheck.model_validate({"kind": "command", "run": run} | settings), "v1")


@pytest.mark.parametrize(
    ("answered", "verdict", "shown"),
    [
        (CommandResult(0, 0.1), "passed", ""),
        (CommandResult(0, 0.1, ("fine",)), "passed", "fine"),
        (CommandResult(1, 0.1), "failed", "1"),
        (CommandResult(3, 0.1, ("a", "b", "c", "d")), "failed", "b / c / d"),
        (CommandResult(124, 5.0), "failed", "5 s"),
        (CommandResult(137, 5.0, ("still busy",)), "failed", "still busy"),
        (CommandResult(126, 0.1, ("sh: 1: probe: Permission denied",)), "unknown", "probe: Permission denied"),
        (CommandResult(127, 0.1, ("sh: 1: nope: not found",)), "unknown", "nope: not found"),
        (CommandResult(-1, 0.0), "unknown", ""),
        (None, "unknown", ""),
    ],
)
def test_the_exit_status_decides(answered: CommandResult | None, verdict: str, shown: str) -> None:
    finding = command(timeout="5s").judge((), answered)
    assert (finding.verdict, finding.final, shown in finding.detail) == (verdict, False, True)


@pytest.mark.parametrize(
    "answered", [CommandResult(1, 0.1), CommandResult(126, 0.1), CommandResult(127, 0.1), CommandResult(-1, 0.0), None]
)
def test_a_release_passes_before_the_stop_only_with_exit_status_0(answered: CommandResult | None) -> None:
    early = command(phase="before")
    assert early.judge((), answered).verdict != "passed"
    assert early.judge((), CommandResult(0, 0.1)).verdict == "passed"


@pytest.mark.parametrize(
    ("run", "asked"),
    [
        ("test -e {release}/ok", "test -e v1/ok"),
        ("echo {release} {release}", "echo v1 v1"),
        ("echo ${release} {{release}}", "echo ${release} {{release}}"),
        ("awk '{print $1}' f", "awk '{print $1}' f"),
    ],
)
def test_only_the_placeholder_is_replaced_by_the_release(run: str, asked: str) -> None:
    assert command(run, timeout="5s").question == HostCommand(asked, 5.0)


def test_every_check_belongs_to_one_phase() -> None:
    early = CommandCheck(kind="command", run="true", phase="before")
    checks = build({"early": early, "late": CommandCheck(kind="command", run="true")}, "v1")
    assert list(before(checks)) == ["early"]
    assert list(after(checks)) == ["process", "late"]


@pytest.mark.parametrize(("phase", "trigger"), [("before", "config-invalid"), ("after", "verification-failed")])
def test_a_failure_has_the_trigger_of_its_phase(phase: str, trigger: str) -> None:
    assert command(phase=phase).judge((), CommandResult(1, 0.1)).trigger == trigger
