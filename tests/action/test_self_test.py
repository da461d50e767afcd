"""The part of CI that uses the action as it was checked out, run by act."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.action.steps import PROJECT
from tests.actions_run.act import Workflows, copy_action, obstacle


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Workflows]:
    if missing := obstacle():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"workflows need {missing}: run `make test`")
    made = Workflows(tmp_path, "http://127.0.0.1:1", "token")
    copy_action(made.repository)
    shutil.copytree(PROJECT / "tests/action", made.repository / "tests/action")
    yield made
    made.close()


def test_the_self_test_passes(repository: Workflows) -> None:
    workflow = yaml.safe_load((PROJECT / ".github/workflows/ci.yml").read_text())
    del workflow["jobs"]["tests"]
    workflow["jobs"]["action"]["strategy"]["matrix"]["runner"] = ["ubuntu-latest"]
    workflow["on"] = workflow.pop(True)  # YAML 1.1 reads `on` as a truth value
    repository.workflow(yaml.safe_dump(workflow, sort_keys=False))
    ran = repository("push")
    assert ran.code == 0, ran.journal.text
    assert {path.name for path in ran.artifacts.iterdir()} == {"here-ubuntu-latest", "unreachable-ubuntu-latest"}
