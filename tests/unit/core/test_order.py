"""The order of releases: of names that have one, and of the times at which releases became live."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.core.model import Live, OpenTransaction, Release, Survey
from rollback_ops.core.order import Order, Ranking, detect, natural, semver
from rollback_ops.core.plan import Plan, Refusal, Selection, make_plan
from tests.support.fakes import live_at

# --- natural order ---------------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8") | st.sampled_from("0129._-ab"), max_size=40)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2", "10"),
        ("b2", "b10"),
        ("v1.9.0", "v1.10.0"),
        ("backup_20240101_235959", "backup_20240102_000000"),
        ("20240131120000", "20240201120000"),
        ("v1.2", "v1.2.1"),
        ("release-9-b", "release-10-a"),
        ("b01", "b1"),
    ],
)
def test_numbers_in_names_are_compared_as_numbers(older: str, newer: str) -> None:
    assert natural(older) < natural(newer)


@given(texts, texts, texts)
def test_natural_order_is_total(one: str, two: str, three: str) -> None:
    a, b, c = natural(one), natural(two), natural(three)
    assert (a < b) + (b < a) + (a == b) == 1
    assert (a == b) == (one == two)
    if a <= b <= c:
        assert a <= c


@given(st.datetimes(), st.datetimes())
def test_timestamps_sort_as_themselves(one: object, two: object) -> None:
    for form in ("backup_{0:%Y%m%d_%H%M%S}", "{0:%Y%m%d%H%M%S}", "{0:%Y-%m-%dT%H.%M.%S}"):
        first, second = (form.format(moment).replace(" ", "0") for moment in (one, two))
        if len(first) == len(second):
            assert (natural(first) < natural(second)) == (first < second)


@given(st.integers(0, 10**30), st.integers(0, 10**30))
def test_numbers_sort_by_their_value(one: int, two: int) -> None:
    assert (natural(f"b{one}-x") < natural(f"b{two}-x")) == (one < two)


# --- versions ----------------------------------------------------------------------------------------------

# https://semver.org/spec/v2.0.0.html, section 11: each is older than the next one.
SEMVER_EXAMPLES = [
    "1.0.0 2.0.0 2.1.0 2.1.1",
    "1.0.0-alpha 1.0.0",
    "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0",
    "v1.2.0-rc1 v1.2.0 v1.2.1-0 v1.2.1 v1.10.0",
    "1.2.0-9 1.2.0-10 1.2.0--x 1.2.0-a 1.2 1.2.1",
]


@pytest.mark.parametrize("ascending", SEMVER_EXAMPLES)
def test_versions_have_the_precedence_of_semantic_versioning(ascending: str) -> None:
    names = ascending.split()
    assert detect(names)[0] == "semver"
    ranking = Ranking([host(*names, live=names[0])])
    for older, newer in itertools.combinations(names, 2):
        assert (ranking.newer(newer, older), ranking.newer(older, newer)) == (True, False), (older, newer)
    assert ranking.newest_first(sorted(names)) == names[::-1]


@pytest.mark.parametrize("names", [("1.0.0+a", "1.0.0+b"), ("v1.0.0", "1.0.0"), ("1.0", "1.0.0")])
def test_of_versions_with_the_same_precedence_none_is_newer(names: tuple[str, str]) -> None:
    assert Ranking([host(*names, live=names[0])]).newer(*names) is None


@pytest.mark.parametrize(
    "name", ["1", "1.2.3.4", "1.2.3-", "1.2.3-a..b", "1.2.3+", "release", "v", "1.2.3\n", "x1.2.3"]
)
def test_what_is_no_version_has_no_precedence(name: str) -> None:
    assert semver(name) is None


numbers = st.integers(0, 10**20)
identifiers = st.from_regex(r"\A[0-9A-Za-z-]{1,5}\Z")
versions = st.builds(
    lambda core, pre, v: f"{v}{'.'.join(map(str, core))}{'-' if pre else ''}{'.'.join(pre)}",
    st.tuples(numbers, numbers, numbers),
    st.lists(identifiers, max_size=3),
    st.sampled_from(("", "v")),
)


@given(versions, versions, versions)
def test_the_order_of_versions_is_one(one: str, two: str, three: str) -> None:
    a, b, c = semver(one), semver(two), semver(three)
    assert a is not None
    assert b is not None
    assert c is not None
    assert (a < b) + (b < a) + (a == b) == 1
    if a <= b <= c:
        assert a <= c


@given(st.tuples(numbers, numbers, numbers), st.lists(identifiers, min_size=1, max_size=3))
def test_a_pre_release_is_older_than_its_release(core: tuple[int, ...], pre: list[str]) -> None:
    release = ".".join(map(str, core))
    older, newer = semver(f"{release}-{'.'.join(pre)}"), semver(release)
    assert older is not None
    assert newer is not None
    assert older < newer


# --- which order the names have --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "order"),
    [
        ("", "natural"),
        ("1 2 10", "natural"),
        ("20240131120000 20240201120000", "natural"),
        ("backup_20240101_235959 backup_20240102_000000", "natural"),
        ("20240131120000 20240201120000-hotfix", "natural"),
        ("release-9-b release-10-a", "natural"),
        ("20240131a 20240201b", "natural"),
        ("1.2.0 1.10.0 v2.0.0-rc.1", "semver"),
        ("3f8e1c05d2 91b07aa46e c27d5e9b18", "deployed"),
        ("deadbeef 12345678 0badc0de", "deployed"),
        ("blue green", "deployed"),
    ],
)
def test_names_of_one_kind_have_their_order_without_a_warning(names: str, order: Order) -> None:
    found, why, warning = detect(names.split())
    assert (found, bool(why), warning) == (order, True, "")


@pytest.mark.parametrize(
    "names", ["20240131120000 v1.0.0", "20240131120000 hotfix", "backup_20240101 manual_20240102", "1.2.3 3f8e1c05d2"]
)
def test_names_of_several_kinds_have_the_order_of_deployment_and_a_warning(names: str) -> None:
    order, why, warning = detect(names.split())
    assert (order, bool(why), bool(warning)) == ("deployed", True, True)


@given(st.permutations(["3f8e1c05d2", "v1.0.0", "20240131120000", "hotfix"]), st.integers(0, 4))
def test_the_order_does_not_depend_on_where_names_stand(names: list[str], count: int) -> None:
    assert detect(names[:count]) == detect(sorted(names[:count]))


def test_what_cannot_be_used_has_no_say_in_the_order() -> None:
    stray = (Release("tmp", problem="it is empty"), Release("shared", problem="it is a link"))
    ranking = Ranking([Survey("h1", (*(Release(n) for n in ("1", "2")), *stray), live_at("2"))])
    assert (ranking.order, ranking.warning) == ("natural", "")


def test_the_setting_is_stronger_than_the_names() -> None:
    ranking = Ranking([host("a", "b", live="b")], "natural")
    assert (ranking.order, ranking.warning, ranking.newer("b", "a")) == ("natural", "", True)


# --- the order in which releases became live -------------------------------------------------------------------


def host(*names: str, live: str, name: str = "h1") -> Survey:
    return Survey(name, tuple(Release(each) for each in names), live_at(live))


def deployed(*found: Release, live: str, name: str = "h1") -> Survey:
    return Survey(name, found, live_at(live))


A, B, C, D = "aaaaaa1", "bbbbbb2", "cccccc3", "dddddd4"


def chosen(*surveys: Survey, backup: str = "") -> str:
    found = make_plan(surveys, Selection(backup))
    assert isinstance(found, Plan), found
    return found.target


def refusal(*surveys: Survey) -> Refusal:
    found = make_plan(surveys, Selection())
    assert isinstance(found, Refusal), found
    return found


@pytest.mark.parametrize(
    "found",
    [
        (Release(A, created=30), Release(B, created=10), Release(C, created=20), Release(D, created=5)),
        (Release(A, live_since=30), Release(B, live_since=10), Release(C, live_since=20), Release(D, live_since=5)),
        (Release(A, logged=30), Release(B, logged=10), Release(C, logged=20), Release(D, logged=5)),
        # A tree that was copied: the notes are older than the directories.
        (
            Release(A, created=99, live_since=30),
            Release(B, created=98, live_since=10),
            Release(C, created=97, live_since=20),
            Release(D, created=96, live_since=5),
        ),
        # The log of the deployment tool is believed before the directories.
        (
            Release(A, created=1, logged=30),
            Release(B, created=2, logged=10),
            Release(C, created=3, logged=20),
            Release(D, created=4, logged=5),
        ),
    ],
)
def test_releases_named_by_commit_are_chosen_by_when_they_became_live(found: Sequence[Release]) -> None:
    assert chosen(deployed(*found, live=A)) == C
    assert chosen(deployed(*found, live=C)) == B
    assert chosen(deployed(*found, live=B)) == D
    assert refusal(deployed(*found, live=D)).rejected


def test_the_creation_of_directories_is_believed_with_a_warning_that_names_them() -> None:
    noted, unsure = Release(B, created=10, live_since=11), Release(C, created=20)
    plan = make_plan([deployed(noted, unsure, live=C)], Selection())
    assert isinstance(plan, Plan)
    warning = plan.warnings[-1]
    assert C in warning
    assert B not in warning


def test_a_named_release_needs_no_order_and_no_warning() -> None:
    plan = make_plan([deployed(Release(A), Release(B, mark="good"), live=A)], Selection(B))
    assert isinstance(plan, Plan)
    assert (plan.target, plan.warnings) == (B, ())


@pytest.mark.parametrize(
    "found",
    [
        (Release(A, created=10), Release(B, created=10)),
        (Release(A, created=10), Release(B)),
        (Release(A), Release(B, created=10)),
        (Release(A, logged=1), Release(B)),
        (Release(A, created=30), Release(B, created=10), Release(C, created=10)),
    ],
)
def test_where_nobody_can_tell_which_is_older_the_release_has_to_be_named(found: Sequence[Release]) -> None:
    survey = deployed(*found, live=A)
    assert "--to" in refusal(survey).hint
    assert chosen(survey, backup=B) == B


def test_hosts_that_know_the_order_speak_for_those_that_do_not() -> None:
    known = deployed(Release(A, created=30), Release(B, created=10), Release(C, created=20), live=A)
    fresh = deployed(Release(A, created=50), Release(B, created=50), Release(C, created=50), live=A, name="h2")
    assert chosen(known, fresh) == chosen(fresh, known) == C


def test_hosts_that_contradict_each_other_leave_the_choice_to_a_person() -> None:
    one = deployed(Release(A, created=30), Release(B, created=10), Release(C, created=20), live=A)
    other = deployed(Release(A, created=30), Release(B, created=20), Release(C, created=10), live=A, name="h2")
    assert "--to" in refusal(one, other).hint


def test_live_releases_of_which_none_is_known_to_be_newer_leave_the_choice_to_a_person() -> None:
    one = deployed(Release(A), Release(B), Release(C), live=A)
    assert "--to" in refusal(one, deployed(Release(A), Release(B), Release(C), live=B, name="h2")).hint


releases = st.builds(
    Release,
    st.sampled_from((A, B, C, D, "v1.0.0", "v1.0.0-rc1", "v1.2.0", "20240101", "20240102", "hotfix")),
    mark=st.sampled_from(("", "good", "bad")),
    problem=st.sampled_from(("", "", "", "it is empty")),
    created=st.sampled_from((0.0, 1.0, 2.0, 3.0)),
    live_since=st.sampled_from((None, 0.0, 2.0, 4.0)),
    logged=st.sampled_from((0, 0, 1, 2, 3)),
)
fleets = st.lists(
    st.builds(
        lambda found, live, begun: Survey("", tuple(found), live, unfinished=begun),
        st.lists(releases, max_size=6, unique_by=lambda release: release.name),
        st.sampled_from((A, B, "v1.2.0", "20240102", "hotfix")).map(live_at) | st.just(Live("missing")),
        st.none() | st.just(OpenTransaction("run", f"/srv/releases/{C}", B)),
    ),
    min_size=1,
    max_size=3,
)


@given(fleets, st.randoms(use_true_random=False), st.sampled_from((None, "natural", "semver", "deployed")))
def test_the_target_is_older_than_what_was_left_and_does_not_depend_on_which_host_answers_first(
    fleet: list[Survey], chance: random.Random, order: Order | None
) -> None:
    surveys = [replace(survey, host=f"h{number}") for number, survey in enumerate(fleet)]
    selection = Selection(emergency=True, order=order)
    plan = make_plan(surveys, selection)
    again = make_plan(chance.sample(surveys, len(surveys)), selection)
    assert type(again) is type(plan)
    if not (isinstance(plan, Plan) and isinstance(again, Plan)):
        return
    assert again.target == plan.target
    ranking = Ranking(surveys, order)
    # A release that an interrupted rollback left counts where its directory is gone, too.
    there = {r.name for s in surveys for r in s.releases}
    origins = {s.origin for s in surveys if s.origin in there or s.interrupted}
    assert not origins or plan.target not in ranking.latest(origins)
    assert all(ranking.newer(plan.target, newest) is False for newest in ranking.latest(origins))
    for survey in surveys:
        release = survey.release(plan.target)
        assert release
        assert (release.problem, release.mark == "bad") == ("", False)
    was_live = {r.name for s in surveys for r in s.releases if r.was_live}
    eligible = {r.name for s in surveys for r in s.releases} - {rejected.release for rejected in plan.rejected}
    assert plan.target in was_live or not eligible & was_live
