"""The release that a rollback chooses, and the reason of each one that it rejects."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_ops.core.model import Lease, Live, Mark, OpenTransaction, Release, Survey, Unit
from rollback_ops.core.order import natural
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, Selection, make_plan
from tests.support.fakes import live_at, releases

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


def has(text: str, *parts: str) -> bool:
    """Say whether a text contains all of these names, numbers and words."""
    return all(part in text for part in parts)


def reasons(found: Plan | Refusal) -> dict[str, str]:
    assert len({r.release for r in found.rejected}) == len(found.rejected)
    return {r.release: r.why for r in found.rejected}


def test_the_newest_release_older_than_the_live_one_is_chosen_with_its_revision() -> None:
    plan = planned(host())
    assert (plan.target, plan.revision) == ("b2", "sha-b2")
    assert reasons(plan).keys() == {"b3"}
    assert [(h.host, h.action, h.source.name) for h in plan.hosts] == [("h1", "switch", "b3")]
    assert plan.warnings == ()


def test_a_release_newer_than_the_live_one_is_never_chosen() -> None:
    plan = planned(host(live="b2"))
    assert plan.target == "b1"
    assert reasons(plan).keys() == {"b3", "b2"}
    assert "newer" in reasons(plan)["b3"]
    assert "live" in reasons(plan)["b2"]


def test_each_rejected_release_has_its_reason() -> None:
    found = releases("b1", "b2", "b3", "b9", b2="bad")
    found += (Release("b4", problem="it is empty"), Release("b5", sealed=True))
    plan = planned(host(live="b9", releases=found), b5="its files are not the sealed ones: app.py")
    assert plan.target == "b3"
    why = reasons(plan)
    assert why.keys() == {"b9", "b5", "b4", "b2"}
    assert (why["b5"], why["b4"]) == ("its files are not the sealed ones: app.py", "it is empty")
    assert ("live" in why["b9"], "bad" in why["b2"]) == (True, True)


def test_a_first_deployment_is_refused_with_a_hint_of_its_own() -> None:
    found = refused(host(releases=releases("b3")))
    assert reasons(found).keys() == {"b3"}
    assert "first deployment" in found.hint


def test_without_an_eligible_release_each_candidate_has_its_reason() -> None:
    found = refused(host(releases=releases("b1", "b2", "b3", b1="bad", b2="bad")))
    why = reasons(found)
    assert why.keys() == {"b1", "b2", "b3"}
    assert ("bad" in why["b1"], "bad" in why["b2"], "live" in why["b3"]) == (True, True, True)
    assert "first deployment" not in found.hint


def test_a_fault_that_the_live_release_has_too_points_at_the_settings() -> None:
    found = refused(host(live="b2", releases=tuple(Release(name, problem="it lacks x") for name in ("b1", "b2"))))
    assert ("it lacks x" in found.hint, "`requires`" in found.hint) == (True, True)


@pytest.mark.parametrize("live", ["a-hotfix", "2-hotfix", "z-hotfix"])
def test_when_the_live_release_is_not_among_the_candidates_the_newest_eligible_one_is_chosen(live: str) -> None:
    plan = planned(host(live=live, releases=releases("b1", "b2", "b10", b10="bad")))
    assert (plan.target, list(reasons(plan))) == ("b2", ["b10"])
    assert "bad" in reasons(plan)["b10"]


# --- releases that were perhaps never live ---------------------------------------------------------------

EVIDENCE: dict[str, dict[str, Any]] = {
    "a verification": {"mark": "good"},
    "a note": {"live_since": 0.0},
    "a deployment tool's log": {"logged": 3},
}


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_a_release_that_was_live_comes_before_newer_ones_of_which_nothing_says_so(evidence: str) -> None:
    found = (Release("b1", **EVIDENCE[evidence]), Release("b2"), Release("b0"), Release("b3"))
    plan = planned(host(releases=found))
    assert (plan.target, plan.warnings) == ("b1", ())
    assert reasons(plan).keys() == {"b2", "b3"}
    assert has(reasons(plan)["b2"], "b1", "live")


def test_a_release_of_which_nothing_says_that_it_was_live_is_chosen_with_a_warning_where_there_is_no_other() -> None:
    plan = planned(host(releases=(Release("b1", mark="bad", live_since=0.0), Release("b2"), Release("b3"))))
    assert plan.target == "b2"
    assert reasons(plan).keys() == {"b1", "b3"}
    (warning,) = plan.warnings
    assert has(warning, "b2", "live")


def test_a_release_that_is_asked_for_by_name_may_never_have_been_live_and_that_is_said() -> None:
    plan = planned(host(releases=(*releases("b1", "b3"), Release("b2"))), selection=Selection(backup="b2"))
    assert (plan.target, "b2" in plan.warnings[0]) == ("b2", True)


def test_one_host_knows_for_all_that_a_release_was_live() -> None:
    unknown = tuple(Release(name) for name in ("b1", "b2", "b3"))
    plan = planned(host("h1", releases=unknown), host("h2", releases=(*releases("b1", "b3"), Release("b2"))))
    assert plan.target == "b1"


def test_an_automatic_rollback_does_not_go_by_name_to_a_release_that_was_perhaps_never_live() -> None:
    found = (Release("b1"), Release("b2"), Release("b3"))
    asked = Selection(backup="b2", automatic=True)
    assert planned(host(releases=found), selection=asked).target == "b2"
    why = refused(host(releases=(replace(found[0], live_since=0.0), *found[1:])), selection=asked).why
    assert has(why, "b2", "b1")


# --- releases that a rollback left without evidence against them -------------------------------------------


def left(name: str, **facts: Any) -> Release:
    return Release(name, left_by="20240101T000000Z-00000001", left_why="a drill", **facts)


def test_a_release_that_was_left_is_not_chosen_before_an_older_one_that_was_not() -> None:
    plan = planned(host(releases=(*releases("b1", "b3"), left("b2", mark="good"))))
    assert (plan.target, plan.warnings, plan.eligible) == ("b1", (), ("b2", "b1"))
    assert has(reasons(plan)["b2"], "left", "b1")


@pytest.mark.parametrize("other", [Release("b1", mark="bad"), Release("b1", problem="it is empty"), Release("b1")])
def test_a_release_that_was_left_is_the_last_resort_and_that_is_said(other: Release) -> None:
    plan = planned(host(releases=(*releases("b3"), left("b2"), other)))
    assert plan.target == "b2"
    (warning,) = plan.warnings
    assert has(warning, "b2", "last resort", "a drill")


def test_a_release_that_was_left_and_is_bad_is_no_resort() -> None:
    refused(host(releases=(*releases("b3"), left("b2", mark="bad"))))


def test_the_release_that_was_just_left_is_not_chosen_and_the_way_forward_to_it_is_named() -> None:
    found = refused(host(live="b1", releases=(*releases("b1"), left("b2"), left("b3"))))
    assert has(found.hint, "--to b2")


# --- what was asked for ----------------------------------------------------------------------------------


def test_a_named_release_may_be_newer_and_is_not_rejected() -> None:
    plan = planned(host(live="b2"), selection=Selection(backup="b3"))
    assert plan.target == "b3"
    assert "b3" not in reasons(plan)


def test_a_bad_release_may_be_named_and_causes_a_warning() -> None:
    plan = planned(host(releases=releases("b1", "b2", "b3", b1="bad")), selection=Selection(backup="b1"))
    assert plan.target == "b1"
    (warning,) = plan.warnings
    assert has(warning, "b1", "bad")


@pytest.mark.parametrize(
    ("name", "why", "hint"),
    [
        ("b3", ["b3", "live"], []),
        ("b22", ["b22"], ["b2"]),
        ("nowhere", ["nowhere"], []),
        ("b1", ["b1", "it is empty"], []),
        ("../x\n", ["../x\\n"], []),
    ],
)
def test_a_named_release_that_cannot_be_used_is_refused_with_what_to_do(
    name: str, why: list[str], hint: list[str]
) -> None:
    found = refused(
        host(releases=(Release("b1", problem="it is empty"), *releases("b2", "b3"))), selection=Selection(backup=name)
    )
    assert has(found.why, *why)
    assert has(found.hint, "`list`", *hint)
    assert bool(re.search(r"\bb\d", found.hint)) == bool(hint), "only a similar name is suggested"


def test_a_named_release_with_a_broken_seal_is_refused_rather_than_replaced_by_another() -> None:
    assert has(refused(host(), selection=Selection(backup="b2"), b2="it is broken").why, "b2", "it is broken")


def test_a_rollback_for_a_release_that_is_no_longer_live_has_nothing_to_do() -> None:
    found = make_plan([host(live="b2")], Selection(if_current="b3"))
    assert isinstance(found, NothingToDo)
    assert has(found.why, "b3", "b2")


def test_hosts_that_no_longer_run_the_release_in_question_are_left_alone() -> None:
    plan = planned(host("h1"), host("h2", live="b1"), selection=Selection(if_current="b3"))
    assert plan.target == "b2"
    one, other = plan.hosts
    assert (one.host, one.action, one.why) == ("h1", "switch", "")
    assert (other.host, other.action, "b1" in other.why) == ("h2", "leave", True)


# --- hosts that cannot be changed ------------------------------------------------------------------------

LEASE = Lease("run-9", "alice", "https://example.org/9", "2024-01-01T00:00:00Z", 12.0)
# For each case: the facts of the host, and the names and numbers that the reason has to contain.
UNFIT: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a blocker": ({"blockers": ("the disk of /srv is full",)}, ["the disk of /srv is full"]),
    "a warning": ({"warnings": ("the user may not read the logs",)}, ["the user may not read the logs"]),
    "a lock": ({"lease": LEASE}, ["alice", "2024-01-01T00:00:00Z", "run-9", "12 s"]),
    "no unit": ({"units": (Unit("bot", "missing"),)}, ["bot"]),
    "a unit": ({"units": (Unit("bot", "running", blocker="is masked"),)}, ["bot", "is masked"]),
    "a directory": ({"live": Live("directory")}, ["current"]),
    "no current": ({"live": Live("missing")}, ["current"]),
    "dangling": ({"live": Live("dangling", "b3", "r/b3")}, ["current", "r/b3"]),
    "elsewhere": ({"live": Live("elsewhere", "", "/opt")}, ["current", "/opt"]),
}
REFUSED_EXCEPT_IN_AN_EMERGENCY = {"a warning", "a lock", "no current", "dangling", "elsewhere"}


@pytest.mark.parametrize("case", UNFIT)
def test_a_host_that_cannot_be_changed_is_refused_with_the_reason(case: str) -> None:
    facts, parts = UNFIT[case]
    found = refused(host(**facts))
    assert list(found.hosts) == ["h1"]
    assert has(found.hosts["h1"], *parts)
    assert found.why == f"h1: {found.hosts['h1']}"
    assert found.about("h1").startswith(found.hosts["h1"])


def test_each_reason_why_a_host_cannot_be_changed_is_another() -> None:
    assert len({refused(host(**facts)).why for facts, _ in UNFIT.values()}) == len(UNFIT)


@pytest.mark.parametrize("case", UNFIT)
def test_one_host_that_cannot_be_changed_prevents_the_change_on_all_hosts(case: str) -> None:
    facts, parts = UNFIT[case]
    found = refused(host("h1"), host("h2", **facts))
    assert list(found.hosts) == ["h2"]
    assert has(found.hosts["h2"], *parts)
    assert found.about("h1").startswith(f"h2: {found.hosts['h2']}")


@pytest.mark.parametrize("case", UNFIT)
def test_an_emergency_changes_every_host_that_it_can_and_warns_of_the_problems(case: str) -> None:
    facts, parts = UNFIT[case]
    plan = planned(host("h1"), host("h2", **facts), selection=Selection(emergency=True))
    one, other = plan.hosts
    assert (one.action, one.why) == ("switch", "")
    if case in REFUSED_EXCEPT_IN_AN_EMERGENCY:
        assert other.action == "switch"
        assert any(has(warning, "h2: ", *parts) for warning in plan.warnings)
    else:
        assert (other.action, has(other.why, *parts)) == ("exclude", True)


def test_an_emergency_without_any_host_that_can_be_changed_is_refused() -> None:
    found = refused(host(blockers=("the disk is full",)), selection=Selection(emergency=True))
    assert has(found.why, "h1", "the disk is full")


@pytest.mark.parametrize("case", ["no current", "dangling", "elsewhere"])
def test_a_named_release_repairs_a_current_link_that_is_missing_or_wrong(case: str) -> None:
    assert planned(host(**UNFIT[case][0]), selection=Selection(backup="b1")).target == "b1"


@pytest.mark.parametrize("gone", ["b3", "b9", "b2x"])
def test_a_live_release_that_is_gone_is_still_the_one_that_is_left(gone: str) -> None:
    found = releases("b1", "b2", "b10", "b11")
    plan = planned(host(live=Live("dangling", gone, f"r/{gone}"), releases=found), selection=Selection(emergency=True))
    assert plan.target == "b2"
    assert {name for name, why in reasons(plan).items() if "newer" in why} == {"b10", "b11"}


def test_the_release_that_an_interrupted_rollback_left_is_the_one_that_is_left_also_when_it_is_gone() -> None:
    begun = OpenTransaction("run-1", source="/srv/bot/releases/b3/public/", target="b2", left="b3")
    plan = planned(host(live="b2", unfinished=begun, releases=releases("b1", "b2", "b4")))
    assert plan.target == "b2"
    assert "newer" in reasons(plan)["b4"]


# --- an interrupted transaction --------------------------------------------------------------------------

INTERRUPTED = OpenTransaction("run-1", source="/srv/bot/releases/b3", target="b2")


@pytest.mark.parametrize("live", ["b3", "b2"])
def test_an_interrupted_rollback_goes_on_to_its_target(live: str) -> None:
    plan = planned(host(live=live, unfinished=INTERRUPTED))
    assert (plan.target, [h.action for h in plan.hosts]) == ("b2", ["switch"])
    (warning,) = plan.warnings
    assert has(warning, "h1: ", "b2")


def test_an_interrupted_rollback_from_the_release_in_question_is_finished() -> None:
    plan = planned(host(live="b2", unfinished=INTERRUPTED), selection=Selection(if_current="b3"))
    assert (plan.target, [h.action for h in plan.hosts]) == ("b2", ["switch"])


# --- several hosts ---------------------------------------------------------------------------------------


def test_several_hosts_go_to_one_release_that_all_of_them_have() -> None:
    plan = planned(host("h1"), host("h2", releases=releases("b1", "b3")))
    assert plan.target == "b1"
    assert reasons(plan).keys() == {"b3", "b2"}
    assert "h2" in reasons(plan)["b2"]


def test_a_release_that_is_bad_on_one_host_is_rejected_on_all_and_the_reason_names_the_host() -> None:
    plan = planned(host("h1"), host("h2", releases=releases("b1", "b2", "b3", b2="bad")))
    assert plan.target == "b1"
    assert has(reasons(plan)["b2"], "bad", "h2")


def test_a_rollback_that_succeeded_on_one_host_only_is_completed_on_the_other() -> None:
    done = host("h1", live="b2", releases=releases("b1", "b2", "b3", b3="bad", b2="good"))
    plan = planned(done, host("h2"))
    assert plan.target == "b2"
    assert {h.host: h.action for h in plan.hosts} == {"h1": "leave", "h2": "switch"}
    (warning,) = plan.warnings
    assert has(warning, "b2", "b3")


# --- properties of every plan ----------------------------------------------------------------------------

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
    facts: dict[str, Any] = {
        "left_by": draw(st.sampled_from(("", "run-1"))),
        "live_since": draw(st.sampled_from((None, 0.0))),
    }
    return Release(name, mark=draw(marks), problem=draw(problems), sealed=draw(st.booleans()), **facts)


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
def test_the_target_is_eligible_on_every_host_and_older_than_the_live_release(
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
        assert found.with_action("switch"), "a plan always changes something"
        assert found.target in found.eligible


@given(some_hosts(), some_broken, st.sampled_from(["", *NAMES]))
def test_every_release_is_the_target_or_has_one_reason_or_is_older_than_the_target(
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
def test_the_order_of_releases_and_hosts_changes_nothing(
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
    """Return the hosts as they are after the plan, which led to an unhealthy target."""

    def mark(release: Release, left: str) -> Mark:
        return "bad" if marked and release.name == left else release.mark

    return [
        replace(s, live=live_at(plan.target), releases=tuple(replace(r, mark=mark(r, s.live.name)) for r in s.releases))
        for s in surveys
    ]


@given(some_hosts(), st.booleans())
def test_repeated_rollbacks_never_return_to_a_release_that_one_of_them_left(
    surveys: list[Survey], marked: bool
) -> None:
    if not marked:
        # Marks cannot always be written. Where all hosts run the same release, that release is enough to go by.
        surveys = surveys[:1]
    abandoned: set[str] = set()
    while isinstance(plan := make_plan(surveys, Selection()), Plan):
        abandoned |= {s.live.name for s in surveys if s.live.name != plan.target}
        assert plan.target not in abandoned
        surveys = after(surveys, plan, marked=marked)
    assert isinstance(plan, Refusal)


# --- names that mean other versions on other hosts ---------------------------------------------------------


def counted(name: str, live: str, **revisions: str) -> Survey:
    """A host whose deployment tool counts releases: ``_3="aaa"`` is release 3 with the revision aaa."""
    found = tuple(Release(n[1:], revision=revision, live_since=0.0) for n, revision in revisions.items())
    return Survey(name, found, Live("release", live, f"/srv/bot/releases/{live}"), (Unit("bot", "running"),))


def targets(plan: Plan) -> dict[str, str]:
    return {host.host: host.target for host in plan.hosts}


def test_hosts_that_count_differently_go_to_one_revision() -> None:
    h1 = counted("h1", "3", _1="aaa", _2="bbb", _3="ccc")
    h2 = counted("h2", "5", _3="aaa", _4="bbb", _5="ccc")
    plan = planned(h1, h2)
    assert (plan.revision, plan.release, targets(plan)) == ("bbb", "", {"h1": "2", "h2": "4"})
    assert [host.source.name for host in plan.hosts] == ["3", "5"]
    bad = replace(h2, releases=tuple(replace(r, mark="bad" if r.name == "4" else "") for r in h2.releases))
    assert targets(planned(h1, bad)) == {"h1": "1", "h2": "3"}


def test_a_name_that_means_two_versions_is_never_one_release() -> None:
    h1 = counted("h1", "4", _2="aaa", _3="bbb", _4="ddd")
    h2 = counted("h2", "4", _2="aaa", _3="ccc", _4="ddd")
    plan = planned(h1, h2)
    assert (plan.target, plan.release, targets(plan)) == ("2", "2", {"h1": "2", "h2": "2"})
    found = refused(h1, h2, selection=Selection(backup="3"))
    assert has(found.why, "3", "bbb", "ccc", "h1", "h2")


def test_a_revision_may_be_asked_for_where_names_differ() -> None:
    one, two, three = (letter * 40 for letter in "abc")
    h1 = counted("h1", "3", _1=one, _2=two, _3=three)
    h2 = counted("h2", "5", _3=one, _4=two, _5=three)
    assert targets(planned(h1, h2, selection=Selection(backup="aaaaaaa"))) == {"h1": "1", "h2": "3"}
    assert isinstance(make_plan([h1, h2], Selection(if_current="bbbbbbb")), NothingToDo)
    assert targets(planned(h1, h2, selection=Selection(if_current="ccccccc"))) == {"h1": "2", "h2": "4"}


@pytest.mark.parametrize(
    ("revisions", "asked", "target"),
    [
        (("1234567", "12345678", "2000000"), "1234567", "1"),
        (("a" * 7, "b" * 40, "c" * 40), "a" * 40, "1"),
        (("v1.2", "v1.3", "v1.4"), "v1.2", "1"),
        (("v2026.10", "v2026.10.1", "v2026.11"), "v2026.10", "1"),
    ],
    ids=["the number of a build", "the whole of a short commit", "a tag", "the beginning of another tag"],
)
def test_a_revision_that_is_asked_for_is_the_same_or_begins_a_commit(
    revisions: tuple[str, str, str], asked: str, target: str
) -> None:
    host = counted("h1", "3", **{f"_{n}": revision for n, revision in enumerate(revisions, start=1)})
    assert targets(planned(host, selection=Selection(backup=asked))) == {"h1": target}


def test_what_a_plan_calls_a_long_number_of_a_build_can_be_asked_for() -> None:
    one, two, three = (f"20261127{n}00000" for n in (1, 2, 3))
    h1, h2 = counted("h1", "3", _1=one, _2=two, _3=three), counted("h2", "5", _3=one, _4=two, _5=three)
    label = planned(h1, h2).target
    assert targets(planned(h1, selection=Selection(backup=label))) == {"h1": "2"}


def test_the_beginning_of_a_build_number_names_no_release() -> None:
    host = counted("h1", "2", _1="12345678", _2="20000000")
    refused(host, selection=Selection(backup="1234567"))


def test_of_two_directories_with_one_revision_the_live_one_is_meant() -> None:
    h1 = counted("h1", "3", _1="aaa", _2="bbb", _3="ccc")
    h2 = counted("h2", "5", _3="aaa", _4="bbb", _5="ccc", _6="ccc")
    plan = planned(h1, h2)
    assert targets(plan) == {"h1": "2", "h2": "4"}


@given(st.permutations(("aaa", "bbb", "ccc", "ddd")), st.integers(0, 3), st.randoms(use_true_random=False))
def test_with_counted_names_every_host_goes_to_the_same_revision(
    order: list[str], offset: int, chance: random.Random
) -> None:
    """However hosts name it, and in whatever order they answer; never to the release that was just left."""
    h1 = counted("h1", "4", **{f"_{n}": revision for n, revision in enumerate(order, start=1)})
    h2 = counted("h2", str(4 + offset), **{f"_{n}": r for n, r in enumerate(order, start=1 + offset)})
    hosts = [h1, h2]
    chance.shuffle(hosts)
    for left in (order[3], order[2], order[1]):
        plan = planned(*hosts)
        went = {s.host: s.release(plan.target_on(s.host)) for s in hosts}
        assert {release.revision for release in went.values() if release} == {order[order.index(left) - 1]}
        hosts = [replace(s, live=live_at(plan.target_on(s.host))) for s in hosts]
    refused(*hosts)


def test_a_revision_may_be_short_on_one_host_and_whole_on_the_other() -> None:
    one, two, three = (letter * 40 for letter in "abc")
    h1 = counted("h1", "3", _1=one[:7], _2=two[:12], _3=three)
    h2 = counted("h2", "3", _1=one, _2=two, _3=three[:7])
    plan = planned(h1, h2)
    assert (plan.release, plan.revision, targets(plan)) == ("2", two, {"h1": "2", "h2": "2"})
    other = counted("h2", "5", _3=one, _4=two, _5=three)
    assert targets(planned(h1, other)) == {"h1": "2", "h2": "4"}
