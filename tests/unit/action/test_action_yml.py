"""action.yml, the workflows, the settings' variables and the documents say the same."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from rollback_ops.cli.app import app
from rollback_ops.config.asked import TRIGGERS
from rollback_ops.config.load import settings_path
from rollback_ops.config.request import Request
from rollback_ops.config.secrets import Secrets
from tests.integration.action.test_steps import COMMANDS
from tests.support.project import PROJECT
from tests.unit.test_docs import codes, commands_in, section, table

WORKFLOWS = sorted(PROJECT.glob(".github/workflows/*.yml"))
FILES = [PROJECT / "action.yml", *WORKFLOWS]
EXAMPLES = sorted(PROJECT.glob("docs/workflows/*.yml"))
GUIDE = (PROJECT / "docs/action.md").read_text()
ACTION = yaml.safe_load((PROJECT / "action.yml").read_text())

# From the contract, to the letter.
INPUTS = [
    "environment", "command", "service", "group", "release", "backup", "reason", "bad", "approved", "emergency",
    "dry-run", "if-current", "region", "exclude-region", "wait", "ignore-deploy-lock", "trigger", "for", "lift",
    "revision", "since", "rehearse", "at", "not-after", "id", "size", "plan", "shard", "records", "config",
    "ssh-key", "ssh-key-passphrase", "ssh-certificate",
    "known-hosts",
    "webhook-url", "webhook-format", "metrics-token", "advisor-key", "token",
    "record-deployment", "upload-artifact", "artifact-name",
    "python-path",
]  # fmt: skip
OUTPUTS = [
    "outcome", "exit-code", "from", "to", "rolled-back", "decision", "hash", "deployment-id", "deployment-url",
    "record", "artifact-url", "duration-seconds", "regions",
]  # fmt: skip
# What the action's own steps need, and the program does not.
OF_THE_STEPS = {"command", "upload-artifact", "artifact-name", "python-path"}
# What only workflows to copy use, or use in a newer version: only that one uploads a page that a browser opens.
ONLY_TO_COPY = {"actions/upload-artifact", "actions/upload-pages-artifact", "actions/deploy-pages"}

Step = dict[str, Any]


def steps_of(document: dict[str, Any]) -> Iterator[Step]:
    yield from document.get("runs", {}).get("steps", ())
    for job in document.get("jobs", {}).values():
        yield from job.get("steps", ())


def named(name: str) -> Step:
    return next(step for step in steps_of(ACTION) if step["name"] == name)


def variable_of(name: str) -> str:
    return "GITHUB_TOKEN" if name == "token" else f"ROLLBACK_{name.upper().replace('-', '_')}"


# --- inputs and outputs ---------------------------------------------------------------------------------------------


def test_the_inputs_and_outputs_are_those_of_the_contract() -> None:
    assert list(ACTION["inputs"]) == INPUTS
    assert list(ACTION["outputs"]) == OUTPUTS


def test_each_input_becomes_one_variable_and_the_callers_own_serves_where_it_is_empty() -> None:
    given = named("Rollback Ops")["env"]
    for name in [name for name in INPUTS if name not in OF_THE_STEPS]:
        alone = f"${{{{ inputs.{name} }}}}"
        with_the_callers = f"${{{{ inputs.{name} || env.{variable_of(name)} }}}}"
        assert given[variable_of(name)] == (alone if "default" in ACTION["inputs"][name] else with_the_callers)
    others = set(given) - {variable_of(name) for name in INPUTS}
    assert others == {"ACTION_PYTHON", "ACTION_LIBRARIES", "TMPDIR", "ROLLBACK_RECORD"}


def test_every_step_gives_an_input_the_same_variable() -> None:
    given = named("Rollback Ops")["env"]
    for step in steps_of(ACTION):
        for variable, value in step.get("env", {}).items():
            (name,) = re.findall(r"inputs\.([a-z-]+)", value) or [""]
            assert value == given.get(variable, value)
            assert not name or variable == variable_of(name)


@pytest.mark.parametrize("name", [name for name in INPUTS if name not in OF_THE_STEPS])
def test_the_program_understands_the_variable_of_each_input(name: str) -> None:
    words = {"trigger": "log-error", "webhook-format": "teams", "wait": "2m", "for": "2m", "approved": "a" * 12}
    words |= {"since": "2026-11-27T10:00:00Z", "rehearse": "7d"}
    words |= {"size": "2", "shard": "2"}
    words |= dict.fromkeys(("bad", "emergency", "dry-run", "lift", "ignore-deploy-lock", "record-deployment"), "true")
    value = words.get(name, "x")
    asked, base = {variable_of(name): value}, {"ROLLBACK_ENVIRONMENT": "prod"}
    if name == "config":
        assert settings_path(asked) == Path("x")
    else:
        assert Request.build(base | asked) != Request.build(base) or Secrets.read(asked) != Secrets()


@pytest.mark.parametrize("output", [name for name in OUTPUTS if name != "artifact-url"])
def test_each_output_is_set_by_the_program_or_completed_by_the_last_step(output: str) -> None:
    value = f"${{{{ steps.rollback.outputs.{output} || steps.finish.outputs.{output} }}}}"
    assert ACTION["outputs"][output]["value"] == value
    sources = "".join(path.read_text() for path in PROJECT.glob("rollback_ops/**/*.py"))
    assert f'"{output}"' in sources


def test_the_documents_have_a_row_for_each_input_with_its_default() -> None:
    documented = {codes(name)[0]: codes(default) for name, default, _ in table(section(GUIDE, "Inputs"), "input")}
    defaults = {
        "token": ["github.token"],
        "command": ["rollback"],
        "record-deployment": ["true"],
        "upload-artifact": ["true"],
    }
    assert documented == {name: defaults.get(name, []) for name in INPUTS}
    actual = {
        name: [re.sub(r"\$\{\{ (.*) \}\}", r"\1", i["default"])]
        for name, i in ACTION["inputs"].items()
        if "default" in i
    }
    assert actual == defaults


def test_the_documents_have_a_row_for_each_output() -> None:
    assert [codes(name)[0] for name, _ in table(section(GUIDE, "Outputs"), "output")] == OUTPUTS


def test_the_commands_are_the_same_everywhere() -> None:
    check = (PROJECT / "action/check.sh").read_text()
    (listed,) = re.findall(r"^ *(rollback \| .*)\) ;;$", check, re.MULTILINE)
    assert tuple(word.strip(" '") for word in listed.split("|")) == COMMANDS
    (row,) = [row for row in table(section(GUIDE, "Inputs"), "input") if row[0] == "`command`"]
    assert tuple(codes(row[2])) == COMMANDS


def test_the_marketplace_takes_it() -> None:
    """Its rules: a name, a description of at most 125 characters, an icon and a colour."""
    assert len(ACTION["description"]) <= 125
    assert set(ACTION["branding"]) == {"icon", "color"}
    inputs = [told for name, told in ACTION["inputs"].items() if name != "command"]
    assert all(len(told["description"]) <= 125 for told in (*inputs, *ACTION["outputs"].values()))


def test_the_lock_file_has_each_dependency_in_a_version_that_is_asked_for() -> None:
    lock = (PROJECT / "action/requirements.lock").read_text()
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock, re.MULTILINE))
    for line in tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]:
        asked = Requirement(line)
        assert locked[asked.name.lower()] in asked.specifier
    assert len(re.findall(r"^[a-z].*\\\n    --hash=sha256:[0-9a-f]{64}", lock, re.MULTILINE)) >= len(locked)
    assert "://" not in lock


# --- what a workflow may not do -------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_no_expression_stands_in_a_command_line(file: Path) -> None:
    for step in steps_of(yaml.safe_load(file.read_text())):
        assert "${{" not in step.get("run", ""), step


def test_every_script_takes_the_place_of_its_shell() -> None:
    ours = [step for step in steps_of(ACTION) if "run" in step and step["name"] != "Refuse other systems"]
    for step in ours:
        assert re.fullmatch(r'exec sh "\$GITHUB_ACTION_PATH/action/[a-z]+\.sh"', step["run"]), step
        assert step["shell"] == "sh"
    scripts = {re.search(r"action/([a-z]+\.sh)", step["run"]).group(1) for step in ours}  # type: ignore[union-attr]
    assert scripts == {path.name for path in PROJECT.glob("action/*.sh")}


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit_and_says_which_version_that_is(file: Path) -> None:
    for line in re.findall(r"uses: (.*)", file.read_text()):
        assert re.fullmatch(r"\./|\$/(\.github/workflows/[\w-]+\.yml)?", line) or re.fullmatch(
            r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line
        ), line


def test_an_action_is_pinned_to_one_version_everywhere() -> None:
    used = {line for file in FILES for line in re.findall(r"uses: ([^.$].*)", file.read_text())}
    assert len(used) == len({line.partition("@")[0] for line in used})
    examples = "".join(path.read_text() for path in EXAMPLES)
    shown = {line for line in re.findall(r"uses: (.*)", examples) if not line.startswith("OWNER/")}
    others = {line for line in shown - used if line.partition("@")[0] in ONLY_TO_COPY}
    assert shown <= used | others
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in others)
    assert len(others) == len({line.partition("@")[0] for line in others})


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_permissions_but_those_of_its_jobs_and_ends(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        # A bake is as long as the settings say, and a called workflow has jobs of its own.
        assert name == "gate" or "uses" in job or job["timeout-minutes"] <= 45
        assert "permissions" in job


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_no_checkout_leaves_its_token_behind(file: Path) -> None:
    for step in steps_of(yaml.safe_load(file.read_text())):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_deployments_and_rollbacks_wait_for_each_other_and_none_is_dropped() -> None:
    groups = [yaml.safe_load((PROJECT / f".github/workflows/{name}.yml").read_text())["concurrency"] for name in
              ("manual-rollback", "deploy-example")]  # fmt: skip
    assert groups == [{"group": "deploy-${{ inputs.environment }}", "cancel-in-progress": False, "queue": "max"}] * 2


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_gives_the_action_what_it_takes(file: Path) -> None:
    for step in steps_of(yaml.safe_load(file.read_text())):
        if step.get("uses") in ("./", "$/"):
            takes_what_it_is_given(step["with"])
    never_without_a_release(list(steps_of(yaml.safe_load(file.read_text()))))


def never_without_a_release(steps: list[Step]) -> None:
    """An empty if-current is none: a step that is given it by another one is not reached where it is empty."""
    for number, step in enumerate(steps):
        for source in re.findall(r"\$\{\{ (.*) \}\}", step.get("with", {}).get("if-current", "")):
            asked = [earlier["env"] for earlier in steps[:number] if "test -n" in earlier.get("run", "")]
            before = {value for variables in asked for value in variables.values()}
            assert f"&& {source} != ''" in step.get("if", "") or f"${{{{ {source} }}}}" in before


def takes_what_it_is_given(given: dict[str, str]) -> None:
    assert set(given) <= set(INPUTS)
    assert given["environment"]
    assert given.get("command", "rollback") in (*COMMANDS, "${{ inputs.command }}")
    assert "trigger" not in given or "${{" in given["trigger"] or given["trigger"] in TRIGGERS


# --- the workflows to copy ------------------------------------------------------------------------------------------
# `make check` runs actionlint, zizmor and the validator of their form on them.


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_a_workflow_to_copy_keeps_the_same_rules(example: Path) -> None:
    workflow = yaml.safe_load(example.read_text())
    steps = list(steps_of(workflow))
    ours = [step["with"] for step in steps if step.get("uses") == "OWNER/rollback-ops@REF"]
    called = [job for job in workflow["jobs"].values() if job.get("uses", "").startswith("OWNER/rollback-ops/")]
    cloned = any(step.get("with", {}).get("repository") == "OWNER/rollback-ops" for step in steps)
    assert ours or called or cloned
    for job in called:
        path, _, version = job["uses"].removeprefix("OWNER/rollback-ops/").partition("@")
        inputs = yaml.safe_load((PROJECT / path).read_text())[True]["workflow_call"]["inputs"]
        needed = {name for name, each in inputs.items() if each["required"]}
        assert needed <= set(job["with"]) <= set(inputs)
        assert version == "REF"
    for given in ours:
        takes_what_it_is_given(given)
    assert workflow["permissions"] == {}
    assert not any("${{" in step.get("run", "") for step in steps)
    never_without_a_release(steps)


@pytest.mark.parametrize("example", [path for path in EXAMPLES if "dashboard" in path.name], ids=lambda path: path.name)
def test_a_workflow_of_a_dashboard_types_commands_that_exist_and_gives_the_token_to_nothing_else(example: Path) -> None:
    steps = list(steps_of(yaml.safe_load(example.read_text())))
    (page,) = [step for step in steps if "GITHUB_TOKEN" in step.get("env", {})]
    line = next(part for part in page["run"].replace("\\\n", " ").splitlines() if "rollback-ops" in part)
    name, *arguments = next(commands_in(re.sub(r'"[^" ]*/rollback-ops"', "rollback-ops", line)))
    assert app.commands[name].make_context(name, arguments).params["out"]


def test_there_is_a_workflow_to_copy_for_each_way_in() -> None:
    triggers = {trigger for example in EXAMPLES for trigger in yaml.safe_load(example.read_text())[True]}
    assert {"workflow_dispatch", "push", "schedule", "repository_dispatch"} <= triggers
