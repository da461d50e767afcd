"""Releases whose migrations Django, Alembic and psql carry out, in an environment that is kept outside the project."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.project import PROJECT

GROUP = "migrations"
SQL = {1: "CREATE TABLE item (id int)", 2: "ALTER TABLE item ADD price int"}
DJANGO = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [{before}]
    operations = [migrations.RunSQL("{sql}")]
"""
ALEMBIC = """
from alembic import op
revision, down_revision = "{revision}", {before}
def upgrade(): op.execute("{sql}")
"""
REVISIONS = {1: "ae1027a6acf1", 2: "1975ea83b712"}


def environment() -> Path:
    """Return the directory of the tools' programs. It is made once for each set of requirements."""
    wanted = tomllib.loads((PROJECT / "pyproject.toml").read_text())["dependency-groups"][GROUP]
    name = f"{GROUP}-{sha256(repr((wanted, sys.version)).encode()).hexdigest()[:12]}"
    place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rollback-ops" / name
    if not (place / "made").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        install = [f"{place}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
        if subprocess.run(install, check=False, capture_output=True).returncode != 0:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("Django and Alembic cannot be installed")
        (place / "made").touch()
    return place / "bin"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def django(release: Path, count: int, host: str, port: int) -> None:
    """Write a project whose application ``shop`` has so many migrations."""
    server = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "django",
        "USER": "postgres",
        "HOST": host,
        "PORT": port,
    }
    write(
        release / "settings.py", f"INSTALLED_APPS = ['shop']\nSECRET_KEY = 'x'\nDATABASES = {{'default': {server}}}\n"
    )
    run = "from django.core.management import execute_from_command_line as run\nimport sys\nrun(sys.argv)\n"
    write(release / "manage.py", f"import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n{run}")
    for package in ("shop", "shop/migrations"):
        write(release / package / "__init__.py", "")
    for number in range(1, count + 1):
        before = f"('shop', '000{number - 1}_item')" if number > 1 else ""
        write(release / f"shop/migrations/000{number}_item.py", DJANGO.format(before=before, sql=SQL[number]))


def alembic(release: Path, count: int, host: str, port: int) -> None:
    """Write an environment of Alembic with so many revisions."""
    url = f"postgresql+psycopg://postgres@{host}:{port}/alembic"
    write(release / "alembic.ini", f"[alembic]\nscript_location = db\nsqlalchemy.url = {url}\n")
    write(release / "db/env.py", "from alembic import context\nfrom sqlalchemy import create_engine\n"
          "with create_engine(context.config.get_main_option('sqlalchemy.url')).connect() as connection:\n"
          "    context.configure(connection=connection)\n"
          "    with context.begin_transaction():\n        context.run_migrations()\n")  # fmt: skip
    write(release / "db/script.py.mako", "")
    for number in range(1, count + 1):
        revision, before = REVISIONS[number], repr(REVISIONS.get(number - 1))
        text = ALEMBIC.format(revision=revision, before=before, sql=SQL[number])
        write(release / f"db/versions/{revision}_item.py", text)


def plain(release: Path, count: int, host: str, port: int) -> None:
    """Write files of SQL, each of which notes itself in a table, and a script that runs those that are not in it."""
    psql = f"psql -XqAt -h {host} -p {port} -U postgres plain"
    write(release / "migrate", f"{psql} -c 'CREATE TABLE IF NOT EXISTS applied (name text)' 2>&1\nfor f in sql/*; do "
          f"""n=${{f#sql/}}; [ -n "$({psql} -c "SELECT 1 FROM applied WHERE name = '$n'")" ] || {psql} -1 -f "$f" """
          f"""-c "INSERT INTO applied VALUES ('$n')"; done\n""")  # fmt: skip
    for number in range(1, count + 1):
        write(release / f"sql/00{number}_item.sql", f"{SQL[number]};\n")
