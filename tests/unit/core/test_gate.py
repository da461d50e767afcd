"""The gate: which releases speak against a deployment, in which environments, by which revision."""

from __future__ import annotations

import pytest

from rollback_ops.core.errors import Refused
from rollback_ops.core.gate import candidate, objections
from rollback_ops.core.model import HeldRelease, Hold, Mark, Release, Survey
from rollback_ops.core.revision import meant, same

NOW = 1_800_000_000.0
FULL, SHORT, ANOTHER = "c27d5e9b18" + "0" * 30, "c27d5e9", "91b07aa46e"


def bad(name: str, revision: str = "", mark: Mark = "bad") -> Survey:
    return Survey("h1", (Release(name, revision=revision, mark=mark, marked_why="it loses messages"),))


def held(*releases: HeldRelease, until: float = NOW + 60, lifted_by: str = "") -> Survey:
    return Survey("h1", holds=(Hold("run", "ana", "wait for the fix", NOW - 60, until, releases, lifted_by),))


def against(surveys: dict[str, list[Survey]], revision: str = "", release: str = "", *, allow_bad: bool = False) -> int:
    wanted = candidate(revision, release, surveys, "prod")
    return len(list(objections(wanted, surveys, "prod", NOW, allow_bad=allow_bad)))


def test_without_a_hold_and_a_bad_mark_nothing_speaks_against_it() -> None:
    assert against({"prod": [bad("b3", FULL, "good")]}, FULL) == 0
    assert against({"prod": []}, release="b3") == 0


@pytest.mark.parametrize("known_as", [FULL, SHORT])
@pytest.mark.parametrize("asked", [FULL, SHORT])
def test_a_revision_that_is_bad_in_any_environment_is_bad_under_every_name_and_length(
    known_as: str, asked: str
) -> None:
    assert against({"prod": [], "test": [bad("another-name", known_as)]}, asked) == 1
    assert against({"prod": [], "test": [bad("another-name", known_as)]}, asked, allow_bad=True) == 0


def test_a_bad_name_counts_in_its_own_environment_only_as_names_are_used_again() -> None:
    assert against({"prod": [bad("b3")], "test": []}, release="b3") == 1
    assert against({"prod": [], "test": [bad("b3")]}, release="b3") == 0


def test_a_release_that_is_named_is_compared_by_its_revision_in_the_other_environments() -> None:
    assert against({"prod": [bad("b3", FULL, "")], "test": [bad("b9", FULL)]}, release="b3") == 1


def test_another_revision_under_the_same_name_is_not_bad() -> None:
    assert against({"prod": [bad("b3", ANOTHER)]}, FULL, "b3") == 0


def test_a_hold_on_everything_stops_every_deployment_and_no_option_gets_past_it() -> None:
    assert against({"prod": [held()]}, FULL) == 1
    assert against({"prod": [held()]}, FULL, allow_bad=True) == 1
    assert against({"prod": [held(until=NOW)]}, FULL) == 0
    assert against({"prod": [held(lifted_by="bob")]}, FULL) == 0
    assert against({"prod": [], "test": [held()]}, FULL) == 0


def test_a_hold_on_what_was_left_stops_that_release_only() -> None:
    left = {"prod": [held(HeldRelease("b3", SHORT))]}
    assert (against(left, FULL), against(left, release="b3"), against(left, ANOTHER)) == (1, 1, 0)


def test_one_mark_on_several_hosts_is_one_objection() -> None:
    other = Survey("h2", bad("b3", FULL).releases)
    (found,) = objections(candidate(FULL, "", {"prod": []}, "prod"), {"prod": [bad("b3", FULL), other]}, "prod", NOW)
    assert "h1, h2" in found.why


def test_the_beginning_of_two_revisions_is_refused() -> None:
    two = {"prod": [bad("b3", "c27d5e9a" + "0" * 32, ""), bad("b4", "c27d5e9b" + "0" * 32, "")]}
    with pytest.raises(Refused):
        candidate("c27d5e9", "", two, "prod")
    assert candidate("c27d5e9a", "", two, "prod").revision == "c27d5e9a" + "0" * 32


def test_revisions_are_the_same_when_one_commit_is_the_beginning_of_the_other() -> None:
    assert same(FULL, SHORT.upper())
    assert not same(FULL, FULL[:6])
    assert not same("", "")
    assert same("v1.2", "v1.2")
    assert not same("v1.2", "v1.2.3")
    assert meant(SHORT, [FULL, FULL[:10], ANOTHER, SHORT]) == [FULL]
