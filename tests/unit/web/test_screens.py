"""The screens: live releases, health, blockers; and the history and its filter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollback_ops.core.model import Armed, Hold, Lease, Live, OpenTransaction, Release, Survey, Unit, UnitState
from rollback_ops.core.plan import NothingToDo, Refusal
from rollback_ops.core.schedule import ScheduledRollback, ScheduleEntry
from rollback_ops.web.chart import chart_of, evidence_chart
from rollback_ops.web.history import history_of
from rollback_ops.web.now import now_of
from rollback_ops.web.page_file import whole_page
from rollback_ops.web.view import Filter, HealthWord, ServiceView
from tests.support.fakes import releases
from tests.support.html_reader import Page
from tests.support.records import record
from tests.support.snapshots import NOW, observed, snapshot, survey


def shown(*surveys: Survey, **words: Any) -> ServiceView:
    return now_of(snapshot(observed(*surveys, **words), records=[record()])).services[0]


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (survey(), "healthy"),
        (survey(live="b1"), "unknown"),
        (survey(live="b3"), "unhealthy"),
        (survey(units=()), "unknown"),
    ],
)
def test_a_service_is_healthy_only_when_its_live_release_was_verified(found: Survey, word: HealthWord) -> None:
    assert shown(found).health.word == word


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("running", "healthy"),
        ("finished", "healthy"),
        ("starting", "unknown"),
        ("paused", "unknown"),
        ("unknown", "unknown"),
        ("failed", "unhealthy"),
        ("stopped", "unhealthy"),
        ("missing", "unhealthy"),
    ],
)
def test_the_units_of_a_verified_release_decide(state: UnitState, word: HealthWord) -> None:
    assert shown(survey(units=(Unit("bot", state), Unit("other", "running")))).health.word == word


def test_a_host_without_an_answer_makes_the_health_unknown_unless_another_one_is_unhealthy() -> None:
    assert shown(survey(), lost=["h2"]).health.word == "unknown"
    assert shown(survey(live="b3"), lost=["h2"]).health.word == "unhealthy"
    assert shown(lost=["h2"]).health.word == "unknown"
    assert [row.live for row in shown(survey(), lost=["h2"]).hosts] == ["b2", "unknown"]


def test_a_link_that_leads_nowhere_makes_the_health_unknown() -> None:
    found = shown(survey(live=Live("dangling", "", "/srv/bot/gone")))
    assert found.health.word == "unknown"
    assert found.live == ()


def test_a_rollback_in_force_is_told_with_its_reason() -> None:
    banner = shown(survey()).banner
    assert banner is not None
    assert (banner.left, banner.to, banner.why, banner.by) == ("b3", "b2", "logins fail", "alice")
    live = shown(survey()).live[0]
    assert (live.release, live.by) == ("b2", "alice")


def test_after_another_deployment_the_rollback_is_in_force_no_more() -> None:
    found = shown(survey(releases=(Release("b4", created=NOW - 60),), live="b4"))
    assert found.banner is None
    assert [(live.release, live.since, live.by) for live in found.live] == [("b4", NOW - 60, "")]


@pytest.mark.parametrize("words", [{"trigger": "drill"}, {"dry_run": True}, {"hosts": []}])
def test_a_drill_a_dry_run_and_a_run_that_changed_nothing_are_not_in_force(words: dict[str, object]) -> None:
    found = now_of(snapshot(observed(survey()), records=[record(**words)])).services[0]
    assert found.banner is None


def test_hosts_that_agree_are_one_row_and_each_release_is_counted() -> None:
    hosts = [survey(f"h{number}") for number in range(7)]
    found = shown(*hosts, survey("odd", live="b1"), regions={"h1": "eu", "odd": "us"})
    assert sorted(row.count for row in found.hosts) == [1, 1, 6]
    assert [(live.release, live.hosts) for live in found.live] == [("b2", 7), ("b1", 1)]


def test_holds_runs_and_arms_are_told_each_once() -> None:
    words: dict[str, Any] = {
        "lease": Lease("run-1", "bob", since="11:00"),
        "armed": Armed("run-2", "b1", "12:00", "carol"),
        "unfinished": OpenTransaction("run-3", "releases/b2", "b1", "b2"),
        "deploying": ("a deployment is under way",),
        "holds": (Hold("run-4", "dave", "look first", NOW - 9, NOW + 99), Hold("run-5", "x", "over", 1.0, 2.0)),
    }
    found = shown(survey("h1", **words), survey("h2", **words))
    assert [notice.word for notice in found.notices] == ["running", "interrupted", "armed", "deploying"]
    assert [(hold.why, hold.until) for hold in found.holds] == [("look first", NOW + 99)]


@pytest.mark.parametrize("decision", [NothingToDo("it is live"), Refusal("no release is eligible")])
def test_the_reason_is_told_where_no_rollback_can_be_done(decision: NothingToDo | Refusal) -> None:
    choice = shown(survey(), decision=decision).choice
    assert choice is not None
    assert (choice.to, choice.why) == ("", decision.why)


def test_from_records_alone_nothing_is_healthy() -> None:
    found = now_of(snapshot(records=[record(), record(service="api", hosts=[])])).services
    assert [(each.service, each.health.word, each.choice) for each in found] == [
        ("api", "unknown", None),
        ("bot", "unknown", None),
    ]
    assert [live.release for live in found[1].live] == ["b2"]


def test_what_could_not_be_read_is_told_on_the_page() -> None:
    assert len(now_of(snapshot(unreadable=3)).problems) == 1
    assert "3 entries" in Page(whole_page(snapshot(unreadable=3))).text


def test_an_empty_history_is_a_page() -> None:
    assert now_of(snapshot()).services == ()
    assert Page(whole_page(snapshot())).text
    assert Page(whole_page(snapshot(observed(survey())))).text


# --- history ---------------------------------------------------------------------------------------------


def test_deployments_and_rollbacks_are_one_time_line() -> None:
    began = 1_704_164_645.678
    known = (
        Release("b2", created=began - 10, mark="good"),
        Release("b4", created=began + 10, logged=1),
        Release("half", created=began),
    )
    entries = history_of(snapshot(observed(survey(releases=known)), records=[record()])).entries
    assert [(entry.kind, entry.target) for entry in entries] == [
        ("deployment", "b4"),
        ("rollback", "b2"),
        ("deployment", "b2"),
    ]


def test_the_filter_takes_what_matches_in_every_field() -> None:
    records = [
        record(id="1", environment="test", outcome="failed"),
        record(id="2", trigger="log-error"),
        record(id="3", service="api", outcome="failed"),
    ]
    found = snapshot(records=records)

    def ids(**chosen: str) -> list[str]:
        return [entry.record for entry in history_of(found, Filter(**chosen)).entries]

    assert ids() == ["1", "2", "3"]
    assert ids(environment="prod") == ["2", "3"]
    assert ids(environment="prod", outcome="failed") == ["3"]
    assert ids(trigger="log-error", service="bot") == ["2"]
    assert ids(environment="nowhere") == []
    assert history_of(found).choices["service"] == ["api", "bot"]


def test_the_chart_has_the_newest_rollbacks_the_oldest_first() -> None:
    records = [record(id=str(number), duration_seconds=number + 1.0) for number in range(70)]
    chart = chart_of(history_of(snapshot(records=records)).entries)
    assert [bar.entry.record for bar in chart.bars] == [str(number) for number in range(59, -1, -1)]
    assert all(0 <= bar.seconds_top <= chart.floor and 0 < bar.x < chart.width for bar in chart.bars)
    assert chart.lines[-1].label == "100 s"


def test_the_chart_of_nothing_has_no_bars() -> None:
    assert chart_of([]).bars == ()
    assert chart_of(history_of(snapshot(observed(survey(releases=releases("b2"))))).entries).bars == ()


# --- records ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reaches"), [(0.0, "nothing"), (1.0, "nothing"), (99.0, "less"), (100.0, "it"), (1e300, "beyond")]
)
def test_evidence_reaches_the_line_when_it_decides(value: float, reaches: str) -> None:
    words = {"check": "errors", "source": "log", "baseline": "before", "verdict": "worse", "alpha": 0.01, "needed": 100}
    (row,) = (chart := evidence_chart(record(evidence=[words | {"e_worse": value, "e_not_worse": 1}]).evidence)).rows
    line, end = chart.needed - chart.left, chart.width - chart.left
    assert row.not_worse == 0
    where = "nothing" if row.worse == 0 else "less" if row.worse < line - 0.1 else "it" if row.worse < end else "beyond"
    assert where == reaches


def test_the_record_of_a_service_shows_its_group() -> None:
    services = [{"service": name, "run": f"run-{name}", "outcome": "succeeded"} for name in ("api", "bot")]
    group = {"name": "shop", "run": "run-0", "services": services, "stopped": "api failed", "then": "go on", "back": ""}
    text = Page(whole_page(snapshot(records=[record(group=group)]))).text
    assert all(word in text for word in ("Group shop", "run-api", "run-bot", "api failed", "go on"))


def test_scheduled_rollbacks_are_told_until_they_have_ended() -> None:
    words = {
        "id": "20240101T000000Z-0123abcd",
        "service": "bot",
        "environment": "prod",
        "by": "dave",
        "reason": "quiet",
    }
    times = {"at": "2024-01-03T02:00:00Z", "not_after": "2024-01-03T03:00:00Z", "created_at": "2024-01-01T00:00:00Z"}
    asked = ScheduledRollback(**words, **times, live="b2", to="b1")
    found = now_of(replace(snapshot(observed(survey())), scheduled=(ScheduleEntry(asked),))).services[0]
    assert [notice.word for notice in found.notices] == ["scheduled"]
    assert all(word in found.notices[0].told for word in ("b2", "b1", "2024-01-03 02:00:00", "dave", "quiet"))
