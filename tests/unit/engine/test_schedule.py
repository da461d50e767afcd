"""The reasons not to carry a scheduled rollback out, and its entry in a journal."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from rollback_ops.core.model import Armed, Hold, Lease, Live, OpenTransaction, Release, ServiceId, Survey
from rollback_ops.core.schedule import note_of
from rollback_ops.engine.schedule import JournalSchedule, ScheduleBlocker, schedule_blocker
from tests.support.fakes import FakeHost, live_at, releases
from tests.unit.core.test_schedule import NOON, ONE, asked

NOW = NOON.timestamp()


def survey(host: str = "h1", *, live: str = "b3", **more: Any) -> Survey:
    return Survey(host, more.pop("releases", releases("b1", "b2", "b3")), live_at(live), **more)


def against(*surveys: Survey, lost: Collection[str] = (), **changes: Any) -> ScheduleBlocker | None:
    return schedule_blocker(asked(**changes), surveys, lost, NOW)


def what(found: ScheduleBlocker | None) -> str:
    return found.what if found else ""


def held(*left: str, until: float = NOW + 60, lifted: str = "") -> Hold:
    return Hold(ONE, "carol", "a freeze", NOW - 60, until, tuple(left), lifted)  # type: ignore[arg-type]


def test_nothing_speaks_against_what_is_as_it_was_planned() -> None:
    assert against(survey("h1"), survey("h2")) is None


def test_hosts_may_have_several_names_for_one_revision() -> None:
    old, new = "0ld0000000aa", "c0ffee0000bb"
    counted = [
        Survey(host, (Release(one, revision=old), Release(two, revision=new)), Live("release", two, f"/srv/{two}"))
        for host, one, two in (("h1", "1", "2"), ("h2", "7", "8"))
    ]
    assert against(*counted, live=new, to=old, to_revision=old) is None


def test_a_release_that_is_not_live_any_more_is_not_left() -> None:
    found = against(survey("h1"), survey("h2", live="b4", releases=releases("b2", "b3", "b4")))
    assert found
    assert (found.what, "h2" in found.why, "b4" in found.why) == ("stale", True, True)


def test_a_target_that_is_gone_on_one_host_is_not_gone_to() -> None:
    found = against(survey("h1"), survey("h2", releases=releases("b1", "b3")))
    assert found
    assert (found.what, "b2" in found.why) == ("stale", True)


def test_a_target_that_became_bad_is_not_gone_to() -> None:
    assert what(against(survey(releases=releases("b1", "b2", "b3", b2="bad")))) == "stale"


@pytest.mark.parametrize(
    ("hold", "found"),
    [(held(), "stale"), (held(until=NOW - 1), ""), (held(lifted="dora"), "")],
)
def test_a_hold_on_everything_stops_it_while_it_stands(hold: Hold, found: str) -> None:
    assert what(against(survey(holds=(hold,)))) == found


@pytest.mark.parametrize(
    "more",
    [
        {"lease": Lease(ONE, "carol")},
        {"armed": Armed(ONE, "b2", "12:30")},
        {"deploying": ("a deployment is under way",)},
        {"unfinished": OpenTransaction(ONE, "/srv/bot/releases/b3", "b2")},
    ],
    ids=["lock", "armed", "deployment", "interrupted"],
)
def test_what_may_pass_by_itself_is_waited_for(more: dict[str, Any]) -> None:
    assert what(against(survey("h1"), survey("h2", **more))) == "waiting"


def test_a_host_that_cannot_be_reached_is_waited_for_and_shows_nothing() -> None:
    assert what(against(survey("h1"), lost=["h2"])) == "waiting"
    assert what(against(lost=["h1"])) == "waiting"
    assert what(against(survey("h1", live="b1"), lost=["h2"])) == "stale"


def test_a_journal_keeps_entries_and_notes_in_their_order_beside_everything_else() -> None:
    host = FakeHost("h1")
    mine, other = (JournalSchedule(host, ServiceId(name, "prod")) for name in ("bot", "web"))
    mine.add(asked())
    host.lines += ['{"event":"schedule","id":1}', '{"event":"schedule",', "noise", '{"event":"intent","id":"x"}']
    other.add(asked(service="web"))
    mine.note(asked(), note_of("claimed", ONE))
    mine.note(asked(), note_of("stale", ONE, "it is not live"))
    (entry,) = mine.entries()
    assert (entry.asked, entry.state, entry.last.why) == (asked(), "stale", "it is not live")
    assert [each.state for each in other.entries()] == ["added"]
    assert mine.again(asked()) == entry
