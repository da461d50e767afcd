"""Which release a rollback goes to, and what is said of all the others."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.core.model import Lease, Live, Mark, OpenTransaction, Release, Survey, Unit
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, Selection, make_plan, natural
from tests.support.fakes import live_at, releases

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


# --- one host --------------------------------------------------------------------------------------------


def host(name: str = "h1", *, live: str | Live = "b3", **facts: Any) -> Survey:
    now = live if isinstance(live, Live) else live_at(live)
    usual = Survey(name, releases("b1", "b2", "b3"), now, (Unit("bot", "running"),))
    return replace(usual, **facts)


ANY = Selection()


def planned(*surveys: Survey, selection: Selection = ANY, **broken: str) -> Plan:
    found = make_plan(surveys, selection, broken)
    assert isinstance(found, Plan), found
    return found


def refused(*surveys: Survey, selection: Selection = ANY, **broken: str) -> Refusal:
    found = make_plan(surveys, selection, broken)
    assert isinstance(found, Refusal), found
    return found


def reasons(found: Plan | Refusal) -> dict[str, str]:
    assert len({r.release for r in found.rejected}) == len(found.rejected)
    return {r.release: r.why for r in found.rejected}


def test_the_newest_release_older_than_the_live_one_is_chosen_with_its_revision() -> None:
    plan = planned(host())
    assert (plan.target, plan.revision) == ("b2", "sha-b2")
    assert reasons(plan) == {"b3": "it is the live one"}
    assert [(h.host, h.action, h.source.name) for h in plan.hosts] == [("h1", "switch", "b3")]
    assert plan.warnings == ()


def test_what_is_newer_than_the_live_release_is_never_gone_to() -> None:
    plan = planned(host(live="b2"))
    assert plan.target == "b1"
    assert reasons(plan) == {"b3": "it is newer than the live one", "b2": "it is the live one"}


def test_each_release_that_is_passed_over_has_its_reason() -> None:
    found = releases("b1", "b2", "b3", "b9", b2="bad")
    found += (Release("b4", problem="it is empty"), Release("b5", sealed=True))
    plan = planned(host(live="b9", releases=found), b5="its files are not the sealed ones: app.py")
    assert plan.target == "b3"
    assert reasons(plan) == {
        "b9": "it is the live one",
        "b5": "its files are not the sealed ones: app.py",
        "b4": "it is empty",
        "b2": "it is marked bad",
    }


def test_a_first_deployment_is_refused_and_says_so() -> None:
    found = refused(host(releases=releases("b3")))
    assert (found.why, reasons(found)) == ("no eligible release", {"b3": "it is the live one"})
    assert "first deployment" in found.hint


def test_without_an_eligible_release_each_candidate_has_its_reason() -> None:
    found = refused(host(releases=releases("b1", "b2", "b3", b1="bad", b2="bad")))
    assert reasons(found) == {"b3": "it is the live one", "b2": "it is marked bad", "b1": "it is marked bad"}
    assert "first deployment" not in found.hint


@pytest.mark.parametrize("live", ["a-hotfix", "2-hotfix", "z-hotfix"])
def test_when_the_live_release_is_not_among_the_candidates_the_newest_eligible_one_is_chosen(live: str) -> None:
    plan = planned(host(live=live, releases=releases("b1", "b2", "b10", b10="bad")))
    assert (plan.target, reasons(plan)) == ("b2", {"b10": "it is marked bad"})


# --- what is asked for -----------------------------------------------------------------------------------


def test_a_release_that_is_named_may_be_newer_and_is_not_among_the_rejected() -> None:
    plan = planned(host(live="b2"), selection=Selection(backup="b3"))
    assert plan.target == "b3"
    assert "b3" not in reasons(plan)


def test_a_bad_release_may_be_named_and_is_warned_of() -> None:
    plan = planned(host(releases=releases("b1", "b2", "b3", b1="bad")), selection=Selection(backup="b1"))
    assert plan.target == "b1"
    assert plan.warnings == ("b1 is marked bad; it was asked for by name",)


@pytest.mark.parametrize(
    ("name", "why", "hint"),
    [
        ("b3", "b3 is the live release already", "`list` shows the others."),
        ("b22", "b22 is none of the releases", "Did you mean b2? `list` shows them."),
        ("nowhere", "nowhere is none of the releases", "`list` shows them."),
        ("b1", "b1 cannot be used: it is empty", "`list` shows the others."),
        ("../x\n", "../x\\n is none of the releases", "`list` shows them."),
    ],
)
def test_a_named_release_that_cannot_be_used_is_refused(name: str, why: str, hint: str) -> None:
    found = refused(
        host(releases=(Release("b1", problem="it is empty"), *releases("b2", "b3"))), selection=Selection(backup=name)
    )
    assert (found.why, found.hint) == (why, hint)


def test_a_named_release_with_a_broken_seal_is_refused_rather_than_replaced_by_another() -> None:
    assert refused(host(), selection=Selection(backup="b2"), b2="it is broken").why == "b2 cannot be used: it is broken"


def test_a_rollback_for_a_release_that_is_no_longer_live_has_nothing_to_do() -> None:
    found = make_plan([host(live="b2")], Selection(if_current="b3"))
    assert found == NothingToDo("b3 is no longer live (live: b2)")


def test_hosts_that_no_longer_run_the_release_in_question_are_left_alone() -> None:
    plan = planned(host("h1"), host("h2", live="b1"), selection=Selection(if_current="b3"))
    assert plan.target == "b2"
    assert {h.host: (h.action, h.why) for h in plan.hosts} == {"h1": ("switch", ""), "h2": ("leave", "it runs b1")}


# --- hosts that nothing may be changed on ----------------------------------------------------------------

LEASE = Lease("run-9", "alice", "https://example.org/9", "2024-01-01T00:00:00Z", 12.0)
UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "an blocker": ({"blockers": ("the disk of /srv is full",)}, "the disk of /srv is full"),
    "a doubt": ({"warnings": ("the user may not read the logs",)}, "the user may not read the logs"),
    "a lock": ({"lease": LEASE}, "locked by alice since 2024-01-01T00:00:00Z (run run-9, at most 12 s more)"),
    "no unit": ({"units": (Unit("bot", "missing"),)}, "the unit bot does not exist"),
    "a unit": ({"units": (Unit("bot", "running", blocker="is masked"),)}, "the unit bot is masked"),
    "a directory": ({"live": Live("directory")}, "current is not a link, so it cannot be switched"),
    "no current": ({"live": Live("missing")}, "current does not exist"),
    "dangling": ({"live": Live("dangling", "b3", "r/b3")}, "current points at r/b3, which does not exist"),
    "elsewhere": ({"live": Live("elsewhere", "", "/opt")}, "current points at /opt, which is none of the releases"),
}
HELD_BACK_BUT_FOR_AN_EMERGENCY = {"a doubt", "a lock", "no current", "dangling", "elsewhere"}


@pytest.mark.parametrize("case", UNFIT)
def test_a_host_that_cannot_be_changed_is_refused_in_words(case: str) -> None:
    facts, why = UNFIT[case]
    found = refused(host(**facts))
    assert (found.why, dict(found.hosts)) == (f"h1: {why}", {"h1": why})
    assert found.about("h1").startswith(why)


@pytest.mark.parametrize("case", UNFIT)
def test_one_host_that_cannot_be_changed_holds_back_all_of_them_before_anything_is_touched(case: str) -> None:
    facts, why = UNFIT[case]
    found = refused(host("h1"), host("h2", **facts))
    assert found.hosts == {"h2": why}
    assert found.about("h1").startswith(f"h2: {why}")


@pytest.mark.parametrize("case", UNFIT)
def test_an_emergency_goes_on_where_it_can_and_says_what_it_went_over(case: str) -> None:
    facts, why = UNFIT[case]
    plan = planned(host("h1"), host("h2", **facts), selection=Selection(emergency=True))
    if case in HELD_BACK_BUT_FOR_AN_EMERGENCY:
        assert [h.action for h in plan.hosts] == ["switch", "switch"]
        assert any(warning.startswith(f"h2: {why}") for warning in plan.warnings)
    else:
        assert [(h.action, h.why) for h in plan.hosts] == [("switch", ""), ("exclude", why)]


def test_an_emergency_on_nothing_but_hosts_that_cannot_be_changed_is_refused() -> None:
    assert (
        refused(host(blockers=("the disk is full",)), selection=Selection(emergency=True)).why == "h1: the disk is full"
    )


@pytest.mark.parametrize("case", ["no current", "dangling", "elsewhere"])
def test_a_link_that_is_not_right_is_put_right_for_a_release_that_is_named(case: str) -> None:
    assert planned(host(**UNFIT[case][0]), selection=Selection(backup="b1")).target == "b1"


# --- an interrupted transaction --------------------------------------------------------------------------

INTERRUPTED = OpenTransaction("run-1", source="/srv/bot/releases/b3", target="b2")


@pytest.mark.parametrize("live", ["b3", "b2"])
def test_an_interrupted_rollback_is_taken_up_where_it_was_going(live: str) -> None:
    plan = planned(host(live=live, unfinished=INTERRUPTED))
    assert (plan.target, [h.action for h in plan.hosts]) == ("b2", ["switch"])
    assert plan.warnings == ("h1: an interrupted rollback to b2 is taken up",)


def test_an_interrupted_rollback_from_the_release_in_question_is_not_nothing_to_do() -> None:
    plan = planned(host(live="b2", unfinished=INTERRUPTED), selection=Selection(if_current="b3"))
    assert (plan.target, [h.action for h in plan.hosts]) == ("b2", ["switch"])


# --- several hosts ---------------------------------------------------------------------------------------


def test_several_hosts_go_to_one_release_that_all_of_them_have() -> None:
    plan = planned(host("h1"), host("h2", releases=releases("b1", "b3")))
    assert plan.target == "b1"
    assert reasons(plan) == {"b3": "it is the live one", "b2": "h2 does not have it"}


def test_what_is_bad_on_one_host_is_bad_for_all_and_the_host_is_named() -> None:
    plan = planned(host("h1"), host("h2", releases=releases("b1", "b2", "b3", b2="bad")))
    assert (plan.target, reasons(plan)["b2"]) == ("b1", "it is marked bad on h2")


def test_a_rollback_that_went_through_on_one_host_only_is_completed_on_the_other() -> None:
    done = host("h1", live="b2", releases=releases("b1", "b2", "b3", b3="bad", b2="good"))
    plan = planned(done, host("h2"))
    assert plan.target == "b2"
    assert {h.host: h.action for h in plan.hosts} == {"h1": "leave", "h2": "switch"}
    assert plan.warnings == ("the hosts ran different releases: b2, b3",)


# --- whatever the hosts look like ------------------------------------------------------------------------

NAMES = [
    *(f"b{number}" for number in range(1, 13)),
    "backup_20240101_000000",
    "backup_20231231_235959",
    "v1.10",
    "v1.9",
]
marks: st.SearchStrategy[Mark] = st.sampled_from(["", "", "", "good", "bad"])
problems = st.sampled_from(["", "", "", "it is empty"])


@st.composite
def one_release(draw: st.DrawFn, name: str) -> Release:
    return Release(name, mark=draw(marks), problem=draw(problems), sealed=draw(st.booleans()))


@st.composite
def one_host(draw: st.DrawFn, name: str, pool: Sequence[str]) -> Survey:
    live = draw(st.sampled_from(pool))
    names = draw(st.sets(st.sampled_from(pool))) | {live}
    return Survey(
        host=name,
        releases=tuple(draw(one_release(each)) for each in sorted(names)),
        live=live_at(live),
        units=(Unit("bot", draw(st.sampled_from(["running", "failed", "stopped"]))),),
    )


@st.composite
def some_hosts(draw: st.DrawFn) -> list[Survey]:
    pool = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
    return [draw(one_host(f"h{number}", pool)) for number in range(draw(st.integers(1, 3)))]


some_broken = st.dictionaries(st.sampled_from(NAMES), st.just("it is broken"), max_size=3)


def newest_live(surveys: Sequence[Survey]) -> str:
    return max((s.live.name for s in surveys), key=natural)


@given(some_hosts(), some_broken, st.booleans())
def test_the_target_is_fit_on_every_host_and_older_than_what_is_live(
    surveys: list[Survey], broken: dict[str, str], emergency: bool
) -> None:
    found = make_plan(surveys, Selection(emergency=emergency), broken)
    if isinstance(found, Plan):
        assert natural(found.target) < natural(newest_live(surveys))
        assert found.target not in broken
        for survey in surveys:
            release = survey.release(found.target)
            assert release is not None
            assert (release.mark != "bad", release.problem) == (True, "")
        assert found.with_action("switch"), "a plan that changes nothing is none"


@given(some_hosts(), some_broken, st.sampled_from(["", *NAMES]))
def test_every_candidate_is_the_target_or_has_one_reason_or_is_an_older_one_that_was_not_needed(
    surveys: list[Survey], broken: dict[str, str], backup: str
) -> None:
    found = make_plan(surveys, Selection(backup=backup), broken)
    assert not isinstance(found, NothingToDo)
    names = {r.name for s in surveys for r in s.releases}
    why = reasons(found)
    assert all(why.values())
    assert why.keys() <= names
    if isinstance(found, Refusal):
        assert backup or why.keys() == names
        return
    assert found.target in names - why.keys()
    for name in names - why.keys() - {found.target}:
        assert backup or natural(name) < natural(found.target)


@given(some_hosts(), some_broken, st.sampled_from(["", *NAMES]), st.randoms(use_true_random=False))
def test_the_order_in_which_releases_and_hosts_are_listed_changes_nothing(
    surveys: list[Survey], broken: dict[str, str], backup: str, chance: random.Random
) -> None:
    shuffled = [replace(s, releases=tuple(chance.sample(s.releases, len(s.releases)))) for s in surveys]
    chance.shuffle(shuffled)
    one, other = (make_plan(each, Selection(backup=backup), broken) for each in (surveys, shuffled))
    assert type(one) is type(other)
    assert not isinstance(one, NothingToDo)
    assert not isinstance(other, NothingToDo)
    assert [r.release for r in one.rejected] == [r.release for r in other.rejected]
    if isinstance(one, Plan) and isinstance(other, Plan):
        assert (one.target, set(one.hosts), set(one.warnings)) == (other.target, set(other.hosts), set(other.warnings))


def after(surveys: Sequence[Survey], plan: Plan, *, marked: bool) -> list[Survey]:
    """The hosts once the plan was carried out, and the target turned out to be no better."""

    def mark(release: Release, left: str) -> Mark:
        return "bad" if marked and release.name == left else release.mark

    return [
        replace(s, live=live_at(plan.target), releases=tuple(replace(r, mark=mark(r, s.live.name)) for r in s.releases))
        for s in surveys
    ]


@given(some_hosts(), st.booleans())
def test_rollbacks_in_a_row_never_return_to_what_one_of_them_abandoned(surveys: list[Survey], marked: bool) -> None:
    if not marked:
        # A mark that could not be written: what is live is anchor enough where all hosts run the same.
        surveys = surveys[:1]
    abandoned: set[str] = set()
    while isinstance(plan := make_plan(surveys, Selection()), Plan):
        abandoned |= {s.live.name for s in surveys if s.live.name != plan.target}
        assert plan.target not in abandoned
        surveys = after(surveys, plan, marked=marked)
    assert isinstance(plan, Refusal)
