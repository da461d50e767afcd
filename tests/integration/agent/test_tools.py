"""The marks and locks of deployment tools on a host, read and written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rollback_ops.core.gate import Candidate, candidate, objections
from rollback_ops.core.model import Release
from rollback_ops.core.plan import Plan, Refusal, Selection, make_plan
from tests.support.agent_sandbox import BAD, GOOD, Sandbox

RUN = "20240101T000000Z-00000001"
LONG_AGO = 1_500_000_000


@pytest.fixture
def sandbox(shell: str, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path, shell)


@pytest.fixture
def deployer(sandbox: Sandbox) -> Sandbox:
    (sandbox.root / ".dep").mkdir()
    return sandbox


def release(sandbox: Sandbox, name: str) -> Release:
    found = sandbox.host.survey().release(name)
    assert found is not None
    return found


def aged(path: Path) -> Path:
    os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    return path


@pytest.mark.parametrize("word", ["BAD_RELEASE", "DIRTY_RELEASE"])
def test_a_word_of_deployer_counts_as_the_mark_bad_until_something_newer_says_good(sandbox: Sandbox, word: str) -> None:
    sandbox.host.record(RUN, {"r1": GOOD}, "")
    (sandbox.releases / "r1" / word).write_text("ana\n")
    aged(sandbox.state / "marks" / "r1.good")
    found = release(sandbox, "r1")
    assert (found.mark, found.marked_by) == ("bad", "")
    assert word in found.marked_why
    aged(sandbox.releases / "r1" / word)
    sandbox.host.record(RUN, {"r1": GOOD}, "")
    assert release(sandbox, "r1").mark == "good"


def test_a_release_that_was_changed_by_hand_says_nothing_of_its_commit(sandbox: Sandbox) -> None:
    commit, place = "c27d5e9b18" + "0" * 30, sandbox.releases / "r3"
    (place / "REVISION").write_text(f"{commit}\n")
    sandbox.host.seal("r3")
    assert release(sandbox, "r3").revision == commit
    (place / "DIRTY_RELEASE").write_text("ana\n")
    sandbox.host.record(RUN, {"r3": BAD}, "")
    survey = sandbox.host.survey()
    found = survey.release("r3")
    assert found
    assert (found.mark, found.revision, found.sealed, survey.live.revision) == ("bad", "", True, "")
    assert "DIRTY_RELEASE" in sandbox.host.inspect("r3").broken
    for wanted, against in ((candidate(commit, "", {"test": [survey]}, "test"), 0), (Candidate("", "r3"), 1)):
        assert len(list(objections(wanted, {"test": [survey]}, "test", 0.0))) == against


def test_deployer_is_told_of_each_mark_and_the_time_of_the_release_stays(deployer: Sandbox) -> None:
    place = aged(deployer.releases / "r2")
    told = []
    for note in (BAD, BAD, GOOD, GOOD):
        deployer.host.record(RUN, {"r2": note}, "")
        told.append((place / "BAD_RELEASE").exists())
    deployer.host.mark_as(RUN, "r2", "bad", "it loses messages")
    told.append((place / "BAD_RELEASE").exists())
    deployer.host.mark_as(RUN, "r2", "clear", "it does not")
    told.append((place / "BAD_RELEASE").exists())
    assert told == [True, True, False, False, True, False]
    assert place.stat().st_mtime == LONG_AGO
    assert release(deployer, "r2").mark == ""


def test_other_tools_than_deployer_find_no_file_of_it(sandbox: Sandbox) -> None:
    sandbox.host.record(RUN, {"r2": BAD}, "")
    assert not (sandbox.releases / "r2" / "BAD_RELEASE").exists()


def test_a_link_in_place_of_the_mark_is_not_followed(deployer: Sandbox) -> None:
    victim = deployer.root / "victim"
    (deployer.releases / "r2" / "BAD_RELEASE").symlink_to(victim)
    deployer.host.record(RUN, {"r2": BAD}, "")
    assert not victim.exists()
    assert release(deployer, "r2").mark == "bad"


def test_the_mark_that_deployer_is_given_breaks_no_seal(deployer: Sandbox) -> None:
    deployer.host.seal("r2")
    deployer.host.record(RUN, {"r2": BAD}, "")
    assert deployer.host.inspect("r2").broken == ""
    (deployer.releases / "r2" / "DIRTY_RELEASE").write_text("ana\n")
    assert "DIRTY_RELEASE" in deployer.host.inspect("r2").broken


def test_the_revision_that_mina_writes_is_read(sandbox: Sandbox) -> None:
    (sandbox.releases / "r2" / ".mina_git_revision").write_text("5c6a1f0\n")
    assert release(sandbox, "r2").revision == "5c6a1f0"
    (sandbox.releases / "r2" / "REVISION").write_text("77aa01b\n")
    assert release(sandbox, "r2").revision == "77aa01b"


OF_CAPISTRANO = ("shared/deploy-lock.yml", "shared/capistrano.lock.yml", "capistrano.lock.yml")


@pytest.mark.parametrize("place", [".dep/deploy.lock", "deploy.lock", *OF_CAPISTRANO])
def test_a_lock_of_a_deployment_tool_holds_back_a_rollback(sandbox: Sandbox, place: str) -> None:
    lock = sandbox.root / place
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("ana\n")
    aged(lock)
    survey = sandbox.host.survey()
    (told,) = survey.deploying
    assert place in told
    assert "2017-07-14T02:40:00Z" in told
    refused = make_plan([survey], Selection())
    assert isinstance(refused, Refusal)
    assert told in refused.why
    assert "--ignore-deploy-lock" in refused.hint
    for selection in (Selection(ignore_deploy_lock=True), Selection(emergency=True)):
        plan = make_plan([survey], selection)
        assert isinstance(plan, Plan)
        assert any(told in warning for warning in plan.warnings)


@pytest.mark.parametrize(("to", "deploying"), [("r2", True), ("r3", False), ("r9", False)])
def test_the_link_release_says_that_a_deployment_is_under_way_unless_it_is_live_or_gone(
    sandbox: Sandbox, to: str, deploying: bool
) -> None:
    (sandbox.root / "release").symlink_to(f"releases/{to}/")
    survey = sandbox.host.survey()
    assert bool(survey.deploying) == deploying
    assert [r.name for r in survey.releases if r.problem] == (["r2"] if deploying else [])


def test_links_do_not_change_the_time_of_the_release(shell: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, shell, links={"one.json": "config.json", "two.json": "config.json"})
    (sandbox.root / "config.json").write_text("{}\n")
    (sandbox.releases / "r2" / "two.json").write_text("{}\n")
    place = aged(sandbox.releases / "r2")
    result, _ = sandbox.switch("r2")
    assert result.outcome == "switched"
    assert [(place / name).is_symlink() for name in ("one.json", "two.json")] == [True, True]
    assert place.stat().st_mtime == LONG_AGO


def test_links_that_a_refused_switch_takes_back_do_not_change_the_time_of_the_release(
    shell: str, tmp_path: Path
) -> None:
    sandbox = Sandbox(tmp_path, shell, links={"one.json": "config.json", "two.json": "config.json"})
    (sandbox.root / "config.json").write_text("{}\n")
    (sandbox.releases / "r2" / "two.json").mkdir()
    place = aged(sandbox.releases / "r2")
    result, _ = sandbox.switch("r2")
    assert result.outcome == "refused"
    assert not (place / "one.json").is_symlink()
    assert place.stat().st_mtime == LONG_AGO


def test_our_own_state_is_no_part_of_a_clone(sandbox: Sandbox) -> None:
    sandbox.host.record(RUN, {"r2": GOOD}, "")
    assert (sandbox.store / ".gitignore").read_text() == "*\n"


def test_a_marker_with_the_releases_name_is_none_of_a_copy(shell: str, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, shell, requires=["app", ".done-{release}"])
    for name in ("r1", "r2", "r3"):
        (sandbox.releases / name / f".done-{name}").touch()
    (sandbox.releases / "r2" / ".done-r2").rename(sandbox.releases / "r2" / ".done-r1")
    survey = sandbox.host.survey()
    assert [(r.name, r.problem) for r in survey.releases] == [("r1", ""), ("r2", "it lacks .done-r2"), ("r3", "")]
    assert sandbox.switch("r1")[0].outcome == "switched"
