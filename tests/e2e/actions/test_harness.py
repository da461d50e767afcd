"""The behaviour of act on which the other tests here rely, with the smallest action."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.act.act import Workflows
from tests.support.act.journal import Annotation
from tests.support.lab.ground import wait_until

WORKFLOW = """
on:
  workflow_dispatch:
    inputs:
      reason: { required: true }
concurrency:
  group: deploy-prod
  cancel-in-progress: false
  queue: max
permissions: {}
jobs:
  one:
    runs-on: ubuntu-latest
    environment:
      name: prod
      deployment: false
    steps:
      - uses: actions/checkout@v6
      - uses: acme/small@v1
        id: small
        with:
          reason: ${{ inputs.reason }}
          key: ${{ secrets.KEY }}
          token: ${{ github.token }}
"""
ACTION = """
name: Small
description: As small as can be.
inputs: { reason: { required: true }, key: {}, token: {} }
outputs: { said: { value: "${{ steps.go.outputs.said }}" } }
runs:
  using: composite
  steps:
    - uses: actions/setup-python@v6
      id: python
    - id: go
      shell: sh
      env:
        REASON: ${{ inputs.reason }}
        KEY: ${{ inputs.key }}
        TOKEN: ${{ inputs.token }}
        PYTHON: ${{ steps.python.outputs.python-path }}
      run: exec "$PYTHON" "$GITHUB_ACTION_PATH/small.py"
    - id: last
      if: always()
      shell: sh
      run: test ! -t 1 && echo "after it" && echo "# Last" >>"$GITHUB_STEP_SUMMARY"
"""
PROGRAM = """
import json, os, pathlib, signal, sys, time
def stop(number, frame):
    print("stopped", flush=True)
    sys.exit(130)
signal.signal(signal.SIGINT, stop)
with open(os.environ["GITHUB_OUTPUT"], "a") as file:
    file.write("said<<EOF\\n" + json.dumps([os.environ[name] for name in ("REASON", "KEY", "TOKEN")]) + "\\nEOF\\n")
print("::add-mask::hunter2")
print("::warning title=Small::look here")
print("::stop-commands::abc\\n::error::not a command\\n::abc::")
print("hunter2 is in", os.environ["GITHUB_REPOSITORY"], os.environ["GITHUB_ACTOR"], os.environ["GITHUB_API_URL"])
print(sorted(os.listdir()), flush=True)
if os.environ["REASON"] == "wait":
    pathlib.Path(os.environ["RUNNER_TEMP"], "waiting").touch()
    time.sleep(60)
"""
HOSTILE = "$(touch canary) `touch canary` ${{ secrets.KEY }} \"'\\ $HOME %0A\n::error::x 🔥"


@pytest.fixture
def small(workflows: Workflows, tmp_path: Path) -> Workflows:
    there = tmp_path / "small"
    there.mkdir()
    (there / "action.yml").write_text(ACTION)
    (there / "small.py").write_text(PROGRAM)
    workflows.actions["acme/small"] = there
    workflows.secrets["KEY"] = "-----BEGIN KEY-----\nline\n"
    workflows.write("hello.txt", "hello")
    return workflows


def test_an_action_of_another_repository_runs_with_what_it_was_given(small: Workflows) -> None:
    assert small.workflow(WORKFLOW) == ["deployment: false", "queue: max"]
    ran = small(reason=HOSTILE)
    journal = ran.journal
    assert (ran.code, journal.job) == (0, "success")
    assert (journal.result("small"), journal.result("small/go")) == ("success", "success")
    assert [HOSTILE, "-----BEGIN KEY-----\nline\n", small.token] == json.loads(journal.outputs("small")["said"])
    assert f"*** is in acme/bot alice {small.api_url}\n" in journal.said("small/go")
    assert "hello.txt" in journal.said("small/go")
    assert journal.annotations == [Annotation("warning", "Small", "look here")]
    assert journal.summary == "# Last\n"
    assert not list(ran.left.parent.rglob("canary"))


def test_a_cancel_reaches_the_program_itself_and_the_last_step_runs(small: Workflows) -> None:
    small.workflow(WORKFLOW)
    running = small.start(reason="wait")
    wait_until(lambda: any(running.directory.rglob("waiting")), 60, "the program waiting")
    running.cancel("small.py")
    ran = running.end()
    assert ran.journal.said("small/go").endswith("stopped\n")
    assert ran.journal.said("small/last") == "after it\n"
    assert (ran.code, ran.journal.result("small/go"), ran.journal.job) == (1, "failure", "failure")
