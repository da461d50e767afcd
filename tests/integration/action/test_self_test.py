"""The action run whole by act: the part of CI that uses it as it was checked out, and a caller with an environment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.act.act import Workflows, blocker, copy_action
from tests.support.project import PROJECT


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Workflows]:
    if missing := blocker():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"workflows need {missing}: run `make test`")
    made = Workflows(tmp_path, "http://127.0.0.1:1", "token")
    copy_action(made.repository)
    (made.repository / "tests/support").mkdir(parents=True)
    shutil.copy(PROJECT / "tests/support/service.sh", made.repository / "tests/support")
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


CALLER = """
on: push
permissions: {}
env:
  ROLLBACK_LOCAL: "true"
  ROLLBACK_ENVIRONMENT: unreachable
  ROLLBACK_COMMAND: verify
  ROLLBACK_RECORD: /nowhere/record.json
  ROLLBACK_BACKUP: v7
  ROLLBACK_REASON: said in the environment
jobs:
  rollback:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - run: tests/support/service.sh "$RUNNER_TEMP/service"
      - uses: ./
        env:
          ROLLBACK_CONFIG: ${{ runner.temp }}/service/rollback.toml
        with:
          environment: here
          backup: v1
          dry-run: true
          record-deployment: false
"""


def test_an_input_wins_over_the_callers_variable_which_serves_where_there_is_none(repository: Workflows) -> None:
    repository.workflow(CALLER)
    ran = repository("push")
    assert ran.code == 0, ran.journal.text
    told = {name: ran.record[name] for name in ("environment", "reason", "dry_run", "mode")}
    assert told == {"environment": "here", "reason": "said in the environment", "dry_run": True, "mode": "targeted"}
    assert ran.record["to"]["release"] == "v1"
