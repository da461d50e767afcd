"""What people read: each line says what happened, and nothing in it can do anything but be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

import pytest

from rollback_ops.cli.actions.step import Step
from rollback_ops.cli.output import text as shown
from rollback_ops.cli.output.terminal import Console, TerminalProgress
from rollback_ops.cli.output.text import Line
from rollback_ops.core.errors import HostUnreachable, Refused
from rollback_ops.core.health import CheckResult, Finding, Verdict, Verification
from rollback_ops.core.model import Lease, Live, OpenTransaction, Release, StepReport, Survey
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, Rejected
from rollback_ops.core.record import HostOutcome, Outcome
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.statistics import statistics
from tests.support.fakes import live_at, releases
from tests.support.records import USUAL, record

HOST = USUAL["hosts"][0]


def texts(lines: Iterable[Line]) -> list[str]:
    return [line.text for line in lines]


def first(lines: Iterable[Line]) -> Line:
    return next(iter(lines))


# --- the result of a rollback ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "text", "style"),
    [
        ("succeeded", "✓ rolled back: b3 → b2  (prod, 1.5 s)", "good"),
        ("nothing_to_do", "✓ nothing to do: b3 → b2  (prod, 1.5 s)", "good"),
        ("verification_failed", "✗ rolled back, and the verification failed: b3 → b2  (prod, 1.5 s)", "bad"),
        ("restored", "✗ failed, and put back on the release that it started from: b3 → b2  (prod, 1.5 s)", "bad"),
        ("failed", "✗ failed: a person is needed now: b3 → b2  (prod, 1.5 s)", "bad"),
        ("refused", "✗ refused: nothing was changed: b3 → b2  (prod, 1.5 s)", "bad"),
        ("partial", "✗ the hosts ended differently: b3 → b2  (prod, 1.5 s)", "bad"),
        ("cancelled", "✗ stopped by a signal: b3 → b2  (prod, 1.5 s)", "bad"),
    ],
)
def test_the_first_line_says_what_became_of_it(outcome: str, text: str, style: str) -> None:
    assert first(shown.result(record(outcome=outcome))) == Line(text, style)  # type: ignore[arg-type]


def test_every_outcome_has_its_words() -> None:
    for outcome in get_args(Outcome):
        assert texts(shown.result(record(outcome=outcome)))
        assert texts(shown.checked(record(outcome=outcome)))
    for word in get_args(HostOutcome):
        told = texts(shown.result(record(hosts=[HOST | {"outcome": word, "host": name} for name in ("h1", "h2")])))
        assert f"  h1: {word.replace('_', ' ')}, down for 0.20 s" in told


def test_a_dry_run_says_that_nothing_was_changed_and_where_it_would_go() -> None:
    told = texts(shown.result(record(dry_run=True, outcome="nothing_to_do")))
    assert told[0] == "DRY RUN, nothing was changed. A rollback would go: b3 → b2  (prod, 1.5 s)"


def test_a_dry_run_where_there_is_nothing_to_do_names_no_way() -> None:
    nowhere = {"release": None, "revision": None}
    host = HOST | {"outcome": "nothing_to_do", "detail": "b3 is no longer live (live: b2)"}
    told = texts(shown.result(record(dry_run=True, outcome="nothing_to_do", to=nowhere, hosts=[host])))
    assert told[0] == "✓ nothing to do  (prod, 1.5 s)"
    assert "b3 is no longer live (live: b2)" in told[1]


def test_a_way_without_a_beginning_is_told() -> None:
    nowhere = {"release": None, "revision": None}
    assert "nothing → b2" in first(shown.result(record(**{"from": nowhere}))).text


def test_what_was_not_chosen_and_what_to_beware_of_is_told() -> None:
    told = list(shown.result(record()))
    assert Line("  not b3: it is the live one", "faint") in told
    assert Line("  ! beware", "warning") in told


def test_each_host_says_how_it_ended_and_why_in_the_colour_of_it() -> None:
    hosts = [
        HOST | {"host": "h1"},
        HOST | {"host": "h2", "outcome": "restored", "detail": "it could not be stopped", "downtime_seconds": None},
    ]
    told = list(shown.result(record(outcome="partial", hosts=hosts)))
    assert Line("  h1: succeeded, down for 0.20 s", "") in told
    assert Line("  h2: restored: it could not be stopped", "bad") in told


STEPS = [{"name": name, "seconds": 0.5, "outcome": "ok", "detail": ""} for name in ("stop", "switch", "start")]


def test_what_took_longer_than_its_target_is_named_with_its_host() -> None:
    slow = [STEPS[0] | {"seconds": 7.0}, *STEPS[1:]]
    hosts = [HOST | {"host": "h1", "steps": STEPS}, HOST | {"host": "h2", "steps": slow}]
    told = texts(shown.result(record(hosts=hosts, duration_seconds=41)))
    assert "  ! stop took 7.0 s on h2, over its target of 5 s" in told
    assert "  ! total took 41.0 s, over its target of 40 s" in told
    assert not any("target" in line for line in texts(shown.result(record(hosts=[HOST | {"steps": STEPS}]))))


@pytest.mark.parametrize(
    ("words", "possible"),
    [
        ({"outcome": "nothing_to_do", "exit_code": 0}, True),
        ({"outcome": "refused", "exit_code": 1}, False),
        ({"outcome": "partial", "exit_code": 5}, False),
        ({"outcome": "nothing_to_do", "exit_code": 0, "to": {"release": None, "revision": None}}, False),
    ],
)
def test_a_check_says_whether_a_rollback_could_be_done(words: dict[str, Any], possible: bool) -> None:
    told = first(shown.checked(record(dry_run=True, **words))).text
    assert told == ("✓ a rollback can be done: b3 → b2" if possible else "✗ a rollback cannot be done now")


# --- as it happens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "mark", "style"), [("ok", "✓", "good"), ("warning", "!", "warning"), ("failed", "✗", "bad")]
)
def test_a_step_has_its_mark_its_time_and_its_detail(outcome: Any, mark: str, style: str) -> None:
    told = shown.step("h1", StepReport("stop", outcome, 1.25, "it hung"))
    assert told == Line(f"  {mark} h1  stop     1.25 s  it hung", style)  # type: ignore[arg-type]


def test_a_verification_tells_each_check() -> None:
    verdicts: tuple[Verdict, ...] = ("passed", "failed", "unknown")
    checks = tuple(
        CheckResult(name, "http", Finding(verdict, f"it {verdict}"), 0.5)
        for name, verdict in zip("abc", verdicts, strict=True)
    )
    assert list(shown.verified("h1", Verification(False, 2.0, checks))) == [
        Line("✗ not healthy: h1  (2.0 s)", "bad"),
        Line("  ✓ h1  a        0.50 s  it passed", "good"),
        Line("  ✗ h1  b        0.50 s  it failed", "bad"),
        Line("  ? h1  c        0.50 s  it unknown", "bad"),
    ]
    assert first(shown.verified("h1", Verification(True, 2.0))) == Line("✓ healthy: h1  (2.0 s)", "good")


def test_an_error_says_what_happened_and_what_to_do() -> None:
    assert texts(shown.explained(Refused("it is locked", "Wait."))) == ["error: it is locked", "  Wait."]
    assert texts(shown.explained(Refused("it is locked"))) == ["error: it is locked"]


def test_a_host_that_is_lost_is_named_once() -> None:
    errors = {"h1": HostUnreachable("h1: connection refused", "Is it up?")}
    assert texts(shown.lost(errors)) == ["✗ h1  connection refused\n  Is it up?"]


# --- what is there ---------------------------------------------------------------------------------------


def test_a_host_says_what_is_live_and_what_is_in_the_way() -> None:
    survey = Survey(
        "h1",
        live=live_at("b3"),
        blockers=("the disk is full",),
        warnings=("no logs",),
        lease=Lease("run-0", "bob", since="10:00"),
        unfinished=OpenTransaction("run-1", "/srv/bot/releases/b3", "b2"),
    )
    assert texts(shown.live(survey)) == [
        "h1: live is b3",
        "  ! the disk is full",
        "  ! no logs",
        "  ! locked by bob since 10:00 (run run-0)",
        "  ! a rollback to b2 was interrupted (run run-1): `resume` finishes it",
    ]


@pytest.mark.parametrize(
    ("live", "text"),
    [
        (Live("missing"), "h1: live is missing"),
        (Live("elsewhere", path="/opt/x"), "h1: live is elsewhere /opt/x"),
        (Live("dangling", "b9", "releases/b9"), "h1: live is dangling releases/b9"),
    ],
)
def test_a_current_that_is_no_release_is_told_as_what_it_is(live: Live, text: str) -> None:
    assert texts(shown.live(Survey("h1", live=live))) == [text]


def test_releases_are_listed_newest_first_with_all_that_is_known_of_them() -> None:
    found = (
        Release("b2", modified=1000.0, revision="0123456789abcdef", mark="good", sealed=True, size_kib=2048),
        Release("b10", mark="bad", problem="it is empty"),
        *releases("b9", "b1"),
    )
    survey = Survey("h1", found, live_at("b9"))
    plan = Plan("b2", "", (), (Rejected("b10", "it is newer than the live one"), Rejected("b9", "it is the live one")))
    columns, rows = shown.releases(survey, plan, now=1000.0 + 7200)
    assert {len(row) for row in rows} == {len(columns)}
    assert rows == [
        ["", "b10", "", "", "", "bad, incomplete", "it is newer than the live one"],
        ["●", "b9", "", "", "sha-b9", "", "it is the live one"],
        ["→", "b2", "2 h", "2 MiB", "0123456789ab", "good, sealed", "a rollback would choose this one"],
        ["", "b1", "", "", "sha-b1", "", ""],
    ]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Plan("b2", "", (), warnings=("beware",)), ["✓ a rollback would go to b2", "  ! beware"]),
        (NothingToDo("b3 is no longer live"), ["✓ nothing to do: b3 is no longer live"]),
        (Refusal("h1: full\nh2: full", "Make room."), ["✗ h1: full", "✗ h2: full", "  Make room."]),
    ],
)
def test_what_a_rollback_would_do_is_told(found: Plan | NothingToDo | Refusal, told: list[str]) -> None:
    assert texts(shown.decision(found)) == told


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0, "0 s"), (59.4, "59 s"), (60, "1 min"), (7200, "2 h"), (86400 * 400, "400 d")],
)
def test_an_age_is_told_in_the_largest_unit_that_says_something(seconds: float, text: str) -> None:
    assert shown.age(seconds) == text


@pytest.mark.parametrize(
    ("kib", "text"),
    [(None, ""), (0, "0 KiB"), (1023, "1023 KiB"), (1024, "1 MiB"), (5 * 1024**2, "5 GiB"), (1024**3, "1.0 TiB")],
)
def test_a_size_is_told_in_the_largest_unit_that_says_something(kib: int | None, text: str) -> None:
    assert shown.size(kib) == text


# --- what was --------------------------------------------------------------------------------------------


def test_the_history_has_a_row_for_each_record() -> None:
    columns, rows = shown.history([record(outcome="verification_failed")])
    assert len(columns) == len(rows[0])
    assert rows == [
        ["2024-01-02 03:04:05", "prod", "b3", "b2", "verification failed", "1.5", "alice", "logins fail"],
    ]


def test_statistics_have_a_clear_alert_under_ninety_in_a_hundred() -> None:
    told = list(shown.stats(statistics([record()] * 8 + [record(outcome="failed", trigger="workflow")])))
    assert told[0].text == "  all                  8 of 9 succeeded (88.9%), mean 1.5 s, slowest 1.5 s"
    assert "  workflow             0 of 1 succeeded (0.0%), mean 1.5 s, slowest 1.5 s" in [line.text for line in told]
    assert told[-1] == Line("ALERT: only 88.9% of the rollbacks succeeded, fewer than 90 %", "bad")
    assert not any("ALERT" in text for text in texts(shown.stats(statistics([record()] * 9))))


def test_without_a_rollback_there_is_no_rate() -> None:
    (told,) = texts(shown.stats(statistics([])))
    assert "%" not in told


# --- hostile text ----------------------------------------------------------------------------------------

CONSOLE = Console(Step(), Redactor())
EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eold\rnew"


def test_what_a_host_says_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    host = HOST | {"detail": EVIL, "host": "h1"}
    CONSOLE.show(shown.result(record(hosts=[host], warnings=[EVIL], rejected=[{"release": EVIL, "why": EVIL}])))
    live = TerminalProgress(CONSOLE)
    live.step("h1", StepReport("stop", "ok", 0.1, EVIL))
    live.logs("h1", [EVIL])
    told = "".join(capsys.readouterr())
    assert told.count("owned") == 6
    assert all(line.isprintable() for line in told.split("\n"))


def test_what_a_journal_says_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    columns, rows = shown.history([record(reason=EVIL, actor=EVIL, environment=EVIL)])
    CONSOLE.table(columns, rows)
    CONSOLE.show(shown.stats(statistics([record(environment=EVIL)])))
    told = "".join(capsys.readouterr())
    assert told.count("owned") == 4
    assert all(line.isprintable() for line in told.split("\n"))


def test_a_message_of_several_lines_stays_one(capsys: pytest.CaptureFixture[str]) -> None:
    CONSOLE.show([Line("h1: full\n  Make room.", "bad")])
    assert capsys.readouterr().out == "h1: full\n  Make room.\n"
