"""The steps around the program: what they refuse, how a cancel reaches it, what they leave behind."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.action_steps import PYTHON, Job

INPUTS = {
    "ROLLBACK_COMMAND": "rollback",
    "ROLLBACK_ENVIRONMENT": "prod",
    "ROLLBACK_RECORD_DEPLOYMENT": "true",
    "ROLLBACK_UPLOAD_ARTIFACT": "true",
}
COMMANDS = (
    "rollback",
    "shards",
    "merge",
    "list",
    "check",
    "verify",
    "guard",
    "preview",
    "seal",
    "resume",
    "hold",
    "gate",
    "arm",
    "confirm",
    "advise",
    "outlook",
    "drill",
    "history list",
    "history stats",
    "history log",
    "schedule add",
    "schedule list",
    "schedule cancel",
    "schedule run",
)


# --- before anything else -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_list_may_be_asked_for(job: Job, command: str) -> None:
    assert job.step("check.sh", **(INPUTS | {"ROLLBACK_COMMAND": command})).returncode == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROLLBACK_COMMAND", "finish"),
        ("ROLLBACK_COMMAND", ""),
        ("ROLLBACK_COMMAND", "rollback --emergency"),
        ("ROLLBACK_COMMAND", "list\nrollback"),
        ("ROLLBACK_COMMAND", "$(touch canary)\n::set-output name=x::y"),
        ("ROLLBACK_ENVIRONMENT", ""),
        ("ROLLBACK_RECORD_DEPLOYMENT", "perhaps"),
        ("ROLLBACK_UPLOAD_ARTIFACT", "TRUE"),
    ],
)
def test_an_input_that_makes_no_sense_is_refused_without_being_repeated(job: Job, variable: str, value: str) -> None:
    done = job.step("check.sh", **(INPUTS | {variable: value}))
    assert (done.returncode, done.stdout.count("\n")) == (64, 1)
    assert done.stdout.startswith("::error title=Rollback Ops::")
    assert not value or value not in done.stdout


# --- prepare --------------------------------------------------------------------------------------------------------


def test_a_python_that_is_too_old_is_named_as_the_reason(job: Job, tmp_path: Path) -> None:
    old = tmp_path / "python3.8"
    old.write_text(f'#!/bin/sh\nexec {PYTHON} -I -c "import sys; sys.version_info = (3, 8); exec(sys.argv[1])" "$3"\n')
    old.chmod(0o755)
    done = job.step("prepare.sh", ROLLBACK_PYTHON_PATH=str(old))
    assert (done.returncode, "3.11" in done.stdout) == (1, True), done


def test_a_python_that_is_not_there_is_named_as_the_reason(job: Job) -> None:
    done = job.step("prepare.sh", ROLLBACK_PYTHON_PATH="/no/such/python")
    assert (done.returncode, "There is no such Python" in done.stdout) == (1, True), done


def test_each_use_in_a_job_has_a_private_directory_of_its_own(job: Job) -> None:
    job.prepare()
    first = Path(job.outputs["record"])
    job.prepare("guard")
    second = Path(job.outputs["record"])
    assert first.parent != second.parent
    assert {stat.S_IMODE(record.parent.stat().st_mode) for record in (first, second)} == {0o700}


def test_only_what_writes_a_record_has_one(job: Job) -> None:
    job.prepare("check")
    assert job.outputs["record"] == ""


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "rollback-prod-4711-2"),
        ({"environment": "prod/eu:1\n::error::x"}, "rollback-prod-eu-1---error--x-4711-2"),
        ({"ROLLBACK_ARTIFACT_NAME": ' my "record"*?.json '}, "my--record---.json"),
        ({"ROLLBACK_ARTIFACT_NAME": "n" * 500}, "n" * 200),
    ],
)
def test_the_artifacts_name_is_one_that_github_takes(job: Job, given: dict[str, str], name: str) -> None:
    job.prepare(**({"environment": "prod"} | given))
    assert job.outputs["artifact"] == name


def test_the_second_record_of_a_job_has_another_name(job: Job) -> None:
    for command, name in (("list", ""), ("rollback", ""), ("check", ""), ("guard", "-2")):
        job.prepare(command)
        assert command in ("list", "check") or job.outputs["artifact"] == f"rollback-here-4711-2{name}"


# --- the program ----------------------------------------------------------------------------------------------------


def test_the_steps_exit_code_is_the_programs_and_the_record_is_where_it_was_said(ready: Job) -> None:
    done = ready.step("run.sh", **ready.program(ROLLBACK_REASON="v2 is broken"))
    assert done.returncode == 0, done
    record = json.loads(Path(ready.outputs["record"]).read_text())
    assert (record["outcome"], record["to"]["release"], record["reason"]) == ("succeeded", "v1", "v2 is broken")
    again = ready.step("run.sh", **ready.program(ROLLBACK_REASON="v1 is broken too"))
    assert again.returncode == 1, again


def test_a_preview_prints_the_hash_that_an_approved_rollback_takes(ready: Job) -> None:
    shown = ready.step("run.sh", **ready.program(ROLLBACK_COMMAND="preview"))
    assert (shown.returncode, "returns to v1" in shown.stdout) == (0, True), shown
    approved = re.findall(r"--approved ([0-9a-f]{16})", shown.stdout)[0]
    for given, code in (("0" * 16, 1), (approved, 0)):
        done = ready.step("run.sh", **ready.program(ROLLBACK_REASON="v2 is broken", ROLLBACK_APPROVED=given))
        assert done.returncode == code, done


def test_the_environment_narrows_a_history_that_is_listed(ready: Job) -> None:
    assert ready.step("run.sh", **ready.program(ROLLBACK_REASON="v2 is broken")).returncode == 0
    for command, told in (("history list", "v2 is broken"), ("history stats", "1 of 1 succeeded")):
        done = ready.step("run.sh", **ready.program(ROLLBACK_COMMAND=command))
        assert (done.returncode, told in done.stdout) == (0, True), done


def test_a_cancel_of_the_shell_reaches_the_program_itself(ready: Job) -> None:
    settings = ready.workspace / "rollback.toml"
    settings.write_text(settings.read_text().replace("grep -qx {release} VERSION", "false"))
    with ready.start("run.sh", **ready.program(ROLLBACK_REASON="v2 is broken")) as process:
        assert process.stderr is not None
        while "verify:" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(Path(ready.outputs["record"]).read_text())["outcome"] == "cancelled"


def test_no_secret_reaches_the_disk_or_the_output(ready: Job, tmp_path: Path) -> None:
    ready.prepare(environment="unreachable")
    address = "http://127.0.0.1:1/hooks/T0P/S3CRET"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    key = (tmp_path / "key").read_text()
    secrets = {"ROLLBACK_SSH_KEY": key, "ROLLBACK_WEBHOOK_URL": address, "GITHUB_TOKEN": "ghs_t0k3n"}
    asked = {"ROLLBACK_ENVIRONMENT": "unreachable", "ROLLBACK_LOCAL": "", "ROLLBACK_REASON": "v2 is broken"}
    done = ready.step("run.sh", **ready.program(**secrets, **asked))
    assert done.returncode == 1, done
    written = [path.read_text(errors="replace") for path in ready.temporary.rglob("*") if path.is_file()]
    assert len(written) > 1
    for secret in (*key.splitlines()[1:-1], "S3CRET", "ghs_t0k3n"):
        assert secret not in done.stdout + done.stderr
        assert not any(secret in text for text in written)


# --- the last step --------------------------------------------------------------------------------------------------


def finish(job: Job, record: str = '{"outcome": "succeeded"}', **environ: str) -> None:
    """The last step where the libraries are gone: what is done of it without the program."""
    job.prepare()
    job.outputs["libraries"] = str(job.temporary / "gone")
    (Path(job.outputs["temporary"]) / "left").write_text("behind")
    Path(job.outputs["record"]).write_text(record)
    given = {"ROLLBACK_UPLOAD_ARTIFACT": "true", **environ}
    done = job.step("finish.sh", **job.program(**given))
    assert done.returncode == 0, done


@pytest.mark.parametrize(
    ("given", "uploaded"),
    [
        ({}, True),
        ({"GITHUB_SERVER_URL": "https://octo.ghe.com"}, True),
        ({"GITHUB_SERVER_URL": "https://github.example.org"}, False),
        ({"GITHUB_SERVER_URL": "https://github.com.example.org"}, False),
        ({"ROLLBACK_UPLOAD_ARTIFACT": "false"}, False),
        ({"record": ""}, False),
    ],
)
def test_the_record_is_uploaded_where_the_server_takes_it(job: Job, given: dict[str, str], uploaded: bool) -> None:
    finish(job, **given)
    assert job.outputs.get("upload") == ("true" if uploaded else None)


def test_what_is_temporary_goes_and_the_record_stays(job: Job) -> None:
    finish(job)
    assert not Path(job.outputs["temporary"]).exists()
    assert Path(job.outputs["record"]).exists()


def test_a_job_that_never_got_to_the_program_ends_well(job: Job) -> None:
    job.prepare()
    given = {"ROLLBACK_UPLOAD_ARTIFACT": "true", **job.program()}
    assert job.step("finish.sh", **given).returncode == 0
    assert "upload" not in job.outputs


def test_a_record_that_cannot_be_completed_is_a_warning_and_is_uploaded_all_the_same(ready: Job) -> None:
    Path(ready.outputs["record"]).write_text("{")
    done = ready.step("finish.sh", **ready.program(ROLLBACK_UPLOAD_ARTIFACT="true", ROLLBACK_RECORD_DEPLOYMENT="true"))
    assert (done.returncode, ready.outputs["upload"]) == (0, "true"), done
    assert "Traceback" not in done.stderr
