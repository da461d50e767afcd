"""The ``command`` check: its exit status decides, and its last words are told."""

from __future__ import annotations

from typing import Any

import pytest

from rollback_ops.checks import after, before, build
from rollback_ops.checks.command import Command
from rollback_ops.config import CommandCheck
from rollback_ops.core.model import Answered, Question


def command(run: str = "true", **settings: Any) -> Command:
    return Command(CommandCheck.model_validate({"kind": "command", "run": run} | settings), "v1")


@pytest.mark.parametrize(
    ("answered", "verdict", "detail"),
    [
        (Answered(0, 0.1), "passed", ""),
        (Answered(0, 0.1, ("fine",)), "passed", "fine"),
        (Answered(1, 0.1), "failed", "exit status 1"),
        (Answered(127, 0.1, ("sh: 1: nope: not found",)), "failed", "exit status 127: sh: 1: nope: not found"),
        (Answered(3, 0.1, ("a", "b", "c", "d")), "failed", "exit status 3: b / c / d"),
        (Answered(124, 5.0), "failed", "it did not end within 5 s"),
        (Answered(137, 5.0, ("still busy",)), "failed", "it did not end within 5 s: still busy"),
        (Answered(-1, 0.0), "failed", "exit status -1"),
        (None, "unknown", "the host did not say how the command ended"),
    ],
)
def test_the_exit_status_decides(answered: Answered | None, verdict: str, detail: str) -> None:
    finding = command(timeout="5s").judge((), answered)
    assert (finding.verdict, finding.detail) == (verdict, detail)


@pytest.mark.parametrize(
    ("run", "asked"),
    [
        ("test -e {release}/ok", "test -e v1/ok"),
        ("echo {release} {release}", "echo v1 v1"),
        ("echo ${release} {{release}}", "echo ${release} {{release}}"),
        ("awk '{print $1}' f", "awk '{print $1}' f"),
    ],
)
def test_the_release_is_put_where_it_is_called_for_and_nowhere_else(run: str, asked: str) -> None:
    assert command(run, timeout="5s").question == Question(asked, 5.0)


def test_what_is_asked_before_is_not_asked_after_and_the_other_way_round() -> None:
    early = CommandCheck(kind="command", run="true", phase="before")
    checks = build({"early": early, "late": CommandCheck(kind="command", run="true")}, "v1")
    assert list(before(checks)) == ["early"]
    assert list(after(checks)) == ["process", "late"]


@pytest.mark.parametrize(("phase", "trigger"), [("before", "config-invalid"), ("after", "verification-failed")])
def test_a_failure_names_the_trigger_that_it_would_be(phase: str, trigger: str) -> None:
    assert command(phase=phase).judge((), Answered(1, 0.1)).trigger == trigger
