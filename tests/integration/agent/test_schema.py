"""A host's answer about the schema of its database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rollback_ops.core.schema import KnownSchema
from tests.support.agent_sandbox import Sandbox


@pytest.fixture(params=["dash", "busybox"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def sandbox(directory: Path, shell: str, **schema: Any) -> Sandbox:
    return Sandbox(directory, shell, schema=schema)


def test_it_lists_the_migrations_of_releases_and_what_the_command_prints(tmp_path: Path, shell: str) -> None:
    command = "echo INFO to the log >&2; echo 1; echo; echo 2; pwd"
    made = sandbox(tmp_path, shell, current=command, migrations=["db/*.sql", "more/*"])
    for name in ("1_a.sql", "2 b.sql", "a\nb.sql"):
        (made.releases / "r2/db").mkdir(exist_ok=True)
        (made.releases / "r2/db" / name).touch()
    answer = made.host.schema(["r1", "r2", "r9", "../r2"], 5.0)
    assert (answer.versions, answer.why) == (("1", "2", str(made.current)), "")
    assert answer.known == {"r1": KnownSchema(), "r2": KnownSchema(("db/1_a.sql", "db/2 b.sql"))}


def test_a_release_without_its_file_of_versions_is_none_that_understands_nothing(tmp_path: Path, shell: str) -> None:
    made = sandbox(tmp_path, shell, current="echo 3", understands="SCHEMA")
    (made.releases / "r2/SCHEMA").write_text("1..3")
    assert made.host.schema(["r1", "r2"], None).known == {"r2": KnownSchema(("1..3",))}


@pytest.mark.parametrize("command", ["echo 3; echo it is locked >&2; exit 2", "echo 3; sleep 30"])
def test_a_command_that_fails_says_nothing_of_the_database(tmp_path: Path, shell: str, command: str) -> None:
    answer = sandbox(tmp_path, shell, current=command, migrations=["*"]).host.schema([], 1.0)
    assert answer.versions is None
    assert ("it is locked" in answer.why) == ("locked" in command)


@pytest.mark.parametrize("command", ["true", "{ echo it is down >&2; exit 2; } | sort"])
def test_a_command_that_prints_nothing_says_nothing_of_the_database(tmp_path: Path, shell: str, command: str) -> None:
    answer = sandbox(tmp_path, shell, current=command, migrations=["*"]).host.schema([], 5.0)
    assert (answer.versions, "it is down" in answer.why) == (None, "down" in command)
