"""Marks of releases."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollback_ops.core.errors import Refused
from rollback_ops.core.model import Release
from tests.support.agent_sandbox import BAD, GOOD, Sandbox

RUN, LATER = "20240101T000000Z-00000001", "20240102T000000Z-00000002"


@pytest.fixture(params=["dash", "busybox"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path, str(request.param))


def release(sandbox: Sandbox, name: str) -> Release:
    found = sandbox.host.survey().release(name)
    assert found is not None
    return found


def told(sandbox: Sandbox, name: str) -> tuple[str, str, str]:
    found = release(sandbox, name)
    return found.mark, found.marked_by, found.marked_why


def test_a_mark_is_kept_with_the_run_and_the_reason(sandbox: Sandbox) -> None:
    sandbox.host.mark_as(RUN, "r2", "bad", "it loses $(messages) & 'quotes'")
    assert told(sandbox, "r2") == ("bad", RUN, "it loses $(messages) & 'quotes'")
    sandbox.host.mark_as(LATER, "r2", "good", "a false alarm")
    assert told(sandbox, "r2") == ("good", LATER, "a false alarm")
    sandbox.host.mark_as(LATER, "r2", "clear", "nobody knows")
    assert told(sandbox, "r2") == ("", "", "")


def test_a_mark_by_a_person_is_no_note_that_the_release_was_live(sandbox: Sandbox) -> None:
    sandbox.host.mark_as(RUN, "r2", "bad", "it loses messages")
    assert release(sandbox, "r2").live_since is None


def test_a_verification_leaves_the_name_of_its_run_and_no_reason(sandbox: Sandbox) -> None:
    sandbox.host.mark_as(RUN, "r3", "bad", "it loses messages")
    sandbox.host.record(LATER, {"r3": GOOD}, "")
    assert told(sandbox, "r3") == ("good", LATER, "")


@pytest.mark.parametrize("name", ["r9", "../r2", ""])
def test_what_is_no_release_cannot_be_marked(sandbox: Sandbox, name: str) -> None:
    before = sandbox.listing()
    with pytest.raises(Refused):
        sandbox.host.mark_as(RUN, name, "bad", "it loses messages")
    assert sandbox.listing() == before


def test_a_mark_without_a_second_line_is_one_of_an_earlier_version(sandbox: Sandbox) -> None:
    sandbox.host.record(RUN, {"r2": BAD}, "")
    (sandbox.state / "marks" / "r2.bad").write_text(f"{RUN}\n")
    assert told(sandbox, "r2") == ("bad", RUN, "")


# --- a name is not an identity ---------------------------------------------------------------------------


def replaced(sandbox: Sandbox, name: str, revision: str = "") -> None:
    """Another release takes the name of one that is removed; what was there keeps its inode."""
    (sandbox.releases / name).rename(sandbox.root / "removed")
    place = sandbox.release(name)
    if revision:
        (place / "REVISION").write_text(f"{revision}\n")


def revise(sandbox: Sandbox, name: str, revision: str) -> None:
    (sandbox.releases / name / "REVISION").write_text(f"{revision}\n")


def test_a_new_release_inherits_nothing_from_a_removed_one_of_its_name(sandbox: Sandbox) -> None:
    sandbox.host.record(RUN, {"r1": GOOD, "r2": BAD}, "")
    for name in ("r1", "r2"):
        sandbox.host.seal(name)
        replaced(sandbox, name)
        (sandbox.root / "removed").rename(sandbox.root / f"removed-{name}")
    found = [release(sandbox, name) for name in ("r1", "r2")]
    assert [(r.mark, r.marked_by, r.live_since, r.sealed) for r in found] == [("", "", None, False)] * 2
    sandbox.host.record(LATER, {"r1": BAD}, "")
    assert told(sandbox, "r1") == ("bad", LATER, "")
    assert release(sandbox, "r1").live_since is not None


def test_a_revision_that_is_bad_is_bad_under_every_name_but_one_that_was_proven(sandbox: Sandbox) -> None:
    for name, revision in (("r1", "aaa"), ("r2", "bbb"), ("r3", "aaa")):
        revise(sandbox, name, revision)
    sandbox.host.record(RUN, {"r1": GOOD}, "")
    sandbox.host.mark_as(LATER, "r3", "bad", "it loses messages")
    replaced(sandbox, "r2", "aaa")
    survey = sandbox.host.survey()
    assert {r.name: r.mark for r in survey.releases} == {"r1": "good", "r2": "bad", "r3": "bad"}
    assert told(sandbox, "r2") == ("bad", LATER, "it loses messages")
    (known,) = survey.bad_revisions
    assert (known.revision, known.release, known.run, known.why) == ("aaa", "r3", LATER, "it loses messages")
    sandbox.host.record(LATER, {"r2": GOOD}, "")
    assert {r.name: r.mark for r in sandbox.host.survey().releases} == {"r1": "good", "r2": "good", "r3": "bad"}
    assert sandbox.host.survey().bad_revisions == ()


def test_what_was_noted_goes_with_the_release_and_a_bad_revision_stays_known(sandbox: Sandbox) -> None:
    revise(sandbox, "r1", "aaa")
    sandbox.host.record(RUN, {"r1": BAD, "r2": GOOD}, "")
    for name in ("r1", "r2"):
        sandbox.host.seal(name)
        (sandbox.releases / name).rename(sandbox.root / f"removed-{name}")
    sandbox.host.record(LATER, {"r3": GOOD}, "")
    left = [path.name for place in ("marks", "live", "manifests") for path in (sandbox.state / place).iterdir()]
    assert sorted(left) == ["r3", "r3.good"]
    assert [known.revision for known in sandbox.host.survey().bad_revisions] == ["aaa"]


def test_nothing_is_forgotten_while_the_releases_are_not_there(sandbox: Sandbox) -> None:
    sandbox.host.record(RUN, {"r1": BAD, "r3": GOOD}, "")
    sandbox.releases.rename(sandbox.root / "elsewhere")
    sandbox.releases.mkdir()
    sandbox.host.record(LATER, {"r3": GOOD}, "")
    sandbox.releases.rmdir()
    (sandbox.root / "elsewhere").rename(sandbox.releases)
    assert [release(sandbox, name).mark for name in ("r1", "r3")] == ["bad", "good"]


def test_a_note_that_a_release_was_left_ends_when_it_is_proven(sandbox: Sandbox) -> None:
    sandbox.host.record(RUN, {"r3": GOOD}, "")
    assert sandbox.execute("record", RUN, "", "left=a drill", "r3").returncode == 0
    found = release(sandbox, "r3")
    assert (found.mark, found.left_by, found.left_why) == ("good", RUN, "a drill")
    sandbox.host.record(LATER, {"r3": GOOD}, "")
    found = release(sandbox, "r3")
    assert (found.mark, found.left_by) == ("good", "")


@pytest.mark.parametrize("revision", ["", "another"])
def test_a_seal_holds_where_the_revision_of_the_release_was_changed(sandbox: Sandbox, revision: str) -> None:
    place = sandbox.releases / "r2" / "REVISION"
    place.write_text("sha-r2\n")
    sandbox.host.seal("r2")
    place.unlink()
    if revision:
        place.write_text(f"{revision}\n")
    assert next(release.sealed for release in sandbox.host.survey().releases if release.name == "r2")
    assert sandbox.host.inspect("r2").broken
