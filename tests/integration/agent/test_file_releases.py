"""Releases that are files, as of a Java service: current leads to one, and each is listed, sealed and switched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rollback_ops.core.journal import read_journal
from tests.support.agent_sandbox import BAD, RUN
from tests.support.breakglass_sandbox import Standalone

# The service is a file with the text of the release that it was started from.
COMMANDS = {
    "start": 'cat current >"$ROLLBACK_ROOT/running"',
    "stop": 'rm "$ROLLBACK_ROOT/running"',
    "status": 'test -e "$ROLLBACK_ROOT/running"',
}
OLD, LIVE = "app-1.9.jar", "app-1.10.jar"


@pytest.fixture
def sandbox(shell: str, tmp_path: Path) -> Standalone:
    found = Standalone(tmp_path, shell, COMMANDS)
    for name in ("r1", "r2", "r3"):
        (found.releases / name / "app").unlink()
        (found.releases / name).rmdir()
    for name in (OLD, LIVE):
        (found.releases / name).write_text(f"the program of {name}\n")
    found.current.unlink()
    found.current.symlink_to(f"releases/{LIVE}")
    return found


def problems(sandbox: Standalone) -> dict[str, str]:
    return {release.name: release.problem for release in sandbox.host.survey().releases}


def test_files_are_the_releases_where_current_leads_to_one(sandbox: Standalone) -> None:
    (sandbox.releases / "empty.jar").touch()
    (sandbox.releases / "unpacked").mkdir()

    survey = sandbox.host.survey()
    assert (survey.live.state, survey.live.name) == ("release", LIVE)
    found = problems(sandbox)
    assert [found[OLD], found[LIVE]] == ["", ""]
    assert found["empty.jar"]
    assert found["unpacked"]


def test_a_file_is_switched_and_stays_what_was_verified(sandbox: Standalone) -> None:
    result, steps = sandbox.switch(OLD, source=f"releases/{LIVE}")

    assert (result.outcome, result.live) == ("switched", OLD)
    assert sandbox.current.readlink() == Path("releases") / OLD
    assert sandbox.running() == f"the program of {OLD}"
    assert [step.outcome for step in steps] == ["ok"] * len(steps)
    assert sandbox.host.ask(RUN).live == OLD


def test_a_file_is_sealed_and_one_that_was_changed_since_is_found(sandbox: Standalone) -> None:
    assert sandbox.host.seal(OLD) == 1
    inspection = sandbox.host.inspect(OLD)
    assert (inspection.sealed, inspection.broken) == (True, "")

    with (sandbox.releases / OLD).open("a") as file:
        file.write("more\n")
    assert OLD in sandbox.host.inspect(OLD).broken


def test_a_mark_belongs_to_the_file_and_not_to_its_name(sandbox: Standalone) -> None:
    sandbox.host.record(RUN, {OLD: BAD}, "")
    assert {r.name: r.mark for r in sandbox.host.survey().releases}[OLD] == "bad"
    (sandbox.releases / "new").write_text("another program\n")
    (sandbox.releases / "new").rename(sandbox.releases / OLD)
    assert {r.name: r.mark for r in sandbox.host.survey().releases}[OLD] == ""


def test_files_are_the_releases_also_where_current_leads_nowhere(sandbox: Standalone) -> None:
    sandbox.current.unlink()
    sandbox.current.symlink_to("releases/app-1.11.jar")
    survey = sandbox.host.survey()
    assert (survey.live.state, survey.live.name) == ("dangling", "app-1.11.jar")
    assert set(problems(sandbox).values()) == {""}


def test_current_may_lead_to_a_file_inside_of_a_release(sandbox: Standalone) -> None:
    for name in ("1", "2", "3"):
        (sandbox.releases / name).mkdir()
        (sandbox.releases / name / ("app" if name < "3" else "other")).write_text(f"the program of {name}\n")
    sandbox.current.unlink()
    sandbox.current.symlink_to("releases/2/app")

    survey = sandbox.host.survey()
    assert (survey.live.state, survey.live.name) == ("release", "2")
    found = problems(sandbox)
    assert (found["1"], "app" in found["3"], bool(found[OLD])) == ("", True, True)
    result, _ = sandbox.switch("1", source="releases/2/app")
    assert (result.outcome, sandbox.current.readlink()) == ("switched", Path("releases/1/app"))


def test_a_person_on_the_host_rolls_a_file_back_too(sandbox: Standalone) -> None:
    listed = sandbox.break_glass("--list")
    assert OLD in listed.stdout
    done = sandbox.break_glass("--reason", "logins fail")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sandbox.running() == f"the program of {OLD}"
    records, _ = read_journal((sandbox.store / "journal.jsonl").read_text().splitlines())
    assert json.loads(records[0].line())["to"]["release"] == OLD
