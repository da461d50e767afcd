"""The question of a metric of source ``log``, as the shells of hosts run it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rollback_ops.checks.metric import counted, question_of
from rollback_ops.config import MetricCheck
from rollback_ops.core.errors import BadAnswer
from rollback_ops.core.model import CommandResult

LINES = "GET /a HTTP/1.1 200\nGET /b HTTP/1.1 503\nan error 500\nGET /it's HTTP/1.1 500\n"


def count(shell: tuple[str, ...], file: Path, errors: str) -> tuple[float, float]:
    question = question_of(MetricCheck(kind="metric", source="log", file=str(file), errors=errors, total="HTTP/"))
    assert question
    words = [*shell, "-c", question.command, "rollback-ops", "run", "", "", ""]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return counted(CommandResult(done.returncode, 0.1, tuple(done.stdout.splitlines())), 5.0)


@pytest.mark.parametrize("shell", [("dash",), ("busybox", "sh")], ids=str)
def test_lines_of_a_log_are_counted_and_what_cannot_be_counted_is_said(shell: tuple[str, ...], tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(LINES)
    assert count(shell, log, " 5[0-9][0-9]$") == (2, 3)
    assert count(shell, log, "it's") == (1, 3)
    assert count(shell, log, "never") == (0, 3)
    log.write_text("")
    assert count(shell, log, " 5") == (0, 0)
    with pytest.raises(BadAnswer, match="cannot be read"):
        count(shell, tmp_path / "none.log", " 5")
    with pytest.raises(BadAnswer, match="pattern"):
        count(shell, log, "(")
