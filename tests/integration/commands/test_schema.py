"""The schema gate, with a real PostgreSQL and what migrates it: Django, Alembic, and files of SQL."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import migrations
from tests.support.command import RollbackOps
from tests.support.lab.toml import dump
from tests.support.postgres import Postgres, programs

LOCAL = ("prod", "--local", "--json")
WHY = ("--reason", "prices are wrong")
DONE = {"start": "touch $ROLLBACK_ROOT/up", "stop": "rm -f $ROLLBACK_ROOT/up", "status": "test -e $ROLLBACK_ROOT/up"}


@dataclass(frozen=True)
class Tool:
    """One tool: how a release is written, how it migrates, the settings, and what the second migration is called."""

    write: Callable[[Path, int, str, int], None]
    migrate: str
    schema: dict[str, Any]
    second: str


def tools(place: Path, server: Postgres) -> dict[str, Tool]:
    psql = f"psql -XAt -h {server.host} -p {server.port} -U postgres"
    applied = "SELECT app || '/migrations/' || name FROM django_migrations WHERE app = 'shop'"
    ask_django = f'echo "{applied}" | {place}/python -B manage.py dbshell -- -XAt'
    ask_alembic = f"{place}/alembic current | cut -d' ' -f1"
    ask_plain = f"{psql} plain -c 'SELECT name FROM applied'"
    return {
        "django": Tool(
            migrations.django,
            f"{place}/python -B manage.py migrate",
            {"current": ask_django, "migrations": ["*/migrations/*.py"]},
            "shop/migrations/0002_item",
        ),
        "alembic": Tool(
            migrations.alembic,
            f"{place}/alembic upgrade head",
            {"current": ask_alembic, "migrations": ["db/versions/*.py"]},
            migrations.REVISIONS[2],
        ),
        "plain": Tool(
            migrations.plain, "sh migrate", {"current": ask_plain, "migrations": ["sql/*.sql"]}, "002_item.sql"
        ),
    }


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    cluster = Postgres(programs(), "127.0.0.1")
    cluster.start()
    yield cluster
    cluster.remove()


def service(root: Path, tool: Tool, server: Postgres, **schema: Any) -> str:
    """Two releases, of which the second has one migration more and is live."""
    for number in (1, 2):
        tool.write(root / f"releases/b{number}", number, server.host, server.port)
    (root / "current").symlink_to("releases/b2")
    (root / "up").touch()
    (root / "revisions.log").write_text("Branch main (at 0) deployed as release b1 by ana\n")
    section = {"root": str(root), "manager": "custom", "commands": DONE, "verify": {"min_healthy_time": "0s"},
               "schema": {**tool.schema, **schema}}  # fmt: skip
    return dump({"services": {"shop": section}, "environments": {"prod": {}}})


@pytest.mark.parametrize(
    "name", ["plain", *(pytest.param(name, marks=pytest.mark.long) for name in ("django", "alembic"))]
)
def test_a_release_that_does_not_know_the_migrations_of_the_database_is_gone_to_only_when_somebody_says_so(
    rollback_ops: RollbackOps, tmp_path: Path, server: Postgres, name: str
) -> None:
    root, tool = tmp_path / "shop", tools(migrations.environment(), server)[name]
    subprocess.run(["createdb", "-h", server.host, "-p", str(server.port), "-U", "postgres", name], check=True)
    rollback_ops.settings(service(root, tool, server))

    def migrate(release: str) -> None:
        subprocess.run(["sh", "-ec", tool.migrate], cwd=root / "releases" / release, check=True, capture_output=True)

    migrate("b1")
    assert rollback_ops("check", *LOCAL).code == 0
    migrate("b2")
    for command in (("check", *LOCAL), ("rollback", *LOCAL, *WHY)):
        ended = rollback_ops(*command)
        (host,) = ended.document["hosts"]
        assert (ended.code, host["outcome"], tool.second in host["detail"]) == (1, "refused", True), ended.document
    assert (root / "current").readlink() == Path("releases/b2")
    gone = rollback_ops("rollback", *LOCAL, *WHY, "--ignore-schema").document
    assert (gone["outcome"], gone["to"]["release"], gone["reason"]) == ("succeeded", "b1", "prices are wrong")
    assert any("--ignore-schema" in warning and tool.second in warning for warning in gone["warnings"])


def test_a_database_that_does_not_answer_keeps_a_rollback_back_and_not_an_emergency(
    rollback_ops: RollbackOps, tmp_path: Path, server: Postgres
) -> None:
    root, tool = tmp_path / "shop", tools(Path("/nowhere"), server)["plain"]
    rollback_ops.settings(service(root, tool, server, current="psql -XAt -h 127.0.0.1 -p 9 -U postgres plain -c ''"))
    ended = rollback_ops("rollback", *LOCAL, *WHY)
    assert (ended.code, "refused" in ended.document["hosts"][0]["detail"]) == (1, True), ended.document
    assert (root / "current").readlink() == Path("releases/b2")
    gone = rollback_ops("rollback", *LOCAL, "--emergency").document
    assert (gone["outcome"], gone["to"]["release"]) == ("succeeded", "b1")


def test_without_a_command_the_live_release_says_what_the_database_has(
    rollback_ops: RollbackOps, tmp_path: Path, server: Postgres
) -> None:
    tool = tools(Path("/nowhere"), server)["plain"]
    rollback_ops.settings(service(tmp_path / "shop", tool, server, current="", on_ahead="warn"))
    gone = rollback_ops("rollback", *LOCAL, *WHY).document
    assert gone["outcome"] == "succeeded"
    assert any("002_item.sql" in warning for warning in gone["warnings"])


@pytest.mark.parametrize(
    "schema", [{}, {"current": "x"}, {"understands": "f"}, {"understands": "f", "migrations": ["m"], "current": "x"}]
)
def test_settings_that_cannot_be_compared_are_wrong_usage(
    rollback_ops: RollbackOps, tmp_path: Path, schema: dict[str, Any]
) -> None:
    section = {"root": str(tmp_path), "units": ["bot"], "schema": schema}
    rollback_ops.settings(dump({"services": {"bot": section}, "environments": {"prod": {}}}))
    assert rollback_ops("check", "prod", "--local").code == 64
