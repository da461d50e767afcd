"""Where a rollback starts from: current may lead to a place in a release, and its text may have any form."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.agent_sandbox import RUN, Sandbox


@pytest.fixture
def sandbox(shell: str, tmp_path: Path) -> Sandbox:
    """Releases r2 and r3 with a directory public, which r1 lacks."""
    sandbox = Sandbox(tmp_path, shell)
    for name in ("r2", "r3"):
        (sandbox.releases / name / "public").mkdir()
    return sandbox


def point(sandbox: Sandbox, text: str) -> None:
    sandbox.current.unlink()
    sandbox.current.symlink_to(text)


@pytest.mark.parametrize("prefix", ["", "{root}/"])
def test_current_goes_on_leading_to_the_same_place_of_the_release(sandbox: Sandbox, prefix: str) -> None:
    prefix = prefix.format(root=sandbox.root)
    point(sandbox, f"{prefix}releases/r3/public")

    result, _ = sandbox.switch("r2", source=f"{prefix}releases/r3/public")

    assert (result.outcome, result.live) == ("switched", "r2")
    assert os.readlink(sandbox.current) == f"{prefix}releases/r2/public"


def test_a_release_without_that_place_cannot_be_the_target(sandbox: Sandbox) -> None:
    point(sandbox, "releases/r3/public")
    problems = {release.name: release.problem for release in sandbox.host.survey().releases}
    before = sandbox.listing()

    result, _ = sandbox.switch("r1", source="releases/r3/public")

    assert {name for name, problem in problems.items() if problem} == {"r1"}
    assert "public" in problems["r1"]
    assert (result.outcome, os.readlink(sandbox.current)) == ("refused", "releases/r3/public")
    assert [entry for entry in sandbox.listing() if ".rollback" not in entry[0]] == before


@pytest.mark.parametrize("text", ["releases/r3", "releases/r3/", "{root}/releases/r3//", "releases/r3/public/"])
@pytest.mark.parametrize("there", [True, False])
def test_an_interrupted_transaction_left_the_release_into_which_current_led(
    sandbox: Sandbox, text: str, there: bool
) -> None:
    source = text.format(root=sandbox.root)
    point(sandbox, "releases/r2/" if there else source)
    sandbox.state.mkdir(parents=True)
    (sandbox.state / "open").write_text(f"{RUN}\tr2\t{source}\n")
    if not there:
        (sandbox.releases / "r3").rename(sandbox.root / "gone")

    survey = sandbox.host.survey()

    assert survey.interrupted is not None
    assert (survey.origin, survey.interrupted.target) == ("r3", "r2")


@pytest.mark.parametrize(
    ("text", "told"), [("latest", True), ("./latest/", True), ("releases/r3", False), ("releases/r3/", False)]
)
def test_a_link_on_the_way_to_the_live_release_is_told(sandbox: Sandbox, text: str, told: bool) -> None:
    """A deployment that changes only that link would have no effect after a rollback."""
    (sandbox.root / "latest").symlink_to("releases/r3")
    point(sandbox, text)

    survey = sandbox.host.survey()

    assert survey.live.name == "r3"
    assert any(text in note for note in survey.notes) == told
    assert sandbox.switch("r2", source=text)[0].outcome == "switched"
    assert os.readlink(sandbox.root / "latest") == "releases/r3"
