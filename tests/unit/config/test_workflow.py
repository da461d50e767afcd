"""The workflow that ``init`` writes, and the commands that set its secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rollback_ops.commands.init import write_workflow
from rollback_ops.config.workflow import PLACE
from rollback_ops.core.errors import UsageError
from tests.support.project import PROJECT

SETTINGS = """
[services.shop]
root = "/srv/shop"
units = ["shop"]
[environments.on]
hosts = ["deploy@shop-test.example.org"]
[environments.prod]
gateways = ["jump.example.org"]
hosts = ["deploy@shop1.example.org:2222", "deploy@[2001:db8::1]:22"]
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rollback.toml").write_text(SETTINGS)
    return tmp_path


def test_the_workflow_offers_every_environment_and_gives_the_action_what_it_takes(directory: Path) -> None:
    written = write_workflow(None, {})
    found = yaml.safe_load((directory / PLACE).read_text())
    inputs = found[True]["workflow_dispatch"]["inputs"]
    assert inputs["environment"]["options"] == ["on", "prod"]
    given = found["jobs"]["rollback"]["steps"][-1]["with"]
    assert set(given) <= set(yaml.safe_load((PROJECT / "action.yml").read_text())["inputs"])
    assert set(inputs) <= set(given)
    assert "config" not in given
    assert written.file == Path(PLACE)


def test_the_checkout_is_pinned_as_in_the_workflows_of_this_repository(directory: Path) -> None:
    write_workflow(None, {})
    (line,) = (line for line in (directory / PLACE).read_text().splitlines() if "actions/checkout@" in line)
    assert line.strip() in (PROJECT / ".github/workflows/ci.yml").read_text()


def test_the_linters_find_nothing_in_it(directory: Path) -> None:
    write_workflow(None, {})
    linter = Path(sys.executable).with_name("actionlint")
    done = subprocess.run([linter, directory / PLACE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    words: list[str | Path] = [
        Path(sys.executable).with_name("zizmor"),
        "--offline",
        "--persona",
        "auditor",
        "--quiet",
        "--no-progress",
    ]
    words += ["--config", PROJECT / ".github/zizmor.yml", directory / PLACE]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_secrets_are_set_by_commands_that_hold_none(directory: Path) -> None:
    lines = write_workflow(None, {}).secrets
    text = "\n".join(lines)
    for name in ("on", "prod"):
        assert f"gh secret set ROLLBACK_SSH_KEY --env {name} < " in text
        assert f"gh secret set ROLLBACK_KNOWN_HOSTS --env {name} < known_hosts.{name}" in text
    for scan in (
        "ssh-keyscan -p 2222 shop1.example.org",
        "ssh-keyscan -p 22 2001:db8::1",
        "ssh-keyscan jump.example.org",
    ):
        assert scan in text
    for line in lines:
        subprocess.run(["sh", "-n", "-c", line], check=True, env={"PATH": os.environ["PATH"]})


def test_another_name_of_the_settings_is_said_to_the_action(directory: Path) -> None:
    (directory / "rollback.toml").rename(directory / "shop.toml")
    write_workflow("shop.toml", {})
    steps = yaml.safe_load((directory / PLACE).read_text())["jobs"]["rollback"]["steps"]
    assert steps[-1]["with"]["config"] == "shop.toml"


def test_a_workflow_that_exists_is_not_overwritten(directory: Path) -> None:
    (directory / PLACE).parent.mkdir(parents=True)
    (directory / PLACE).write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        write_workflow(None, {})
    assert (directory / PLACE).read_text() == "mine"
