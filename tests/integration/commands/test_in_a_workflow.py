"""In a step of a GitHub workflow: what the runner obeys, what the run shows, and that nobody else can speak to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rollback_ops.core.outcome import KILLED
from tests.support.command import Ended, RollbackOps
from tests.support.markdown_reader import headings, kinds, links
from tests.support.on_this_machine import OwnService
from tests.support.pseudo_runner import PseudoRunner, outputs
from tests.support.records import USUAL, record
from tests.support.scene import QUICK, evident

FORGED_LOG = (
    "::error::forged by the service",
    "all is well ##[error]forged",
    "  ::set-output name=to::forged",
    "##[add-path]/forged",
)
EVIL = (
    "$(touch canary) `touch canary` ::set-output name=to::forged ##[error]forged </details> <!channel> @here "
    "![x](http://evil.example/x.png) acme_1234 🚑"
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\nAAAAsecondline\n-----END OPENSSH PRIVATE KEY-----"
SECRETS = {
    "ROLLBACK_SSH_KEY": KEY,
    "ROLLBACK_SSH_KEY_PASSPHRASE": "correct horse",
    "GITHUB_TOKEN": "not-a-token-that-shows-what-it-is",
}


@dataclass
class Run:
    """One step, as its runner sees it: both outputs in one stream."""

    code: int
    merged: str
    runner: PseudoRunner
    outputs: dict[str, str]
    summary: str


@dataclass
class Workflow:
    directory: Path

    def __call__(self, *arguments: str, **variables: str) -> Run:
        files = {
            name: self.directory / name
            for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")
        }
        for file in files.values():
            file.write_text("")
        environment = RollbackOps(self.directory).environment(
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_REPOSITORY": "o/r",
                "GITHUB_RUN_ID": "1",
                "GITHUB_ACTOR": "alice",
                "ROLLBACK_RECORD_DEPLOYMENT": "false",
                **{name: str(file) for name, file in files.items()},
                **SECRETS,
                **variables,
            }
        )
        done = subprocess.run(
            [sys.executable, "-m", "rollback_ops", *arguments],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=90,
            check=False,
        )
        assert files["GITHUB_ENV"].read_text() == files["GITHUB_PATH"].read_text() == ""
        assert not list(self.directory.rglob("canary"))
        told = outputs(files["GITHUB_OUTPUT"].read_text())
        return Run(
            done.returncode,
            done.stdout,
            PseudoRunner().read(done.stdout),
            told,
            files["GITHUB_STEP_SUMMARY"].read_text(),
        )


@pytest.fixture
def service(tmp_path: Path) -> Iterator[OwnService]:
    with OwnService(tmp_path / "bot", {"b1": "healthy", "b2": "healthy", "b3": "unhealthy"}) as running:
        for name in ("b2", "b3"):
            (running.root / "releases" / name / "REVISION").write_text(COMMIT[::-1] if name == "b3" else COMMIT)
        yield running


@pytest.fixture
def workflow(tmp_path: Path, service: OwnService) -> Workflow:
    settings(tmp_path, service)
    return Workflow(tmp_path)


def settings(directory: Path, service: OwnService, **more: Any) -> None:
    logs = "printf '%s\\n' " + " ".join(f"'{line}'" for line in FORGED_LOG)
    words = {"verify": QUICK, "commands": {**service.commands, "logs": logs}, "mask": ["acme_[0-9]{4}"], **more}
    RollbackOps(directory).settings(service.toml(**words))


def assert_nothing_is_forged(run: Run) -> None:
    runner = run.runner
    assert set(runner.names()) <= {"group", "endgroup", "error", "warning", "notice"}
    for level in ("error", "warning", "notice"):
        assert not any(data.startswith("forged") for data in runner.told(level))
    assert sum(runner.names().count(level) for level in ("error", "warning", "notice")) == 1
    # Each output has a pipe of its own to the runner, and no line of the one waits for a fence in the other.
    for line in runner.log:
        assert PseudoRunner().read(line).obeyed == []
    assert runner.stopped == ""
    assert run.outputs.get("to", "") in ("", "b2")
    assert not links(run.summary.replace("https://github.com/o/r", "")) or kinds(run.summary) <= {
        *("text", "softbreak", "code_inline", "link_open", "link_close")
    }
    assert all(link.startswith("https://github.com/o/r/") for link in links(run.summary))


def assert_no_secret_got_out(run: Run, *files: Path) -> None:
    shown = "\n".join([*run.runner.log, run.summary, json.dumps(run.outputs), *(file.read_text() for file in files)])
    for secret in ("b3BlbnNzaC1rZXktdjEA", "AAAAsecondline", "correct horse", SECRETS["GITHUB_TOKEN"], "acme_1234"):
        assert secret not in shown


def test_a_rollback_is_shown_in_the_run(workflow: Workflow) -> None:
    file = workflow.directory / "record.json"

    run = workflow("rollback", "prod", "--local", ROLLBACK_REASON="logins fail", ROLLBACK_RECORD=str(file))

    assert run.code == 0, run.merged
    assert float(run.outputs.pop("duration-seconds")) > 0
    assert run.outputs == {
        "outcome": "succeeded",
        "exit-code": "0",
        "from": "b3",
        "to": "b2",
        "rolled-back": "true",
        "decision": "",
        "deployment-id": "",
        "deployment-url": "",
        "record": str(file),
    }
    groups = [title.partition(":")[0] for title in run.runner.told("group")]
    assert groups == ["survey", "plan", "switch", "verify"]
    (notice,) = run.runner.told("notice")
    assert notice.startswith("✓ ")
    assert "b3 → b2" in notice
    assert notice.splitlines()[0] in "\n".join(run.runner.log)
    assert f"[`{COMMIT[:12]}`](https://github.com/o/r/commit/{COMMIT})" in run.summary
    assert f"https://github.com/o/r/compare/{COMMIT}...{COMMIT[::-1]}" in run.summary
    assert "https://github.com/o/r/actions/runs/1" in run.summary
    assert_nothing_is_forged(run)


def test_what_people_and_services_write_is_text_and_secrets_stay_secret(
    workflow: Workflow, service: OwnService
) -> None:
    (service.root / "releases" / "b2" / "behaviour").write_text("unhealthy")
    settings(workflow.directory, service, **evident(service))
    file = workflow.directory / "record.json"
    reason = f"{EVIL} {SECRETS['ROLLBACK_SSH_KEY_PASSPHRASE']} {SECRETS['GITHUB_TOKEN']}"

    run = workflow("rollback", "prod", "--local", ROLLBACK_REASON=reason, ROLLBACK_RECORD=str(file))

    assert run.code == 2, run.merged
    assert run.outputs["outcome"] == "verification_failed"
    assert any("forged by the service" in line for line in run.runner.log), run.merged
    assert_nothing_is_forged(run)
    on_the_host = [path for path in (service.root / ".rollback").rglob("*") if path.is_file()]
    assert "journal.jsonl" in [path.name for path in on_the_host]
    assert_no_secret_got_out(run, file, *on_the_host)
    assert "*** ***" in json.loads(file.read_text())["reason"]
    assert run.runner.masked[:2] == ["b3BlbnNzaC1rZXktdjEA", "AAAAsecondline"]
    assert run.merged.startswith("::add-mask::")


def test_a_reason_of_5000_characters_is_cut_where_nobody_typed_it(workflow: Workflow) -> None:
    reason = f"{EVIL} " + "x" * 5_000

    run = workflow("rollback", "prod", "--local", "--trigger", "log-error", ROLLBACK_REASON=reason)

    assert run.code == 0, run.merged
    assert run.runner.names().count("warning") == 1, "it worked, and there is a warning"
    assert len(run.summary) < 20_000
    assert_nothing_is_forged(run)
    assert_no_secret_got_out(run)


def test_a_reason_of_5000_characters_that_somebody_typed_is_wrong_usage(workflow: Workflow) -> None:
    run = workflow("rollback", "prod", "--local", ROLLBACK_REASON=EVIL + "x" * 5_000)

    assert run.code == 64
    assert run.outputs == {"outcome": "", "exit-code": "64"}
    (error,) = run.runner.told("error")
    assert "5," in error
    assert headings(run.summary) == ["❌ Not done"]
    assert_nothing_is_forged(run)


@pytest.mark.parametrize(
    "arguments", [["rollback", "--no\n::error::forged"], ["::error::forged"], ["rollback", "a", "\n##[error]forged"]]
)
def test_what_was_typed_wrong_cannot_speak_to_the_runner(workflow: Workflow, arguments: list[str]) -> None:
    run = workflow(*arguments)

    assert run.code == 64
    assert run.outputs == {"outcome": "", "exit-code": "64"}
    assert "forged" not in " ".join(run.runner.told("error"))
    assert run.runner.names() == ["error"]


def test_a_record_on_standard_output_is_one_document_that_says_nothing_to_the_runner(workflow: Workflow) -> None:
    document, ended = _apart(workflow, "rollback", "prod", "--local", "--json", ROLLBACK_REASON=EVIL)

    assert ended.code == 0, ended.err
    assert document["reason"] == EVIL.replace("acme_1234", "***")
    runner = PseudoRunner().read(ended.out)
    assert (runner.obeyed, runner.tokens) == ([], [])


def test_the_patterns_of_the_settings_hold_outside_of_a_workflow_too(workflow: Workflow) -> None:
    document, ended = _apart(workflow, "rollback", "prod", "--local", "--json", "--reason", EVIL, GITHUB_ACTIONS="")
    assert document["reason"] == EVIL.replace("acme_1234", "***")
    assert "acme_1234" not in ended.err


def test_a_pattern_that_could_take_for_ever_is_refused_by_its_name(workflow: Workflow, service: OwnService) -> None:
    settings(workflow.directory, service, mask=["acme_[0-9]{4}", "(a+)+b"])
    run = workflow("list", "prod", "--local")
    assert run.code == 64
    (error,) = run.runner.told("error")
    assert 'services.bot.mask[1] = "(a+)+b"' in error


def test_outside_of_a_workflow_nothing_is_said_to_a_runner(workflow: Workflow) -> None:
    document, ended = _apart(workflow, "check", "prod", "--local", "--json", GITHUB_ACTIONS="")
    assert document["outcome"] == "nothing_to_do"
    assert "::" not in ended.err
    assert (workflow.directory / "GITHUB_OUTPUT").read_text() == ""


def test_a_list_is_a_page_and_no_annotation(workflow: Workflow) -> None:
    run = workflow("list", "prod", "--local")

    assert (run.code, run.outputs) == (0, {"outcome": "succeeded", "exit-code": "0"}), run.merged
    assert headings(run.summary) == ["✅ Releases: `prod`"]
    assert "b2" in run.summary
    assert run.runner.names() == []


def test_a_preview_is_a_page_and_has_the_hash_that_approves_its_plan(workflow: Workflow) -> None:
    run = workflow("preview", "prod", "--local")
    assert (run.code, run.outputs["from"], run.outputs["to"], len(run.outputs["hash"])) == (0, "b3", "b2", 64)
    assert ("Preview" in run.summary, run.outputs["hash"][:16] in run.summary) == (True, True)
    assert workflow("rollback", "prod", "--local", "--dry-run", "--approved", run.outputs["hash"]).code == 0


def test_a_verification_that_failed_is_a_page_and_an_error(workflow: Workflow, service: OwnService) -> None:
    settings(workflow.directory, service, **evident(service))

    run = workflow("verify", "prod", "--local")

    assert (run.code, run.outputs) == (2, {"outcome": "verification_failed", "exit-code": "2"}), run.merged
    assert headings(run.summary) == ["❌ Verification: `prod`"]
    (error,) = run.runner.told("error")
    assert error.startswith("✗ ")
    assert "localhost" in error


# --- the last step of the action -------------------------------------------------------------------------


def recorded(directory: Path, **words: Any) -> Path:
    file = directory / "record.json"
    file.write_text(record(**words).model_dump_json(by_alias=True))
    return file


def test_the_last_step_has_the_outputs_of_the_record_and_shows_nothing_twice(workflow: Workflow) -> None:
    file = recorded(workflow.directory, outcome="verification_failed", exit_code=2)

    run = workflow("finish", ROLLBACK_RECORD=str(file))

    assert run.code == 0, run.merged
    assert (run.outputs["outcome"], run.outputs["exit-code"], run.outputs["record"]) == (
        "verification_failed",
        "2",
        str(file),
    )
    assert (run.summary, run.runner.names()) == ("", [])


def test_the_last_step_shows_a_rollback_whose_program_was_killed(workflow: Workflow) -> None:
    host = {**USUAL["hosts"][0], "outcome": "unknown", "detail": KILLED}
    file = recorded(workflow.directory, outcome="cancelled", exit_code=143, hosts=[host])

    run = workflow("finish", ROLLBACK_RECORD=str(file))

    assert (run.code, run.outputs["outcome"]) == (0, "cancelled"), run.merged
    assert KILLED in run.summary
    assert run.runner.names() == ["error"]


def test_a_record_that_makes_no_sense_is_told_and_ends_nothing(workflow: Workflow) -> None:
    host = {**USUAL["hosts"][0], "outcome": "unknown", "detail": KILLED}
    file = recorded(workflow.directory, started_at="0001-01-01T00:00:00+23:59", hosts=[host])

    run = workflow("finish", ROLLBACK_RECORD=str(file))

    assert (run.code, run.outputs, run.summary) == (0, {}, ""), run.merged
    assert str(file) in run.merged


def test_the_last_step_says_nothing_of_its_own_end(workflow: Workflow) -> None:
    run = workflow("finish", ROLLBACK_RECORD=str(workflow.directory / "none.json"))

    assert (run.code, run.outputs, run.summary, run.runner.names()) == (0, {}, "", []), run.merged


def _apart(workflow: Workflow, *arguments: str, **variables: str) -> tuple[dict[str, Any], Ended]:
    """A step whose outputs are read apart."""
    files = {name: str(workflow.directory / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        Path(file).write_text("")
    environ = {"GITHUB_ACTIONS": "true", "ROLLBACK_RECORD_DEPLOYMENT": "false", **files, **variables}
    ended = RollbackOps(workflow.directory)(*arguments, **environ)
    return ended.document, ended
