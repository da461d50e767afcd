from __future__ import annotations

from pathlib import Path

import pytest

from rollback_ops.cli import stored_help
from tests.support.command import RollbackOps


def stored(*arguments: str, **environ: str) -> str | None:
    return stored_help.stored_help(arguments, environ)


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("columns", ["80", "200"])
def test_the_stored_help_is_what_click_would_print(option: str, columns: str) -> None:
    assert stored(option, COLUMNS=columns) == stored_help.made(), "run `make help`"


@pytest.mark.parametrize("arguments", [(), ("rollback", "--help"), ("--help", "rollback"), ("--version",)])
def test_everything_else_is_left_to_click(arguments: tuple[str, ...]) -> None:
    assert stored(*arguments, COLUMNS="80") is None


@pytest.mark.parametrize(
    "environ",
    [{"COLUMNS": "79"}, {"COLUMNS": "80", "GITHUB_ACTIONS": "true"}, {"_ROLLBACK_OPS_COMPLETE": "bash_source"}],
)
def test_it_is_not_used_where_the_help_would_look_different(environ: dict[str, str]) -> None:
    assert stored("--help", **environ) is None


def test_the_program_prints_it(tmp_path: Path) -> None:
    run = RollbackOps(tmp_path, warm=False)
    ended = run("--help")
    assert (ended.code, ended.out, ended.err) == (0, stored_help.made(), "")
