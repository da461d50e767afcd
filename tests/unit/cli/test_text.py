"""The lines that people read: the facts in them, their styles, and that hostile text cannot steer a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, get_args

import pytest

from rollback_ops.cli.actions.step import Step
from rollback_ops.cli.output import history as history_text
from rollback_ops.cli.output import releases as releases_text
from rollback_ops.cli.output import text as shown
from rollback_ops.cli.output.terminal import Console, TerminalProgress
from rollback_ops.cli.output.text import Line
from rollback_ops.core.errors import HostUnreachable, Refused
from rollback_ops.core.health import CheckResult, Finding, Verdict, Verification
from rollback_ops.core.model import Lease, Live, OpenTransaction, Release, StepReport, Survey
from rollback_ops.core.order import Ranking
from rollback_ops.core.plan import NothingToDo, Plan, Refusal, Rejected
from rollback_ops.core.record import HostOutcome, Outcome
from rollback_ops.core.redaction import Redactor
from rollback_ops.core.statistics import statistics
from rollback_ops.core.text import age
from tests.support.fakes import live_at, releases
from tests.support.records import USUAL, record

HOST = USUAL["hosts"][0]


def texts(lines: Iterable[Line]) -> list[str]:
    return [line.text for line in lines]


def first(lines: Iterable[Line]) -> Line:
    return next(iter(lines))


def has(line: Line | str, *parts: str) -> bool:
    """Say whether a line contains all of these names, numbers and marks."""
    text = line.text if isinstance(line, Line) else line
    return all(part in text for part in parts)


def one_with(lines: Iterable[Line], *parts: str) -> Line:
    """Return the only line that contains all of these names, numbers and marks."""
    (found,) = (line for line in lines if has(line, *parts))
    return found


# --- the result of a rollback ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "mark", "style"),
    [
        ("succeeded", "✓", "good"),
        ("nothing_to_do", "✓", "good"),
        ("verification_failed", "✗", "bad"),
        ("restored", "✗", "bad"),
        ("failed", "✗", "bad"),
        ("refused", "✗", "bad"),
        ("partial", "✗", "bad"),
        ("cancelled", "✗", "bad"),
    ],
)
def test_the_first_line_shows_the_result_the_releases_the_environment_and_the_time(
    outcome: str, mark: str, style: str
) -> None:
    line = first(shown.result(record(outcome=outcome)))
    assert line.text.startswith(f"{mark} ")
    assert has(line, "b3 (" if outcome == "restored" else "b3 → b2", "b2", "prod", "1.5 s")
    assert line.style == style


def test_no_two_outcomes_have_the_same_first_line() -> None:
    lines = {first(shown.result(record(outcome=outcome))).text for outcome in get_args(Outcome)}
    assert len(lines) == len(get_args(Outcome))


def test_every_outcome_of_a_run_and_of_a_host_can_be_shown() -> None:
    for outcome in get_args(Outcome):
        assert texts(shown.checked(record(outcome=outcome)))
    for word in get_args(HostOutcome):
        lines = shown.result(record(hosts=[HOST | {"outcome": word, "host": name} for name in ("h1", "h2")]))
        assert one_with(lines, "h1", word.replace("_", " "), "0.20 s")


def test_a_dry_run_does_not_look_like_a_rollback_and_shows_its_target() -> None:
    line = first(shown.result(record(dry_run=True, outcome="nothing_to_do")))
    assert has(line, "DRY RUN", "b3 → b2", "prod")
    assert line.style == "warning"


def test_a_dry_run_with_nothing_to_do_shows_no_target() -> None:
    nowhere = {"release": None, "revision": None}
    host = HOST | {"outcome": "nothing_to_do", "detail": "b3 is no longer live (live: b2)"}
    top, below, *_ = texts(shown.result(record(dry_run=True, outcome="nothing_to_do", to=nowhere, hosts=[host])))
    assert top.startswith("✓ ")
    assert "→" not in top
    assert host["detail"] in below


def test_a_rollback_from_no_release_shows_its_target() -> None:
    nowhere = {"release": None, "revision": None}
    assert re.search(r"\w+ → b2", first(shown.result(record(**{"from": nowhere}))).text)


def test_rejected_releases_and_warnings_are_shown() -> None:
    lines = list(shown.result(record(rejected=[{"release": "b4", "why": "it lacks bot.py"}])))
    assert one_with(lines, "b4", "it lacks bot.py").style == "faint"
    assert one_with(lines, "! beware").style == "warning"


def test_a_release_that_was_left_is_not_called_the_live_one() -> None:
    lines = list(shown.result(record(rejected=[{"release": "b3", "why": "it is the live one"}])))
    assert not any("it is the live one" in line.text for line in lines)


def test_each_host_has_its_outcome_its_reason_and_their_colour() -> None:
    hosts = [
        HOST | {"host": "h1"},
        HOST | {"host": "h2", "outcome": "restored", "detail": "it could not be stopped", "downtime_seconds": None},
    ]
    lines = list(shown.result(record(outcome="partial", hosts=hosts)))
    assert one_with(lines, "h1", "succeeded", "0.20 s").style == ""
    assert one_with(lines, "h2", "restored", "it could not be stopped").style == "bad"


STEPS = [{"name": name, "seconds": 0.5, "outcome": "ok", "detail": ""} for name in ("stop", "switch", "start")]


def test_a_step_that_took_longer_than_its_target_is_shown_with_its_host() -> None:
    slow = [STEPS[0] | {"seconds": 7.0}, *STEPS[1:]]
    hosts = [HOST | {"host": "h1", "steps": STEPS}, HOST | {"host": "h2", "steps": slow}]
    lines = list(shown.result(record(warnings=[], hosts=hosts, duration_seconds=41)))
    assert [line.style for line in lines if has(line, "  ! ")] == ["warning", "warning"]
    assert one_with(lines, "! stop", "7.0 s", "h2", "5 s")
    assert one_with(lines, "! total", "41.0 s", "40 s")
    in_time = shown.result(record(warnings=[], hosts=[HOST | {"steps": STEPS}]))
    assert not any(has(line, "  ! ") for line in in_time)


def test_a_check_shows_what_a_rollback_would_do_with_the_hosts_that_are_there() -> None:
    down = {"host": "h2", "outcome": "unreachable", "detail": "no answer"}
    for detail, way in (("", "b3 → b2"), ("b2 is live there already", "b2 already")):
        there = {"host": "h1", "outcome": "nothing_to_do", "detail": detail}
        line = first(shown.checked(record(dry_run=True, outcome="partial", exit_code=5, hosts=[there, down])))
        assert (line.text[0], line.style, way in line.text) == ("!", "warning", True)


@pytest.mark.parametrize(
    ("words", "possible"),
    [
        ({"outcome": "nothing_to_do", "exit_code": 0}, True),
        ({"outcome": "refused", "exit_code": 1}, False),
        ({"outcome": "partial", "exit_code": 5, "to": {"release": None, "revision": None}}, False),
        ({"outcome": "nothing_to_do", "exit_code": 0, "to": {"release": None, "revision": None}}, False),
    ],
)
def test_a_check_shows_whether_a_rollback_is_possible(words: dict[str, Any], possible: bool) -> None:
    line = first(shown.checked(record(dry_run=True, **words)))
    assert (line.text[0], line.style, "b3 → b2" in line.text) == (
        ("✓", "good", True) if possible else ("✗", "bad", False)
    )


# --- as it happens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "mark", "style"), [("ok", "✓", "good"), ("warning", "!", "warning"), ("failed", "✗", "bad")]
)
def test_a_step_has_its_mark_its_time_and_its_detail(outcome: Any, mark: str, style: str) -> None:
    line = shown.step("h1", StepReport("stop", outcome, 1.25, "it hung"))
    assert line.text.split() == [mark, "h1", "stop", "1.25", "s", "it", "hung"]
    assert line.style == style


def test_a_verification_shows_each_check() -> None:
    verdicts: tuple[Verdict, ...] = ("passed", "failed", "unknown")
    checks = tuple(
        CheckResult(name, "http", Finding(verdict, f"it {verdict}"), 0.5)
        for name, verdict in zip("abc", verdicts, strict=True)
    )
    verdict, *lines = shown.verified("h1", Verification(False, 2.0, checks))
    assert verdict.text.startswith("✗ ")
    assert (has(verdict, "h1", "2.0 s"), verdict.style) == (True, "bad")
    assert [(line.text.split(), line.style) for line in lines] == [
        (["✓", "h1", "a", "0.50", "s", "it", "passed"], "good"),
        (["✗", "h1", "b", "0.50", "s", "it", "failed"], "bad"),
        (["?", "h1", "c", "0.50", "s", "it", "unknown"], "bad"),
    ]
    verdict = first(shown.verified("h1", Verification(True, 2.0)))
    assert verdict.text.startswith("✓ ")
    assert (has(verdict, "h1", "2.0 s"), verdict.style) == (True, "good")


def test_an_error_has_its_message_and_its_hint() -> None:
    message, hint = texts(shown.explained(Refused("it is locked", "Wait.")))
    assert (message.startswith("error: "), "it is locked" in message, hint.strip()) == (True, True, "Wait.")
    assert texts(shown.explained(Refused("it is locked"))) == [message]


def test_a_lost_host_is_named_once() -> None:
    (line,) = shown.lost({"h1": HostUnreachable("h1: connection refused", "Is it up?")})
    assert has(line, "✗", "connection refused", "Is it up?")
    assert line.text.count("h1") == 1


# --- hosts and releases ---------------------------------------------------------------------------------------


def test_a_host_shows_its_live_release_and_all_that_prevents_a_change() -> None:
    survey = Survey(
        "h1",
        live=live_at("b3"),
        blockers=("the disk is full",),
        warnings=("no logs",),
        lease=Lease("run-0", "bob", since="10:00"),
        unfinished=OpenTransaction("run-1", "/srv/bot/releases/b3", "b2"),
    )
    live, *troubles = releases_text.live(survey)
    assert has(live, "h1", "b3")
    expected = [("the disk is full",), ("no logs",), ("bob", "10:00", "run-0"), ("b2", "run-1", "`resume`")]
    assert len(troubles) == len(expected)
    for line, parts in zip(troubles, expected, strict=True):
        assert has(line, "  ! ", *parts)
        assert line.style == "warning"


@pytest.mark.parametrize(
    ("live", "parts"),
    [
        (Live("missing"), ["missing"]),
        (Live("elsewhere", path="/opt/x"), ["elsewhere", "/opt/x"]),
        (Live("dangling", "b9", "releases/b9"), ["dangling", "releases/b9"]),
    ],
)
def test_a_current_that_is_no_release_is_shown_with_its_state(live: Live, parts: list[str]) -> None:
    (line,) = releases_text.live(Survey("h1", live=live))
    assert has(line, "h1", *parts)


def test_releases_are_listed_newest_first_with_age_size_revision_marks_and_reason() -> None:
    found = (
        Release("b2", modified=1000.0, revision="0123456789abcdef", mark="good", sealed=True, size_kib=2048),
        Release("b10", mark="bad", problem="it is empty"),
        *releases("b9", "b1"),
    )
    survey = Survey("h1", found, live_at("b9"))
    plan = Plan("b2", "", (), (Rejected("b10", "it is newer than the live one"), Rejected("b9", "it is the live one")))
    columns, rows = releases_text.releases(survey, plan, Ranking([survey]), now=1000.0 + 7200)
    assert {len(row) for row in rows} == {len(columns)}
    reasons = [row.pop() for row in rows]
    assert rows == [
        ["", "b10", "", "", "", "bad, incomplete"],
        ["●", "b9", "", "", "sha-b9", ""],
        ["→", "b2", "2 h", "2 MiB", "0123456789ab", "good, sealed"],
        ["", "b1", "", "", "sha-b1", ""],
    ]
    assert reasons.pop(2), "the row of the target says that it is the target"
    assert reasons == [*(rejected.why for rejected in plan.rejected), ""]


@pytest.mark.parametrize(
    ("problem", "state", "remedy"),
    [
        ("it belongs to mallory, who is not trusted", "untrusted", "chown"),
        ("it can be written to by everybody", "untrusted", "chmod o-w"),
        ("it can be written to by the group www-data, which is not trusted", "untrusted", "chmod g-w"),
        ("it lacks bot.py", "incomplete", ""),
    ],
)
def test_a_release_that_is_not_trusted_is_shown_as_such_with_what_to_do(problem: str, state: str, remedy: str) -> None:
    survey = Survey("h1", (Release("b1", problem=problem), *releases("b2")), live_at("b2"))
    plan = Refusal("no eligible release", "", (Rejected("b1", problem),))
    *_, marks, why = releases_text.releases(survey, plan, Ranking([survey]), now=0)[1][1]
    assert (marks, why.startswith(problem), remedy in why) == (state, True, True)


@pytest.mark.parametrize(
    ("found", "parts"),
    [
        (Plan("b2", "", (), warnings=("beware",)), [("✓", "b2"), ("! beware",)]),
        (NothingToDo("b3 is no longer live"), [("✓", "b3 is no longer live")]),
        (Refusal("h1: full\nh2: full", "Make room."), [("✗", "h1: full"), ("✗", "h2: full"), ("Make room.",)]),
    ],
)
def test_a_decision_is_shown_with_its_target_or_its_reason(
    found: Plan | NothingToDo | Refusal, parts: list[tuple[str, ...]]
) -> None:
    for line, expected in zip(shown.decision(found), parts, strict=True):
        assert has(line, *expected)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0, "0 s"), (59.4, "59 s"), (60, "1 min"), (7200, "2 h"), (86400 * 400, "400 d")],
)
def test_an_age_is_shown_in_its_largest_useful_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("kib", "text"),
    [(None, ""), (0, "0 KiB"), (1023, "1023 KiB"), (1024, "1 MiB"), (5 * 1024**2, "5 GiB"), (1024**3, "1.0 TiB")],
)
def test_a_size_is_shown_in_its_largest_useful_unit(kib: int | None, text: str) -> None:
    assert releases_text.size(kib) == text


# --- history --------------------------------------------------------------------------------------------


def test_the_history_has_a_row_for_each_record() -> None:
    columns, rows = history_text.history([record(outcome="verification_failed")])
    assert len(columns) == len(rows[0])
    assert rows == [
        ["2024-01-02 03:04:05", "prod", "b3", "b2", "verification failed", "1.5", "", "alice", "logins fail"],
    ]


def test_the_history_shows_groups_waves_and_regions() -> None:
    waves = [{"number": n, "outcome": word} for n, word in ((1, "succeeded"), (2, "not_begun"), (3, "not_begun"))]
    host = record().hosts[0]
    told = record(waves=waves, group={"name": "shop", "run": "r"}).model_copy(
        update={"hosts": tuple(host.model_copy(update={"region": region}) for region in ("eu", "us", "eu"))}
    )
    columns, (row,) = history_text.history([told])
    assert row[columns.index("HOW")] == "bot of group shop, 1 of 3 waves, in eu+us"


def test_statistics_end_with_an_alert_below_90_percent() -> None:
    lines = list(history_text.stats(statistics([record()] * 8 + [record(outcome="failed", trigger="workflow")])))
    assert has(lines[0], "all", "8 of 9", "88.9%", "57.1%")
    assert has(lines[1], "1.50 s")
    assert one_with(lines, "workflow", "0 of 1", "0.0%")
    assert one_with(lines, "2024-01", "8 of 9")
    assert has(lines[-1], "ALERT", "88.9%", "9 are few")
    assert lines[-1].style == "bad"
    assert not any("ALERT" in text for text in texts(history_text.stats(statistics([record()] * 9))))
    sure = list(history_text.stats(statistics([record(outcome="failed")] * 9)))
    assert has(sure[-1], "ALERT")
    assert not has(sure[-1], "are few")


def test_drills_have_their_own_lines() -> None:
    lines = list(history_text.stats(statistics([record(trigger="drill", drill={"ways": []})])))
    assert one_with(lines, "1 of 1", "5.0%")
    assert one_with(lines, "drills")


def test_without_a_rollback_there_is_no_rate() -> None:
    (line,) = texts(history_text.stats(statistics([])))
    assert "%" not in line


# --- hostile text ----------------------------------------------------------------------------------------

CONSOLE = Console(Step(), Redactor())
EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eold\rnew"


def test_text_from_a_host_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    host = HOST | {"detail": EVIL, "host": "h1"}
    CONSOLE.show(shown.result(record(hosts=[host], warnings=[EVIL], rejected=[{"release": EVIL, "why": EVIL}])))
    live = TerminalProgress(CONSOLE)
    live.step("h1", StepReport("stop", "ok", 0.1, EVIL))
    live.logs("h1", [EVIL])
    printed = "".join(capsys.readouterr())
    assert printed.count("owned") == 6
    assert all(line.isprintable() for line in printed.split("\n"))


def test_text_from_a_journal_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    columns, rows = history_text.history([record(reason=EVIL, actor=EVIL, environment=EVIL)])
    CONSOLE.table(columns, rows)
    CONSOLE.show(history_text.stats(statistics([record(environment=EVIL)])))
    printed = "".join(capsys.readouterr())
    assert printed.count("owned") == 4
    assert all(line.isprintable() for line in printed.split("\n"))


def test_a_message_of_several_lines_is_printed_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    CONSOLE.show([Line("h1: full\n  Make room.", "bad")])
    assert capsys.readouterr().out == "h1: full\n  Make room.\n"


# --- releases that were not chosen ------------------------------------------------------------------------

MANY = tuple(
    {"release": f"v{number}", "why": "older" if number < 18 else "it is marked bad"} for number in range(20, 4, -1)
)


def test_of_many_releases_that_were_not_chosen_the_first_are_shown_and_the_others_counted() -> None:
    told = [line.text for line in shown.result(record(rejected=MANY)) if "not v" in line.text or "others" in line.text]

    assert [line.split(":")[0].strip() for line in told[:-1]] == ["not v20", "not v19", "not v18"]
    assert has(told[-1], "13 others", "older", "list")
    assert "marked bad" not in told[-1]


@pytest.mark.parametrize(("changes", "count"), [({"dry_run": True}, 16), ({"rejected": MANY[:4]}, 4)])
def test_a_dry_run_shows_all_of_them_and_so_does_one_that_rejects_few(changes: dict[str, Any], count: int) -> None:
    told = [
        line.text for line in shown.result(record(**{"rejected": MANY, **changes})) if line.text.startswith("  not v")
    ]
    assert len(told) == count
